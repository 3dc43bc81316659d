/** Sums, means and normalisations over axes. */
import type { Value } from '../value.ts';
import { apply, fixed, float, ints } from '../value.ts';

function reduce(op: string) {
  return (x: Value, axes: readonly number[], { keep = false } = {}): Value => {
    const at = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis));
    const shape = keep
      ? x.shape.map((dim, i) => (at.includes(i) ? 1 : dim))
      : x.shape.filter((_, i) => !at.includes(i));
    return apply(op, [x, ints(at)], shape, { attributes: { keepdims: keep ? 1 : 0 } });
  };
}

/** Sum over axes; `keep` leaves them with size 1. */
export const sum = reduce('ReduceSum');
/** Mean over axes. */
export const mean = reduce('ReduceMean');
/** Largest over axes. */
export const max = reduce('ReduceMax');

/** Mean of every element, shape []. */
export function meanAll(x: Value): Value {
  return mean(
    x,
    x.shape.map((_, i) => i),
  );
}

/** Sum of every element, shape []. */
export function sumAll(x: Value): Value {
  return sum(
    x,
    x.shape.map((_, i) => i),
  );
}

/** Position of the first maximum along an axis, int64, that axis left out. */
export function argMax(x: Value, axis: number): Value {
  const at = axis < 0 ? axis + x.shape.length : axis;
  return apply(
    'ArgMax',
    [x],
    x.shape.filter((_, i) => i !== at),
    {
      attributes: { axis: at, keepdims: 0 },
      dtype: 'int64',
    },
  );
}

/** exp(x) / Σ exp(x) along an axis (the last one by default). */
export function softmax(x: Value, axis = -1): Value {
  return apply('Softmax', [x], x.shape, { attributes: { axis: axis < 0 ? axis + x.shape.length : axis } });
}

/** (x − mean) / √(variance + eps) · scale + shift over the last axis; biased variance. */
export function layerNormalization(x: Value, scale: Value, shift: Value, eps = 1e-5): Value {
  return apply('LayerNormalization', [x, scale, shift], x.shape, {
    attributes: { axis: x.shape.length - 1, epsilon: float(eps) },
  });
}

/** The same over H × W for each picture and channel; x: [B, C, ...], scale and shift: [C]. */
export function instanceNormalization(x: Value, scale: Value, shift: Value, eps = 1e-5): Value {
  fixed(x, 1);
  return apply('InstanceNormalization', [x, scale, shift], x.shape, { attributes: { epsilon: float(eps) } });
}
