import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { filesUnder, ROOT } from '../../test/sources.ts';
import { en } from './en.ts';
import { zh } from './zh.ts';

const names = Object.keys(en) as (keyof typeof en)[];

test('both languages fill in the same values', () => {
  const values = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const name of names) assert.deepEqual(values(zh[name]), values(en[name]), name);
  assert.deepEqual(Object.keys(zh).sort(), [...names].sort());
});

test('Chinese texts are Chinese, and no text is used nowhere', () => {
  const same = names.filter((name) => zh[name] === en[name]);
  assert.deepEqual(same, []);
  const sources = filesUnder('web')
    .filter((file) => /\.tsx?$/.test(file) && !/texts\/(en|zh)\.ts$|\.test\.ts$/.test(file))
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .join('\n');
  // Names that are put together at run time are known by their first part.
  const built = /^(option|model|finding|status|stage|nav\.theme|nav|face|play|recorder|models|keys)\./;
  const unused = names.filter((name) => !built.test(name) && !sources.includes(`'${name}'`));
  assert.deepEqual(unused, []);
});
