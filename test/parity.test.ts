import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT, textOf } from './sources.ts';

const page = textOf('docs/parity.md');

test('every test that the page of parity names is there', () => {
  const named = Array.from(page.matchAll(/`([\w/.-]+\.test\.ts)`(?:: "([^"]+)")?/g));
  assert.ok(named.length > 30);
  for (const [, file, title] of named) {
    assert.ok(existsSync(join(ROOT, file!)), `there is no ${file}`);
    assert.ok(title === undefined || textOf(file!).includes(title), `${file} has no test "${title}"`);
  }
});

test('the page of parity has a row for each known fault', () => {
  const rows = Array.from(page.matchAll(/^\| (\d+) \|/gm), ([, number]) => Number(number));
  assert.deepEqual(
    rows,
    Array.from({ length: 26 }, (_, i) => i + 1),
  );
});
