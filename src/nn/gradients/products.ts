/** Derivatives of convolutions and matrix products: where training spends its time. */
import { full } from '../ops/arithmetic.ts';
import { conv, convTranspose, gemm, matmul } from '../ops/conv.ts';
import { sum } from '../ops/reduce.ts';
import { concat, pad, reshape, slice, split, transpose, transposeLast, unsqueeze } from '../ops/shape.ts';
import type { Attributes, Value } from '../value.ts';
import { apply, constant } from '../value.ts';
import { type GradientRule, integers, number, sizes, sumTo } from './rule.ts';

/** A product over the last two axes with either side transposed on the way (ONNX Runtime's FusedMatMul). */
function fusedMatMul(a: Value, b: Value, { transA = false, transB = false } = {}): Value {
  const outer = a.shape.slice(0, -2);
  return apply(
    'com.microsoft.FusedMatMul',
    [a, b],
    [...outer, a.shape.at(transA ? -1 : -2)!, b.shape.at(transB ? -2 : -1)!],
    { attributes: { transA: transA ? 1 : 0, transB: transB ? 1 : 0 } },
  );
}

/** y = a b: da = dy bᵀ, db = aᵀ dy, summed over broadcast axes. */
export const matmulGradients: GradientRule = (dy, [a, b]) => [
  sumTo(matmul(dy, transposeLast(b)), a.shape),
  sumTo(matmul(transposeLast(a), dy), b.shape),
];

/** y = a' b' + bias with a' and b' possibly transposed. */
export const gemmGradients: GradientRule = (dy, [a, b, bias], { attributes }) => {
  const [ta, tb] = [attributes.transA === 1, attributes.transB === 1];
  return [
    ta ? gemm(b, dy, undefined, { transA: tb, transB: true }) : gemm(dy, b, undefined, { transB: !tb }),
    tb ? gemm(dy, a, undefined, { transA: true, transB: ta }) : gemm(a, dy, undefined, { transA: !ta }),
    bias && sumTo(dy, bias.shape),
  ];
};

interface ConvShape {
  readonly stride: number[];
  readonly dilation: number[];
  /** Starts of all axes, then ends. */
  readonly padding: number[];
  readonly groups: number;
  /** Sizes of the kernel. */
  readonly kernel: number[];
}

function convShape(attributes: Attributes): ConvShape {
  return {
    stride: integers(attributes, 'strides'),
    dilation: integers(attributes, 'dilations'),
    padding: integers(attributes, 'pads'),
    groups: number(attributes, 'group', 1),
    kernel: integers(attributes, 'kernel_shape'),
  };
}

/** y = conv(x, w) + bias. */
export const convGradients: GradientRule = (dy, [x, w, bias], { attributes }) => {
  const shape = convShape(attributes);
  return [
    convInputGradient(dy, w, shape, sizes(x)),
    kernelGradient(x, dy, shape),
    bias && sum(dy, [0, ...spatialAxes(dy)]),
  ];
};

/** y = convTranspose(x, w): the roles of input and output of a convolution exchanged. */
export const convTransposeGradients: GradientRule = (dy, [x, w, bias], { attributes }) => {
  const { kernel: _, ...shape } = convShape(attributes);
  // A convolution of dy gives a size that ends at the last whole stride: that is x's own.
  return [
    conv(dy, w, undefined, shape),
    kernelGradient(dy, x, convShape(attributes)),
    bias && sum(dy, [0, ...spatialAxes(dy)]),
  ];
};

function spatialAxes(value: Value): number[] {
  return value.shape.slice(2).map((_, i) => i + 2);
}

/** The gradient of a convolution's input: dy spread by the kernel. */
function convInputGradient(dy: Value, w: Value, shape: ConvShape, target: number[]): Value {
  const { stride, dilation, padding, groups, kernel } = shape;
  const axes = kernel.length;
  const reach = kernel.map((size, i) => dilation[i]! * (size - 1));
  const opposite = padding.map((before, i) => reach[i % axes]! - before);
  const plain = stride.every((step) => step === 1) && opposite.every((before) => before >= 0);
  if (plain) {
    return conv(dy, turned(w, groups), undefined, { dilation, groups, padding: opposite });
  }
  const outputPadding = kernel.map((_, i) => {
    const last = target[i + 2]! + padding[i]! + padding[i + axes]! - reach[i]! - 1;
    return last % stride[i]!;
  });
  return convTranspose(dy, w, { stride, dilation, groups, padding, outputPadding });
}

/** The kernel mirrored in all axes, inputs and outputs exchanged: [O, C/g, …] → [C, O/g, …]. */
function turned(w: Value, groups: number): Value {
  const [out, inner, ...kernel] = sizes(w) as [number, number, ...number[]];
  const size = area(kernel);
  // A product with the mirrored unit matrix takes a fifth of the time of a slice with a negative step.
  const mirrored = size === 1 ? w : matmul(reshape(w, [out * inner, size]), mirror(size));
  const swapped = transpose(reshape(mirrored, [groups, out / groups, inner, size]), [0, 2, 1, 3]);
  return reshape(swapped, [groups * inner, out / groups, ...kernel]);
}

function mirror(size: number): Value {
  const data = Float32Array.from({ length: size * size }, (_, i) =>
    (i % size) + Math.floor(i / size) === size - 1 ? 1 : 0,
  );
  return constant({ dtype: 'float32', shape: [size, size], data });
}

/** Below so many positions a picture alone makes too thin a product, so the batch becomes one more axis of it. */
const THIN = 2048;

