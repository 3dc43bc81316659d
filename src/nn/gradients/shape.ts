/** Derivatives of operators that move numbers about. */
import { MuseTalkError } from '../../core/errors.ts';
import { matmul } from '../ops/conv.ts';
import { pad, reshape, slice, split, transpose, unsqueeze } from '../ops/shape.ts';
import type { Value } from '../value.ts';
import { constant, numbersOf } from '../value.ts';
import { type GradientRule, number, sizes } from './rule.ts';

/** The parts of dy, each to where it came from. */
export const concatGradients: GradientRule = (dy, values, { attributes }) => {
  const axis = number(attributes, 'axis', 0);
  return split(
    dy,
    values.map((value) => sizes(value)[axis]!),
    axis,
  );
};

/** The elements that a slice left out have no part in its result. */
export const sliceGradient: GradientRule = (dy, [x, starts, _ends, axes, steps]) => {
  const [from, along, step] = [starts, axes, steps].map((value) => numbersOf(value)!) as [
    number[],
    number[],
    number[],
  ];
  return [along.reduceRight((grad, axis, i) => unslice(grad, axis, from[i]!, step[i]!, sizes(x)[axis]!), dy)];
};

function unslice(dy: Value, axis: number, start: number, step: number, size: number): Value {
  const length = sizes(dy)[axis]!;
  if (step < 0) {
    const first = Math.min(start, size - 1);
    const places = Array.from({ length }, (_, i) => first + i * step);
    return scatter(dy, axis, places, size);
  }
  const spread = step === 1 ? dy : spaced(dy, axis, step);
  const before = x(spread, axis, start);
  const after = x(spread, axis, size - start - sizes(spread)[axis]!);
  return pad(spread, before, after);
}

function x(value: Value, axis: number, extra: number): number[] {
  return value.shape.map((_, i) => (i === axis ? extra : 0));
}

/** `step − 1` zeros between the elements along an axis. */
function spaced(dy: Value, axis: number, step: number): Value {
  const length = sizes(dy)[axis]!;
  const apart = unsqueeze(dy, [axis + 1]);
  const filled = pad(apart, x(apart, axis + 1, 0), x(apart, axis + 1, step - 1));
  const shape = sizes(dy);
  shape[axis] = length * step;
  return slice(reshape(filled, shape), axis, 0, (length - 1) * step + 1);
}

/** Rows taken more than once get the sum of their gradients. */
export const gatherGradient: GradientRule = (dy, [x, indices], { attributes }) => {
  const axis = number(attributes, 'axis', 0);
  const places = numbersOf(indices);
  if (!places || indices.shape.length !== 1) throw noGradient('Gather', 'whose indices are not constant');
  return [scatter(dy, axis, places, sizes(x)[axis]!)];
};

/** Adds the elements of dy along an axis up at the given places: a product with a matrix of zeros and ones. */
function scatter(dy: Value, axis: number, places: readonly number[], size: number): Value {
  const matrix = new Float32Array(places.length * size);
  for (const [i, place] of places.entries()) matrix[i * size + (place < 0 ? place + size : place)] = 1;
  const last = dy.shape.length - 1;
  const order = dy.shape.map((_, i) => i).filter((i) => i !== axis);
  const moved = axis === last ? dy : transpose(dy, [...order, axis]);
  const added = matmul(
    moved.shape.length === 1 ? reshape(moved, [1, places.length]) : moved,
    constant({ dtype: 'float32', shape: [places.length, size], data: matrix }),
  );
  const shaped = moved.shape.length === 1 ? reshape(added, [size]) : added;
  if (axis === last) return shaped;
  return transpose(shaped, [
    ...order.slice(0, axis).map((_, i) => i),
    last,
    ...order.slice(axis).map((_, i) => i + axis),
  ]);
}

/** The border that was added falls away; repeated and mirrored borders would have to be added up. */
export const padGradient: GradientRule = (dy, [x, pads], { attributes }) => {
  if (attributes.mode !== undefined && attributes.mode !== 'constant') {
    throw noGradient('Pad', `of mode ${attributes.mode}`);
  }
  const before = numbersOf(pads)!.slice(0, x.shape.length);
  return [
    before.reduce((part, start, axis) => {
      const size = sizes(x)[axis]!;
      return start === 0 && part.shape[axis] === size ? part : slice(part, axis, start, start + size);
    }, dy),
  ];
};

/** The error for an operator, or a form of it, that has no row in the table. */
export function noGradient(op: string, form = ''): MuseTalkError {
  return new MuseTalkError('GRAPH', `${op} ${form ? `${form} ` : ''}has no gradient`, { facts: { op } });
}
