import assert from 'node:assert/strict';
import type { Tolerance } from './shared.ts';

interface Numbers {
  readonly shape?: readonly number[];
  readonly data: ArrayLike<number | bigint>;
}

/**
 * Asserts that all numbers agree: |actual − expected| ≤ abs + rel × |expected|. On failure it says how many
 * differ, the largest difference, where it is and both values.
 */
export function expectClose(actual: Numbers, expected: Numbers, tolerance: Tolerance, what = 'values'): void {
  if (actual.shape && expected.shape)
    assert.deepEqual([...actual.shape], [...expected.shape], `${what}: shape`);
  assert.equal(actual.data.length, expected.data.length, `${what}: number of elements`);
  const { abs, rel } = tolerance === 'exact' ? { abs: 0, rel: 0 } : tolerance;
  let bad = 0;
  let worst = -1;
  let worstAt = 0;
  for (let i = 0; i < expected.data.length; i++) {
    const a = Number(actual.data[i]);
    const e = Number(expected.data[i]);
    const difference = Object.is(a, e) ? 0 : Math.abs(a - e);
    if (!(difference <= abs + rel * Math.abs(e))) bad++;
    if (difference > worst || Number.isNaN(difference)) {
      worst = difference;
      worstAt = i;
    }
  }
  assert.ok(
    bad === 0,
    `${what}: ${bad} of ${expected.data.length} differ; worst ${worst} at ${worstAt}: ${actual.data[worstAt]} instead of ${expected.data[worstAt]}`,
  );
}
