import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseJson } from './safe-json.ts';

test('what JSON.parse takes, and is no trick, is taken with the same meaning', () => {
  const harmless = fc
    .jsonValue({ maxDepth: 6 })
    .filter((value) => !/__proto__|constructor|prototype/.test(JSON.stringify(value)));
  fc.assert(
    fc.property(harmless, (value) => {
      assert.deepEqual(parseJson(JSON.stringify(value)), JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('any text gives a value or a named error', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'{}[]:,"\\u01e-.tf ') })),
      (text) => {
        try {
          parseJson(text);
        } catch (error) {
          assert.equal((error as { code: string }).code, 'BAD_OPTION');
        }
      },
    ),
  );
});

const TRICKS: Readonly<Record<string, string>> = {
  'a prototype': '{"a": {"__proto__": {"admin": true}}}',
  'a prototype in escapes': String.raw`{"\u005f_proto__": 1}`,
  'a constructor': '{"constructor": {"prototype": {"admin": true}}}',
  'a key twice': '{"a": 1, "b": {"a": 2}, "a": 3}',
  'a key twice in escapes': String.raw`{"a": 1, "\u0061": 2}`,
  'nesting without end': '['.repeat(100_000),
  'keys without number': `{${Array.from({ length: 1_000_002 }, (_, i) => `"k${i}":0`).join()}}`,
  'a merge key that means nothing in JSON but a key': '{"<<": {"__proto__": {}}}',
  'half a text': '{"a": [1, 2',
  nothing: '',
  'a number that is none': '{"a": NaN}',
};

for (const [name, text] of Object.entries(TRICKS))
  test(`${name} is refused, and leaves no mark on objects`, () => {
    assert.throws(() => parseJson(text), { code: 'BAD_OPTION' });
    assert.equal(({} as { admin?: boolean }).admin, undefined);
  });
