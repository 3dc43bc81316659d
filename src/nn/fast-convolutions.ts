/**
 * Wide 3×3 convolutions with fewer multiplications, written as plain operators. The results differ from the plain
 * graph by rounding only, and the kernels are derived from the original ones by constant operators, which ONNX
 * Runtime computes once when it loads the graph.
 *
 * For inference on processors: it makes the decoder of the autoencoder half as fast again. Kernels grow (by 16/9 or
 * by 4), so networks whose weights fill the memory are better left plain, and graphs that are trained must be.
 */
import { add } from './ops/arithmetic.ts';
import { conv, matmul } from './ops/conv.ts';
import { concat, reshape, slice, transpose, unsqueeze } from './ops/shape.ts';
import { rewrite } from './rewrite.ts';
import type { Node, Value } from './value.ts';
import { constant, fixed, numbersOf, product } from './value.ts';

/** The same outputs, computed with {@link subPixelConvolution} and {@link winogradConvolution} where they pay. */
export function withFastConvolutions<K extends string>(
  outputs: Readonly<Record<K, Value>>,
): Record<K, Value> {
  return rewrite(outputs, (node, [x, weight, bias]) => {
    if (!isPlain3x3(node) || !x || !weight || !isConstant(weight)) return undefined;
    const small = doubled(x);
    if (small) return [subPixelConvolution(small, weight, bias)];
    return winogradPays(x, weight) ? [winogradConvolution(x, weight, bias)] : undefined;
  });
}

/** A 3×3 convolution that keeps the picture's size and sees every channel. */
function isPlain3x3({ op, attributes }: Node): boolean {
  const wanted = { kernel_shape: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], group: 1 };
  return (
    op === 'Conv' &&
    Object.entries(wanted).every(([name, attribute]) => String(attributes[name]) === String(attribute))
  );
}

/** Whether a value is known when the graph is loaded. */
function isConstant({ source }: Value): boolean {
  if (source.kind !== 'node') return source.kind === 'constant';
  return source.node.inputs.every((input) => input === undefined || isConstant(input));
}

/** What x is the nearest-neighbour doubling of, if it is one. */
function doubled({ source }: Value): Value | undefined {
  if (source.kind !== 'node' || source.node.op !== 'Resize') return undefined;
  const { inputs, attributes } = source.node;
  const [small, , scales] = inputs;
  const nearest = attributes.mode === 'nearest' && attributes.nearest_mode === 'floor';
  const twice = scales && String(numbersOf(scales)) === '1,1,2,2';
  return nearest && twice ? small : undefined;
}

/**
 * A 3×3 convolution (padding 1) of a picture that was doubled by nearest neighbour, without making that picture:
 * each of the four phases of the result is a 2×2 convolution of the small one, 4/9 of the multiplications. Where
 * two taps of the kernel fall on the same small pixel they are added.
 *
 * x: [B, C, H, W], weight: [out, C, 3, 3], bias: [out] → [B, out, 2 H, 2 W]
 */
function subPixelConvolution(x: Value, weight: Value, bias: Value | undefined): Value {
  const [batch, out, height, width] = [x.shape[0]!, fixed(weight, 0), fixed(x, 2), fixed(x, 3)];
  const rows = [0, 1].map((p) => {
    const phases = [0, 1].map((q) => {
      const kernel = mergeTaps(mergeTaps(weight, 2, p), 3, q);
      return unsqueeze(conv(x, kernel, bias, { padding: [1 - p, 1 - q, p, q] }), [4]);
    });
    return reshape(concat(phases, 4), [batch, out, height, 1, 2 * width]);
  });
  return reshape(concat(rows, 3), [batch, out, 2 * height, 2 * width]);
}

/** Three taps along an axis as the two that the even (0) or odd (1) phase needs: a, b + c or a + b, c. */
function mergeTaps(weight: Value, axis: number, phase: number): Value {
  const [a, b, c] = [0, 1, 2].map((i) => slice(weight, axis, i, i + 1)) as [Value, Value, Value];
  return concat(phase === 0 ? [a, add(b, c)] : [add(a, b), c], axis);
}

/*
 * Winograd's F(4×4, 3×3): tiles of 6×6 pixels give 4×4 results with 36 multiplications per channel instead of 144.
 * One-dimensional: y = Aᵀ [(G g) ⊙ (Bᵀ d)]; in two dimensions each matrix is applied to rows and columns.
 * Source: Lavin and Gray 2015, "Fast Algorithms for Convolutional Neural Networks", section 4.
 */
const B_T = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
];
const G = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
];
const A_T = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
];

/** Results along a side of a tile, and numbers of a transformed tile. */
const TILE = 4;
const TRANSFORMED = 36;

