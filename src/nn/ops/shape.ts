/** Operators that move numbers about and change none. */
import type { Dim, Shape, Value } from '../value.ts';
import { apply, applyMany, constant, fixed, ints, product, scalar, shapeError } from '../value.ts';

/** The same numbers in C order under another shape. At most one size may be a name. */
export function reshape(x: Value, shape: Shape): Value {
  if (x.shape.length === shape.length && x.shape.every((dim, i) => dim === shape[i])) return x;
  const [before, after] = [product(x.shape), product(shape)];
  if (typeof before === typeof after && typeof before === 'number' && before !== after) {
    throw shapeError('Reshape', `${after} elements are wanted`, x);
  }
  const names = shape.filter((dim) => typeof dim === 'string');
  if (names.length > 1) throw shapeError('Reshape', `cannot infer ${names.join(' and ')}`, x);
  return apply('Reshape', [x, ints(shape.map((dim) => (typeof dim === 'string' ? -1 : dim)))], shape);
}

/** Axes in another order: output axis i is input axis `order[i]`. */
export function transpose(x: Value, order: readonly number[]): Value {
  if (order.length !== x.shape.length) throw shapeError('Transpose', `order ${order} does not fit`, x);
  return apply(
    'Transpose',
    [x],
    order.map((axis) => x.shape[axis]!),
    { attributes: { perm: order } },
  );
}

/** The last two axes exchanged. */
export function transposeLast(x: Value): Value {
  const order = x.shape.map((_, i) => i);
  const rank = order.length;
  [order[rank - 2], order[rank - 1]] = [rank - 1, rank - 2];
  return transpose(x, order);
}

/** Values one after another along an axis. */
export function concat(values: readonly Value[], axis: number): Value {
  const first = values[0]!;
  const at = axis < 0 ? axis + first.shape.length : axis;
  for (const other of values.slice(1)) {
    if (first.shape.some((dim, i) => i !== at && dim !== other.shape[i])) {
      throw shapeError('Concat', `shapes differ beside axis ${at}`, first, other);
    }
  }
  const size = values.reduce((sum, value) => sum + fixed(value, at), 0);
  return apply(
    'Concat',
    values,
    first.shape.map((dim, i) => (i === at ? size : dim)),
    {
      attributes: { axis: at },
    },
  );
}

/** Elements `start` to `end` (excluded) along an axis, every `step`-th. */
export function slice(x: Value, axis: number, start: number, end: number, step = 1): Value {
  const at = axis < 0 ? axis + x.shape.length : axis;
  const length = fixed(x, at);
  if (start < 0 || end > length || start >= end) {
    throw shapeError('Slice', `${start} … ${end} is not inside axis ${at}`, x);
  }
  const size = Math.ceil((end - start) / step);
  return apply(
    'Slice',
    [x, ints([start]), ints([end]), ints([at]), ints([step])],
    x.shape.map((dim, i) => (i === at ? size : dim)),
  );
}

/** The order along an axis reversed. */
export function flip(x: Value, axis: number): Value {
  const at = axis < 0 ? axis + x.shape.length : axis;
  const length = fixed(x, at);
  return apply('Slice', [x, ints([length - 1]), ints([-length - 1]), ints([at]), ints([-1])], x.shape);
}

/** Parts of the given sizes along an axis. */
export function split(x: Value, sizes: readonly number[], axis: number): Value[] {
  const at = axis < 0 ? axis + x.shape.length : axis;
  if (sizes.reduce((a, b) => a + b, 0) !== x.shape[at]) throw shapeError('Split', `into ${sizes}`, x);
  const shapes = sizes.map((size) => x.shape.map((dim, i) => (i === at ? size : dim)));
  return applyMany('Split', [x, ints(sizes)], shapes, { attributes: { axis: at } });
}

/** `before` and `after` elements of `value` (or the border repeated, mirrored) added round each axis. */
export function pad(
  x: Value,
  before: readonly number[],
  after: readonly number[],
  { mode = 'constant', value = 0 }: { mode?: 'constant' | 'edge' | 'reflect'; value?: number } = {},
): Value {
  const shape = x.shape.map((dim, i): Dim => {
    const extra = before[i]! + after[i]!;
    return extra === 0 ? dim : fixed(x, i) + extra;
  });
  const inputs = [x, ints([...before, ...after]), ...(mode === 'constant' ? [scalar(value)] : [])];
  return apply('Pad', inputs, shape, { attributes: { mode } });
}

/** New axes of size 1 at the given places of the result. */
export function unsqueeze(x: Value, axes: readonly number[]): Value {
  const shape: Dim[] = [...x.shape];
  for (const axis of [...axes].sort((a, b) => a - b)) shape.splice(axis, 0, 1);
  return apply('Unsqueeze', [x, ints(axes)], shape);
}

/** Repeats axes of size 1 until the shape is reached. */
export function expand(x: Value, shape: readonly number[]): Value {
  return apply('Expand', [x, ints(shape)], shape);
}

/** Rows of x (along `axis`) in the order of `indices`. */
export function gather(x: Value, indices: readonly number[], axis: number): Value {
  const at = axis < 0 ? axis + x.shape.length : axis;
  const index = constant({
    dtype: 'int64',
    shape: [indices.length],
    data: BigInt64Array.from(indices, BigInt),
  });
  return apply(
    'Gather',
    [x, index],
    x.shape.map((dim, i) => (i === at ? indices.length : dim)),
    {
      attributes: { axis: at },
    },
  );
}

/**
 * Squares of `size` × `size` pixels folded into channels, in PyTorch's order (pixel_unshuffle).
 *
 * [B, C, H, W] → [B, C · size², H / size, W / size]; channel c · size² + row · size + column.
 */
export function pixelUnshuffle(x: Value, size: number): Value {
  const [batch, c, h, w] = [x.shape[0]!, fixed(x, 1), fixed(x, 2) / size, fixed(x, 3) / size];
  const squares = reshape(x, [batch, c, h, size, w, size]);
  return reshape(transpose(squares, [0, 1, 3, 5, 2, 4]), [batch, c * size * size, h, w]);
}

/** The inverse of {@link pixelUnshuffle}: [B, C · size², H, W] → [B, C, H · size, W · size]. */
export function pixelShuffle(x: Value, size: number): Value {
  const [batch, c, h, w] = [x.shape[0]!, fixed(x, 1) / (size * size), fixed(x, 2), fixed(x, 3)];
  const squares = reshape(x, [batch, c, size, size, h, w]);
  return reshape(transpose(squares, [0, 1, 4, 2, 5, 3]), [batch, c, h * size, w * size]);
}
