import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeApi } from '../../src/server/openapi.ts';
import { dubRequest } from '../../src/server/protocol.ts';
import type { Route } from '../../src/server/route.ts';
import { en } from '../texts/en.ts';
import { optionsIn } from './schema.ts';

const start = { method: 'POST', path: '/v1/dubs', summary: '', tag: '', body: dubRequest, answers: {} };
const options = optionsIn(describeApi([start as unknown as Route], '0'));

test('fields are made of the schema that checks the request', () => {
  const shift = options.get('bboxShift')!;
  assert.deepEqual(
    [shift.kind, shift.min, shift.max, shift.standard, shift.unit],
    ['number', -100, 100, 0, 'px'],
  );
  assert.deepEqual(options.get('parsingMode')!.choices, ['jaw', 'neck', 'raw']);
  assert.equal(options.get('sideBySide')!.kind, 'switch');
  assert.equal(options.get('fps')!.kind, 'text');
});

test('words of other services are no fields, and every field has a name for people', () => {
  assert.equal(options.has('sync_mode'), false);
  const nameless = [...options.keys()].filter((name) => !Object.hasOwn(en, `option.${name}`));
  assert.deepEqual(nameless, []);
});

test('a description that is something else gives no fields', () => {
  for (const given of [undefined, {}, { paths: 1 }, []]) assert.equal(optionsIn(given).size, 0);
});