/**
 * The gradient of a convolution's kernel: dw[o, c, k] = Σ dy[o, p] · x[c, p · stride + k] over pictures and
 * positions p, as one matrix product of shifted copies.
 *
 * At stride 1 a shift down of x is a shift up of dy. So x is copied for the shifts along the last axis and dy for
 * the others: 3 + 3 copies for a 3×3 kernel instead of the 9 that im2col makes.
 */
function kernelGradient(x: Value, dy: Value, shape: ConvShape): Value {
  const [out, inner] = [sizes(dy)[1]!, sizes(x)[1]! / shape.groups];
  if (sizes(x)[0]! > 1 && area(sizes(dy).slice(2)) < THIN) {
    const flat = kernelGradient(batchAsAxis(x), batchAsAxis(dy), withFirstAxis(shape));
    return reshape(flat, [out, inner, ...shape.kernel]);
  }
  const { stride, kernel, groups } = shape;
  const axes = kernel.map((_, i) => i);
  const shared = stride.slice(0, -1).every((step) => step === 1);
  const [ofX, ofDy] = shared ? [axes.slice(-1), axes.slice(0, -1)] : [axes, []];

  const left = stacked(shiftsOfDy(dy, x, shape, ofDy), groups); // [B, g, O/g · k, P]
  const right = stacked(shiftsOfX(x, dy, shape, ofX), groups); // [B, g, C/g · k', P]
  const products = fusedMatMul(left, right, { transB: true }); // [B, g, O/g · k, C/g · k']
  const product = sizes(x)[0] === 1 ? products : sum(products, [0]);
  const [copies, rest] = [area(ofDy.map((i) => kernel[i]!)), area(ofX.map((i) => kernel[i]!))];
  // [out, copies, inner, rest] → [out, inner, copies, rest]; a transpose of so short rows takes twice the time.
  const whole = reshape(product, [out, copies, inner * rest]);
  const parts = copies === 1 ? [whole] : split(whole, Array(copies).fill(1), 1);
  const inOrder = parts.map((part) => reshape(part, [out, inner, 1, rest]));
  return reshape(copies === 1 ? inOrder[0]! : concat(inOrder, 2), [out, inner, ...kernel]);
}

/** [B, C, …] → [1, C, B, …] */
function batchAsAxis(x: Value): Value {
  const order = x.shape.map((_, i) => i);
  return unsqueeze(transpose(x, [1, 0, ...order.slice(2)]), [0]);
}

function withFirstAxis({ stride, dilation, padding, groups, kernel }: ConvShape): ConvShape {
  const axes = kernel.length;
  return {
    stride: [1, ...stride],
    dilation: [1, ...dilation],
    padding: [0, ...padding.slice(0, axes), 0, ...padding.slice(axes)],
    groups,
    kernel: [1, ...kernel],
  };
}

/** x as each place of the kernel along `axes` sees it; along the other axes as it is. */
function shiftsOfX(x: Value, dy: Value, shape: ConvShape, axes: readonly number[]): Value[] {
  const { stride, dilation, padding, kernel } = shape;
  const before = x.shape.map(() => 0);
  const after = x.shape.map(() => 0);
  for (const axis of axes) {
    before[axis + 2] = padding[axis]!;
    after[axis + 2] = padding[kernel.length + axis]!;
  }
  const padded = [...before, ...after].some((extra) => extra > 0) ? pad(x, before, after) : x;
  return places(kernel, axes).map((place) =>
    axes.reduce((part, axis, i) => {
      const start = place[i]! * dilation[axis]!;
      const end = start + (sizes(dy)[axis + 2]! - 1) * stride[axis]! + 1;
      if (start === 0 && end === part.shape[axis + 2]) return part;
      return slice(part, axis + 2, start, end, stride[axis]!);
    }, padded),
  );
}

/** dy moved to where each place of the kernel along `axes` looks in x; what would look beyond x falls away. */
function shiftsOfDy(dy: Value, x: Value, shape: ConvShape, axes: readonly number[]): Value[] {
  const { dilation, padding, kernel } = shape;
  return places(kernel, axes).map((place) =>
    axes.reduce((part, axis, i) => {
      const shift = place[i]! * dilation[axis]! - padding[axis]!;
      return shifted(part, axis + 2, shift, sizes(x)[axis + 2]!);
    }, dy),
  );
}

/** Element i of the result is element i − shift of x, or zero where there is none. */
function shifted(x: Value, axis: number, shift: number, size: number): Value {
  const length = sizes(x)[axis]!;
  const [start, end] = [Math.max(0, -shift), Math.min(length, size - shift)];
  if (end <= start)
    return full(
      x.shape.map((dim, i) => (i === axis ? size : Number(dim))),
      0,
    );
  const part = start === 0 && end === length ? x : slice(x, axis, start, end);
  const extra = (count: number) => x.shape.map((_, i) => (i === axis ? count : 0));
  const [before, after] = [Math.max(0, shift), Math.max(0, size - shift - length)];
  return before === 0 && after === 0 ? part : pad(part, extra(before), extra(after));
}

/** Every place of a kernel, in C order, given along some of its axes. */
function places(kernel: readonly number[], axes: readonly number[]): number[][] {
  return axes.reduce<number[][]>(
    (all, axis) => all.flatMap((place) => Array.from({ length: kernel[axis]! }, (_, k) => [...place, k])),
    [[]],
  );
}

/** Copies of [B, C, …] one below the other for each channel, as matrices: [B, g, C/g · copies, positions]. */
function stacked(copies: readonly Value[], groups: number): Value {
  const [batch, channels, ...spatial] = sizes(copies[0]!) as [number, number, ...number[]];
  const joined =
    copies.length === 1
      ? copies[0]!
      : concat(
          copies.map((copy) => unsqueeze(copy, [2])),
          2,
        );
  return reshape(joined, [batch, groups, (channels / groups) * copies.length, area(spatial)]);
}

function area(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}
