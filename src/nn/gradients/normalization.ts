/**
 * Derivatives of softmax and of the normalisations. For x̂ = (x − mean) / √(variance + eps) over some axes and a
 * gradient g at x̂: dx = (g − mean(g) − x̂ · mean(g x̂)) / √(variance + eps).
 */
import { add, div, mul, sqrt, square, sub } from '../ops/arithmetic.ts';
import { mean, sum } from '../ops/reduce.ts';
import { reshape } from '../ops/shape.ts';
import type { Value } from '../value.ts';
import { fixed, numbersOf } from '../value.ts';
import { type GradientRule, number, sizes, sumTo } from './rule.ts';

/** y = softmax(x): dx = y · (dy − Σ dy y). */
export const softmaxGradient: GradientRule = (dy, _x, { y, attributes }) => {
  const axis = number(attributes, 'axis', -1);
  return [mul(y, sub(dy, sum(mul(dy, y), [axis], { keep: true })))];
};

export const layerNormGradients: GradientRule = (dy, [x, scale, shift], { attributes }) => {
  const axis = number(attributes, 'axis', -1);
  const { normed, spread } = normalised(x, [axis], number(attributes, 'epsilon', 1e-5));
  return [
    throughNorm(mul(dy, scale), normed, spread, [axis]),
    sumTo(mul(dy, normed), scale.shape),
    shift && sumTo(dy, shift.shape),
  ];
};

export const instanceNormGradients: GradientRule = (dy, [x, scale, shift], { y, attributes }) => {
  const axes = x.shape.slice(2).map((_, i) => i + 2);
  const channels = [1, fixed(x, 1), ...axes.map(() => 1)];
  const known = normalised(x, axes, number(attributes, 'epsilon', 1e-5));
  // Group normalisation scales by ones here, and its own scale later: then the result is what was normalised.
  const plain = isConstantly(scale, 1) && isConstantly(shift, 0);
  const normed = plain ? y : known.normed;
  const g = plain ? dy : mul(dy, reshape(scale, channels));
  return [
    throughNorm(g, normed, known.spread, axes),
    reshape(sumTo(mul(dy, normed), channels), scale.shape),
    reshape(sumTo(dy, channels), shift.shape),
  ];
};

function isConstantly(value: Value, wanted: number): boolean {
  return numbersOf(value)?.every((n) => n === wanted) ?? false;
}

function normalised(x: Value, axes: readonly number[], eps: number): { normed: Value; spread: Value } {
  const centred = sub(x, mean(x, axes, { keep: true }));
  const spread = sqrt(add(mean(square(centred), axes, { keep: true }), eps));
  return { normed: div(centred, spread), spread };
}

function throughNorm(g: Value, normed: Value, spread: Value, axes: readonly number[]): Value {
  const along = mean(mul(g, normed), axes, { keep: true });
  return div(sub(sub(g, mean(g, axes, { keep: true })), mul(normed, along)), spread);
}

/** With running statistics, which are constants: y = (x − mean) · scale / √(variance + eps) + shift. */
export const batchNormGradients: GradientRule = (
  dy,
  [x, scale, shift, average, variance],
  { attributes },
) => {
  const perChannel = (vector: Value) =>
    reshape(vector, [1, sizes(vector)[0]!, ...x.shape.slice(2).map(() => 1)]);
  const spread = perChannel(sqrt(add(variance, number(attributes, 'epsilon', 1e-5))));
  const normed = div(sub(x, perChannel(average)), spread);
  const channels = perChannel(scale).shape;
  return [
    div(mul(dy, perChannel(scale)), spread),
    reshape(sumTo(mul(dy, normed), channels), scale.shape),
    reshape(sumTo(dy, channels), shift.shape),
  ];
};
