import { contentBox } from './content-box.ts';
import { type Image, image } from './image.ts';
import { roundHalfEven } from './rounding.ts';

// Small kernels that OpenCV takes from a table instead of the formula, without their common divisor.
const TABLE: Readonly<Record<number, readonly number[]>> = {
  1: [1],
  3: [1, 2, 1],
  5: [1, 4, 6, 4, 1],
  7: [1, 3.5, 7, 9, 7, 3.5, 1],
  9: [4, 13, 30, 51, 60, 51, 30, 13, 4],
};

/**
 * The weights of an odd number of taps in 256ths; their sum is 256.
 *
 * Formula: OpenCV's `getGaussianKernel` with sigma 0 (sigma = 0.15 × size + 0.35), then rounded from the outside
 * inward, each rounding error carried to the next weight.
 */
export function gaussianKernel(size: number): Int32Array {
  const real = TABLE[size] ?? gaussian(size);
  const total = real.reduce((sum, value) => sum + value, 0);
  const kernel = new Int32Array(size);
  const half = (size - 1) / 2;
  let rest = 256;
  let error = 0;
  for (let i = 0; i < half; i++) {
    const exact = (real[i]! / total) * 256 + error;
    const weight = roundHalfEven(exact);
    error = exact - weight;
    kernel[i] = weight;
    kernel[size - 1 - i] = weight;
    rest -= 2 * weight;
  }
  kernel[half] = rest;
  return kernel;
}

function gaussian(size: number): number[] {
  const sigma = 0.15 * size + 0.35;
  return Array.from({ length: size }, (_, i) => Math.exp((-0.125 / sigma ** 2) * (1 - size + 2 * i) ** 2));
}

/**
 * Blurs with a Gaussian of `size` × `size` taps (odd), equal to OpenCV's `GaussianBlur` with sigma 0 byte by
 * byte. At the borders the picture is mirrored without repeating the border pixel. Black surroundings cost
 * nothing, so a mask may lie in a large empty picture.
 *
 * @throws RangeError when `size` is even or not positive.
 */
export function gaussianBlur(source: Image, size: number): Image {
  if (size % 2 !== 1 || size < 1)
    throw new RangeError(`a blur needs an odd number of pixels, ${size} is none`);
  const { width, height, channels: n } = source;
  const result = image(width, height, n);
  const content = contentBox(source);
  if (content.x2 === content.x1) return result;
  const across = halfKernel(width === 1 ? 1 : size);
  const down = halfKernel(height === 1 ? 1 : size);
  const x1 = Math.max(0, content.x1 - across.length + 1);
  const x2 = Math.min(width, content.x2 + across.length - 1);
  const y1 = Math.max(0, content.y1 - down.length + 1);
  const y2 = Math.min(height, content.y2 + down.length - 1);

  const length = (x2 - x1) * n;
  const rows = content.y2 - content.y1;
  const sums = new Int32Array((rows + 1) * length); // the last row stays black
  const mirrored = new Int32Array(length + 2 * (across.length - 1) * n);
  const row = new Int32Array(length);
  const taps = { before: new Int32Array(across.length), after: new Int32Array(across.length) };
  for (let k = 0; k < across.length; k++) {
    taps.before[k] = (across.length - 1 - k) * n;
    taps.after[k] = (across.length - 1 + k) * n;
  }
  for (let y = content.y1; y < content.y2; y++) {
    mirrorRow(source, y, x1 - across.length + 1, x2 + across.length - 1, mirrored);
    weigh(mirrored, across, taps, row);
    sums.set(row, (y - content.y1) * length);
  }

  const lines = { before: new Int32Array(down.length), after: new Int32Array(down.length) };
  const start = (y: number) => (y >= content.y1 && y < content.y2 ? y - content.y1 : rows) * length;
  for (let y = y1; y < y2; y++) {
    for (let k = 0; k < down.length; k++) {
      lines.before[k] = start(mirror(y - k, height));
      lines.after[k] = start(mirror(y + k, height));
    }
    weigh(sums, down, lines, row);
    const at = (y * width + x1) * n;
    for (let i = 0; i < length; i++) result.data[at + i] = (row[i]! + 32768) >> 16;
  }
  return result;
}

/** The kernel from its centre outward, without the zeros at its end. */
function halfKernel(size: number): Int32Array {
  const half = gaussianKernel(size).subarray((size - 1) / 2);
  let length = half.length;
  while (half[length - 1] === 0) length--;
  return half.subarray(0, length);
}

/** Pixels `from` to `to` of a row, mirrored at its ends. */
function mirrorRow(
  { width, channels: n, data }: Image,
  y: number,
  from: number,
  to: number,
  row: Int32Array,
) {
  for (let x = from; x < to; x++) {
    const p = (y * width + mirror(x, width)) * n;
    for (let c = 0; c < n; c++) row[(x - from) * n + c] = data[p + c]!;
  }
}

function mirror(i: number, length: number): number {
  let at = i;
  while (at < 0 || at >= length) at = at < 0 ? -at : 2 * (length - 1) - at;
  return at;
}

/** Where the values begin that weight `k` of a half kernel is for, before and after the centre. */
interface Taps {
  readonly before: Int32Array;
  readonly after: Int32Array;
}

/**
 * out[i] = kernel[0] · source[before[0] + i] + Σ kernel[k] · (source[before[k] + i] + source[after[k] + i]).
 * Four weights at a time, as most of the time goes into reading and writing `out`.
 */
function weigh(source: Int32Array, kernel: Int32Array, { before, after }: Taps, out: Int32Array): void {
  const length = out.length;
  const centre = kernel[0]!;
  const start = before[0]!;
  for (let i = 0; i < length; i++) out[i] = Math.imul(centre, source[start + i]!);
  let k = 1;
  for (; k + 3 < kernel.length; k += 4) {
    const [w0, w1, w2, w3] = [kernel[k]!, kernel[k + 1]!, kernel[k + 2]!, kernel[k + 3]!];
    const [a0, a1, a2, a3] = [before[k]!, before[k + 1]!, before[k + 2]!, before[k + 3]!];
    const [b0, b1, b2, b3] = [after[k]!, after[k + 1]!, after[k + 2]!, after[k + 3]!];
    for (let i = 0; i < length; i++) {
      out[i] =
        (out[i]! +
          Math.imul(w0, source[a0 + i]! + source[b0 + i]!) +
          Math.imul(w1, source[a1 + i]! + source[b1 + i]!) +
          Math.imul(w2, source[a2 + i]! + source[b2 + i]!) +
          Math.imul(w3, source[a3 + i]! + source[b3 + i]!)) |
        0;
    }
  }
  for (; k < kernel.length; k++) {
    const w = kernel[k]!;
    const a = before[k]!;
    const b = after[k]!;
    for (let i = 0; i < length; i++) out[i] = out[i]! + Math.imul(w, source[a + i]! + source[b + i]!);
  }
}
