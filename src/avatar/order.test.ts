import assert from 'node:assert/strict';
import { test } from 'node:test';
import { framesShown, resultLength, type SyncMode, sourceFrame } from './order.ts';

const order = (mode: SyncMode, source: number, sound: number) =>
  Array.from({ length: resultLength(mode, { source, sound }) }, (_, i) =>
    sourceFrame(mode, i, { source, sound }),
  );

const cases: [SyncMode, number, number, number[]][] = [
  ['bounce', 3, 8, [0, 1, 2, 2, 1, 0, 0, 1]],
  ['bounce', 5, 2, [0, 1]],
  ['loop', 3, 7, [0, 1, 2, 0, 1, 2, 0]],
  ['cut_off', 3, 7, [0, 1, 2]],
  ['cut_off', 7, 3, [0, 1, 2]],
  ['silence', 5, 2, [0, 1, 2, 3, 4]],
  ['silence', 2, 5, [0, 1, 1, 0, 0]],
  ['remap', 3, 6, [0, 0, 1, 1, 2, 2]],
  ['remap', 6, 3, [1, 3, 5]],
  ['remap', 1, 3, [0, 0, 0]],
  ['cut_off', 1, 3, [0, 0, 0]],
];

for (const [mode, source, sound, expected] of cases) {
  test(`${mode}: ${source} frames of video to ${sound} frames of sound`, () => {
    assert.deepEqual(order(mode, source, sound), expected);
    const shown = framesShown(mode, { source, sound });
    assert.ok(expected.every((frame) => frame < shown));
    assert.ok(shown <= source);
  });
}
