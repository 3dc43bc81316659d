import assert from 'node:assert/strict';
import { test } from 'node:test';
import { giveBack, takeBytes } from './spare-frames.ts';

test('bytes that come back are used again, once, and for their own decoding only', () => {
  const [one, other]: [Uint8Array<ArrayBuffer>[], Uint8Array<ArrayBuffer>[]] = [[], []];
  const first = takeBytes(one, 100_000);
  giveBack({ data: first });
  giveBack({ data: first });
  assert.notEqual(takeBytes(other, 100_000), first);
  assert.equal(takeBytes(one, 100_000), first);
  assert.notEqual(takeBytes(one, 100_000), first);
});

test('copies and small frames are left to the garbage collector', () => {
  const spare: Uint8Array<ArrayBuffer>[] = [];
  giveBack({ data: takeBytes(spare, 100_000).slice() });
  giveBack({ data: takeBytes(spare, 1000) });
  assert.deepEqual(spare, []);
});
