/**
 * Derivatives of softmax and of the normalisations. For x̂ = c / s over some axes, c = x − mean and
 * s² = variance + eps, a gradient g at x̂, less its mean, gives dx = (g − c · mean(g c) / s²) / s.
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

/** Gradients of a layer normalization with respect to its input, scale and shift. */
export const layerNormGradients: GradientRule = (dy, [x, scale, shift], { attributes }) => {
  const parts = partsOf(x, [number(attributes, 'axis', -1)], number(attributes, 'epsilon', 1e-5));
  return [
    throughNorm(mul(dy, scale), parts),
    sumTo(mul(dy, div(parts.centred, parts.spread)), scale.shape),
    shift && sumTo(dy, shift.shape),
  ];
};

/** Gradients of an instance normalization with respect to its input, scale and shift. */
export const instanceNormGradients: GradientRule = (dy, [x, scale, shift], { attributes }) => {
  const axes = x.shape.slice(2).map((_, i) => i + 2);
  const channels = [1, fixed(x, 1), ...axes.map(() => 1)];
  const parts = partsOf(x, axes, number(attributes, 'epsilon', 1e-5));
  // Group normalisation scales by ones here and by its own scale later.
  const plain = numbersOf(scale)?.every((n) => n === 1) ?? false;
  return [
    throughNorm(plain ? dy : mul(dy, reshape(scale, channels)), parts),
    reshape(sumTo(mul(dy, div(parts.centred, parts.spread)), channels), scale.shape),
    reshape(sumTo(dy, channels), shift.shape),
  ];
};

interface Parts {
  axes: readonly number[];
  /** x − mean. The normalised value would do as well, but where a group is small it is too coarse. */
  centred: Value;
  /** variance + eps */
  square: Value;
  /** Its root. */
  spread: Value;
}

function partsOf(x: Value, axes: readonly number[], eps: number): Parts {
  const centred = sub(x, mean(x, axes, { keep: true }));
  const s2 = add(mean(square(centred), axes, { keep: true }), eps);
  return { axes, centred, square: s2, spread: sqrt(s2) };
}

function throughNorm(g: Value, { axes, centred, square, spread }: Parts): Value {
  const level = sub(g, mean(g, axes, { keep: true }));
  const along = div(mean(mul(level, centred), axes, { keep: true }), square);
  return div(sub(level, mul(centred, along)), spread);
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
