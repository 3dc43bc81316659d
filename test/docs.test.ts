import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pages } from '../scripts/write-docs.ts';

for (const [path, text] of Object.entries(pages()))
  test(`${path} agrees with the tables in the code (else: npm run docs)`, () => {
    assert.equal(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'), text);
  });
