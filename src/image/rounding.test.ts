import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roundHalfEven } from './rounding.ts';

test('halves go to the even neighbour, everything else to the nearest', () => {
  const cases = [
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, 0],
    [-1.5, -2],
    [-2.5, -2],
    [2.4999, 2],
    [2.5001, 3],
    [-2.6, -3],
    [7, 7],
  ] as const;
  for (const [x, expected] of cases) assert.equal(roundHalfEven(x) + 0, expected, `${x}`);
});
