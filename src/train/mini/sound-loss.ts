/** What the sound encoder of mini is trained towards, as functions from values to a value. */
import { tensor } from '../../core/tensor.ts';
import { MINI_CODE } from '../../networks/mini-face.ts';
import { abs, add, div, log, minimum, mul, neg, sub } from '../../nn/ops/arithmetic.ts';
import { softmax, sumAll } from '../../nn/ops/reduce.ts';
import { slice } from '../../nn/ops/shape.ts';
import type { Value } from '../../nn/value.ts';
import { constant, fixed } from '../../nn/value.ts';

/** What each code counts, the last one the opening. The first codes are jaw and lips, the last ones head turns. */
const CODE_WEIGHTS = [1, 0.5, 0.5, 0.4, 0.3, 0.1, 0.1, 0.1, 1.5];

/** Cross-entropy of the phones over the rows where one is known. scores, wanted (one-hot or zeros): [B, P, T] */
export function phoneLoss(scores: Value, wanted: Value): Value {
  const logs = log(add(softmax(scores, 1), 1e-7));
  return div(neg(sumAll(mul(wanted, logs))), add(sumAll(wanted), 1));
}

/** Mean square distance of what is heard from what a teacher hears. heard, wanted: [B, C, T]; weight: [B, 1, T] */
export function teacherLoss(heard: Value, wanted: Value, weight: Value): Value {
  const d = sub(heard, wanted);
  return div(sumAll(mul(mul(d, d), weight)), mul(add(sumAll(weight), 1), fixed(d, 1)));
}

/**
 * Distance of the codes and, as much again, of their change over 40 ms, which a mumbling average would miss.
 *
 * codes, wanted: [B, 9, T]; weight of each row: [B, 1, T]
 */
export function codeLoss(codes: Value, wanted: Value, weight: Value): Value {
  const d = sub(codes, wanted);
  const rows = fixed(d, 2);
  const change = sub(slice(d, 2, 2, rows), slice(d, 2, 0, rows - 2));
  return add(weighted(d, weight), weighted(change, slice(weight, 2, 2, rows)));
}

function weighted(d: Value, weight: Value): Value {
  const parts = constant(tensor([1, MINI_CODE + 1, 1], Float32Array.from(CODE_WEIGHTS)));
  return div(sumAll(mul(mul(smoothL1(d, 0.5), parts), weight)), add(sumAll(weight), 1));
}

/** |d| − β/2, rounded off to d²/2β where |d| < β. */
function smoothL1(d: Value, beta: number): Value {
  const size = abs(d);
  const inner = minimum(size, beta);
  return mul(mul(inner, sub(size, mul(inner, 0.5))), 1 / beta);
}
