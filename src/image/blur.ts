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

  const sums: Int32Array[] = [];
  const mirrored = new Int32Array((x2 - x1 + 2 * across.length) * n);
  for (let y = content.y1; y < content.y2; y++) {
    mirrorRow(source, y, x1 - across.length + 1, x2 + across.length - 1, mirrored);
    sums.push(blurRow(mirrored, across, n, (x2 - x1) * n));
  }
  for (let y = y1; y < y2; y++) {
    const row = blurColumn(sums, content.y1, height, down, y, (x2 - x1) * n);
    const at = (y * width + x1) * n;
    for (let i = 0; i < row.length; i++) result.data[at + i] = (row[i]! + 32768) >> 16;
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

function blurRow(row: Int32Array, kernel: Int32Array, n: number, length: number): Int32Array {
  const sums = new Int32Array(length);
  const centre = (kernel.length - 1) * n;
  for (let i = 0; i < length; i++) {
    let left = centre + i;
    let right = left;
    let sum = kernel[0]! * row[left]!;
    for (let k = 1; k < kernel.length; k++) {
      left -= n;
      right += n;
      sum += Math.imul(kernel[k]!, row[left]! + row[right]!);
    }
    sums[i] = sum;
  }
  return sums;
}

/** Output row `y`, from sums that begin at row `top`; rows that are not there are black. */
function blurColumn(
  sums: readonly Int32Array[],
  top: number,
  height: number,
  kernel: Int32Array,
  y: number,
  length: number,
): Int32Array {
  const out = new Int32Array(length);
  const add = (row: Int32Array | undefined, weight: number) => {
    if (!row) return;
    for (let i = 0; i < length; i++) out[i] = out[i]! + Math.imul(row[i]!, weight);
  };
  add(sums[y - top], kernel[0]!);
  for (let k = 1; k < kernel.length; k++) {
    const weight = kernel[k]!;
    const upper = sums[mirror(y - k, height) - top];
    const lower = sums[mirror(y + k, height) - top];
    if (upper && lower) {
      for (let i = 0; i < length; i++) out[i] = out[i]! + Math.imul(upper[i]! + lower[i]!, weight);
    } else {
      add(upper ?? lower, weight);
    }
  }
  return out;
}
