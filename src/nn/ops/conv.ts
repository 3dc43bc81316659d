/** Convolutions, pooling, resizing and matrix products. Pictures are [B, C, H, W]. */
import type { Dim, Value } from '../value.ts';
import { apply, constant, fixed, ints, product, shapeError } from '../value.ts';
import { broadcast } from './arithmetic.ts';
import { reshape } from './shape.ts';

/** Strides and edges of a convolution, by ONNX's names. */
export interface ConvOptions {
  /** One number for every axis, or one for each. Default 1. */
  stride?: number | readonly number[];
  /** One number for every side, or [top, left, bottom, right] (or [left, right] in one dimension). Default 0. */
  padding?: number | readonly number[];
  dilation?: number | readonly number[];
  groups?: number;
}

function perAxis(option: number | readonly number[] | undefined, axes: number, missing: number): number[] {
  if (option === undefined) return Array(axes).fill(missing);
  return typeof option === 'number' ? Array(axes).fill(option) : [...option];
}

function outputSize(
  op: string,
  x: Value,
  axis: number,
  parts: { kernel: number; stride: number; dilation: number; pads: number },
): number {
  const { kernel, stride, dilation, pads } = parts;
  const size = Math.floor((fixed(x, axis) + pads - dilation * (kernel - 1) - 1) / stride) + 1;
  if (size < 1) throw shapeError(op, `kernel ${kernel} is larger than the picture`, x);
  return size;
}

/**
 * Convolution (cross-correlation) over one or two axes.
 *
 * x: [B, C, ...], weight: [out, C / groups, ...kernel], bias: [out] → [B, out, ...]
 */
export function conv(x: Value, weight: Value, bias: Value | undefined, options: ConvOptions = {}): Value {
  const axes = weight.shape.length - 2;
  const stride = perAxis(options.stride, axes, 1);
  const dilation = perAxis(options.dilation, axes, 1);
  const pads = perAxis(options.padding, 2 * axes, 0);
  const groups = options.groups ?? 1;
  if (x.shape.length !== weight.shape.length || fixed(x, 1) !== fixed(weight, 1) * groups) {
    throw shapeError('Conv', `channels do not fit (groups ${groups})`, x, weight);
  }
  if (bias && bias.shape[0] !== weight.shape[0]) throw shapeError('Conv', 'bias does not fit', weight, bias);
  const kernel = weight.shape.slice(2).map(Number);
  const spatial = kernel.map((size, i) =>
    outputSize('Conv', x, i + 2, {
      kernel: size,
      stride: stride[i]!,
      dilation: dilation[i]!,
      pads: pads[i]! + pads[i + axes]!,
    }),
  );
  return apply('Conv', bias ? [x, weight, bias] : [x, weight], [x.shape[0]!, weight.shape[0]!, ...spatial], {
    attributes: { kernel_shape: kernel, strides: stride, dilations: dilation, pads, group: groups },
  });
}

/**
 * The transpose of {@link conv}: the gradient of its input.
 *
 * x: [B, in, H, W], weight: [in, out / groups, kh, kw] → [B, out, …]; size = (H − 1) · stride − pads + kernel + extra.
 */
export function convTranspose(
  x: Value,
  weight: Value,
  options: ConvOptions & { outputPadding?: readonly number[] } = {},
): Value {
  const axes = weight.shape.length - 2;
  const stride = perAxis(options.stride, axes, 1);
  const dilation = perAxis(options.dilation, axes, 1);
  const pads = perAxis(options.padding, 2 * axes, 0);
  const extra = options.outputPadding ?? Array(axes).fill(0);
  const groups = options.groups ?? 1;
  if (fixed(x, 1) !== fixed(weight, 0)) throw shapeError('ConvTranspose', 'channels do not fit', x, weight);
  const kernel = weight.shape.slice(2).map(Number);
  const spatial = kernel.map(
    (size, i) =>
      (fixed(x, i + 2) - 1) * stride[i]! -
      pads[i]! -
      pads[i + axes]! +
      dilation[i]! * (size - 1) +
      1 +
      extra[i]!,
  );
  return apply('ConvTranspose', [x, weight], [x.shape[0]!, fixed(weight, 1) * groups, ...spatial], {
    attributes: {
      kernel_shape: kernel,
      strides: stride,
      dilations: dilation,
      pads,
      output_padding: extra,
      group: groups,
    },
  });
}

interface PoolOptions {
  kernel: number;
  stride?: number;
  padding?: number;
}

function pool(op: string, x: Value, { kernel, stride = kernel, padding = 0 }: PoolOptions): Value {
  const spatial = [2, 3].map((axis) =>
    outputSize(op, x, axis, { kernel, stride, dilation: 1, pads: 2 * padding }),
  );
  return apply(op, [x], [x.shape[0]!, x.shape[1]!, ...spatial], {
    attributes: { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: Array(4).fill(padding) },
  });
}