/** Measured on AVX-512: below this width the transforms cost more than the multiplications they save. */
const FEWEST_CHANNELS = 256;
const FEWEST_RESULTS = 128;
/** Small pictures gain little for kernels of four times the size. */
const FEWEST_PIXELS = 64 * 64;
/** Transformed numbers held at once, for each picture of a batch: 80 MB. A larger picture is done in strips. */
const MOST_TRANSFORMED = 20e6;

function winogradPays(x: Value, weight: Value): boolean {
  const [channels, height, width] = [fixed(x, 1), fixed(x, 2), fixed(x, 3)];
  return (
    channels >= FEWEST_CHANNELS &&
    fixed(weight, 0) >= FEWEST_RESULTS &&
    height * width >= FEWEST_PIXELS &&
    height % TILE === 0 &&
    width % TILE === 0
  );
}

/**
 * A 3×3 convolution (padding 1) by Winograd's F(4×4, 3×3); H and W are multiples of 4.
 *
 * x: [B, C, H, W], weight: [out, C, 3, 3], bias: [out] → [B, out, H, W]
 */
function winogradConvolution(x: Value, weight: Value, bias: Value | undefined): Value {
  const out = fixed(weight, 0);
  const kernels = transformedKernels(weight);
  const strips = stripsOf(x).map(({ start, end }) => winogradStrip(x, kernels, start, end));
  const result = strips.length === 1 ? strips[0]! : concat(strips, 2);
  return bias ? add(result, reshape(bias, [1, out, 1, 1])) : result;
}

/** Rows of the picture in equal strips of whole tiles, as few as the memory allows. */
function stripsOf(x: Value): { start: number; end: number }[] {
  const [height, width] = [fixed(x, 2), fixed(x, 3)];
  const numbers = (fixed(x, 1) * height * width * TRANSFORMED) / TILE ** 2;
  const tileRows = height / TILE;
  const rows = Math.max(1, Math.floor(tileRows / Math.ceil(numbers / MOST_TRANSFORMED))) * TILE;
  return Array.from({ length: Math.ceil(height / rows) }, (_, i) => ({
    start: i * rows,
    end: Math.min(height, (i + 1) * rows),
  }));
}

/** G g Gᵀ of every kernel: [36, out, C]. */
function transformedKernels(weight: Value): Value {
  const [out, channels] = [fixed(weight, 0), fixed(weight, 1)];
  const taps = reshape(transpose(weight, [2, 3, 0, 1]), [9, out * channels]);
  return reshape(matmul(matrix(kronecker(G, G)), taps), [TRANSFORMED, out, channels]);
}

/** Rows `start` to `end` of the result. */
function winogradStrip(x: Value, kernels: Value, start: number, end: number): Value {
  const [batch, channels, height, width] = [x.shape[0]!, fixed(x, 1), fixed(x, 2), fixed(x, 3)];
  const out = fixed(kernels, 1);
  const [down, across] = [(end - start) / TILE, width / TILE];
  const tiles = down * across;

  // Bᵀ d B is a convolution of each channel with 36 fixed kernels, a tile apart.
  const [above, below] = [start === 0 ? 1 : 0, end === height ? 1 : 0];
  const rows = start === 0 && end === height ? x : slice(x, 2, start - 1 + above, end + 1 - below);
  const single = reshape(rows, [product([batch, channels]), 1, fixed(rows, 2), width]);
  let h = conv(single, inputKernels(), undefined, { stride: TILE, padding: [above, 1, below, 1] });
  h = transpose(reshape(h, [batch, channels, TRANSFORMED, tiles]), [0, 2, 1, 3]); // [B, 36, C, tiles]

  h = matmul(kernels, h); // [B, 36, out, tiles]

  // Aᵀ m A gives the 4×4 results of each tile, which then go to their places.
  h = matmul(matrix(kronecker(A_T, A_T)), reshape(h, [batch, TRANSFORMED, out * tiles]));
  h = transpose(reshape(h, [batch, TILE, TILE, out, down, across]), [0, 3, 4, 1, 5, 2]);
  return reshape(h, [batch, out, end - start, width]);
}

function inputKernels(): Value {
  const numbers = Float32Array.from(kronecker(B_T, B_T).flat());
  return constant({ dtype: 'float32', shape: [TRANSFORMED, 1, 6, 6], data: numbers });
}

function matrix(rows: readonly (readonly number[])[]): Value {
  const shape = [rows.length, rows[0]!.length];
  return constant({ dtype: 'float32', shape, data: Float32Array.from(rows.flat()) });
}

/** The matrix that applies `a` to rows and `b` to columns of what is read row by row. */
function kronecker(a: readonly number[][], b: readonly number[][]): number[][] {
  return a.flatMap((rowA) => b.map((rowB) => rowA.flatMap((x) => rowB.map((y) => x * y))));
}
