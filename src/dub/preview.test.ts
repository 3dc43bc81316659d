import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shiftsIn } from './preview-picture.ts';

test('a small range of shifts is shown whole, with the current value even outside of it', () => {
  assert.deepEqual(shiftsIn({ lowest: -2, highest: 3 }, 0), [-2, -1, 0, 1, 2, 3]);
  assert.deepEqual(shiftsIn({ lowest: -1, highest: 1 }, 7), [-1, 0, 1, 7]);
  assert.deepEqual(shiftsIn({ lowest: 0, highest: 0 }, 0), [0]);
});

test('of a wide range evenly spread values are shown, zero among them, fifteen and the current one at most', () => {
  for (const highest of [8, 20, 99]) {
    const shifts = shiftsIn({ lowest: -highest, highest }, 5);
    assert.ok(shifts.length <= 16 && shifts.includes(0) && shifts.includes(5));
    assert.ok(shifts.every((shift) => Math.abs(shift) <= highest));
  }
});