/** The largest of each kernel × kernel square; the stride is the kernel unless given. */
export const maxPool = (x: Value, options: PoolOptions): Value => pool('MaxPool', x, options);

/** The mean of each kernel × kernel square, without padding. */
export const averagePool = (x: Value, options: PoolOptions): Value => pool('AveragePool', x, options);

/** Each pixel `factor` × `factor` times. */
export function upsampleNearest(x: Value, factor = 2): Value {
  return resize(x, fixed(x, 2) * factor, fixed(x, 3) * factor, {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  });
}

/** Nearest neighbour at any size: output d takes input floor(d · in / out), as PyTorch does. */
export function resizeNearest(x: Value, height: number, width: number): Value {
  return resize(x, height, width, {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  });
}

/** Bilinear, without antialiasing. `alignCorners` maps the corner pixels' centres onto each other. */
export function resizeBilinear(
  x: Value,
  height: number,
  width: number,
  { alignCorners = false } = {},
): Value {
  return resize(x, height, width, {
    mode: 'linear',
    coordinate_transformation_mode: alignCorners ? 'align_corners' : 'half_pixel',
  });
}

function resize(x: Value, height: number, width: number, attributes: Record<string, string>): Value {
  const shape = [x.shape[0]!, x.shape[1]!, height, width];
  const known = shape.every((dim) => typeof dim === 'number');
  if (known) return apply('Resize', [x, undefined, undefined, ints(shape)], shape, { attributes });
  // Where the batch is a name, only scales will do. ORT derives the size as floor(in · scale), so the float scale
  // is nudged up where rounding would lose a row.
  const scales = [height / fixed(x, 2), width / fixed(x, 3)].map((scale, i) => {
    const rounded = Math.fround(scale);
    const size = [height, width][i]!;
    return Math.floor(rounded * fixed(x, i + 2)) === size ? rounded : nextFloat(rounded);
  });
  const scale = constant({ dtype: 'float32', shape: [4], data: Float32Array.of(1, 1, ...scales) });
  return apply('Resize', [x, undefined, scale], shape, { attributes });
}

function nextFloat(value: number): number {
  const bits = new Int32Array(Float32Array.of(value).buffer);
  bits[0]! += 1;
  return new Float32Array(bits.buffer)[0]!;
}

/** Matrix product over the last two axes; the axes before them are broadcast. */
export function matmul(a: Value, b: Value): Value {
  if (a.shape.length < 2 || b.shape.length < 2 || a.shape.at(-1) !== b.shape.at(-2)) {
    throw shapeError('MatMul', 'inner sizes differ', a, b);
  }
  const outer = broadcast(
    'MatMul',
    { ...a, shape: a.shape.slice(0, -2) },
    { ...b, shape: b.shape.slice(0, -2) },
  );
  return apply('MatMul', [a, b], [...outer, a.shape.at(-2)!, b.shape.at(-1)!]);
}

/** a b (+ bias) for matrices, either of them transposed on the way. */
export function gemm(
  a: Value,
  b: Value,
  bias?: Value,
  { transA = false, transB = false }: { transA?: boolean; transB?: boolean } = {},
): Value {
  const [m, k] = transA ? [a.shape[1]!, a.shape[0]!] : [a.shape[0]!, a.shape[1]!];
  const [k2, n] = transB ? [b.shape[1]!, b.shape[0]!] : [b.shape[0]!, b.shape[1]!];
  if (a.shape.length !== 2 || b.shape.length !== 2 || k !== k2) {
    throw shapeError('Gemm', 'inner sizes differ', a, b);
  }
  return apply('Gemm', bias ? [a, b, bias] : [a, b], [m, n] as Dim[], {
    attributes: { transA: transA ? 1 : 0, transB: transB ? 1 : 0 },
  });
}

/**
 * x Wᵀ + bias over the last axis, the weight as checkpoints store it.
 *
 * x: [..., in], weight: [out, in], bias: [out] → [..., out]
 */
export function dense(x: Value, weight: Value, bias?: Value): Value {
  const out = fixed(weight, 0);
  if (x.shape.at(-1) !== weight.shape[1]) throw shapeError('Linear', 'inner sizes differ', x, weight);
  // Gemm takes the weight transposed as it lies, so nothing has to be copied at the start.
  if (x.shape.length === 2) return gemm(x, weight, bias, { transB: true });
  const rows = reshape(x, [product(x.shape.slice(0, -1)), x.shape.at(-1)!]);
  return reshape(gemm(rows, weight, bias, { transB: true }), [...x.shape.slice(0, -1), out]);
}
