import type { Image } from './image.ts';
import { image } from './image.ts';

/** Along one axis: the middle of output pixel `d` falls on `start + (d + ½) · step` of the source, in pixels. */
export interface Axis {
  readonly start: number;
  readonly step: number;
}

/**
 * Cuts, shifts and scales along both axes at once, with fractions of a pixel: bicubic, and antialiased where it
 * shrinks. Outside the source its border is repeated.
 *
 * Formula: Pillow's BICUBIC (a = −½, the kernel stretched by the scale when shrinking), in floating point.
 */
export function resample(source: Image, x: Axis, y: Axis, width: number, height: number): Image {
  const across = tapsOf(x, width, source.width);
  const down = tapsOf(y, height, source.height);
  const n = source.channels;
  // Only the rows that some output row looks at are scaled.
  const firstRow = Math.min(...down.first);
  const lastRow = Math.max(...down.first.map((first, d) => first + down.count[d]!));
  const rows = new Float32Array((lastRow - firstRow) * width * n);
  for (let row = firstRow; row < lastRow; row++) {
    const from = row * source.width * n;
    const to = (row - firstRow) * width * n;
    for (let d = 0; d < width; d++) {
      const taps = across.count[d]!;
      const at = from + across.first[d]! * n;
      for (let c = 0; c < n; c++) {
        let sum = 0;
        for (let t = 0; t < taps; t++)
          sum += across.weights[d * across.most + t]! * source.data[at + t * n + c]!;
        rows[to + d * n + c] = sum;
      }
    }
  }
  const result = image(width, height, n);
  const stride = width * n;
  const sums = new Float32Array(stride);
  for (let d = 0; d < height; d++) {
    sums.fill(0.5);
    for (let t = 0; t < down.count[d]!; t++) {
      const weight = down.weights[d * down.most + t]!;
      const from = (down.first[d]! + t - firstRow) * stride;
      for (let i = 0; i < stride; i++) sums[i]! += weight * rows[from + i]!;
    }
    const to = d * stride;
    for (let i = 0; i < stride; i++) {
      const value = sums[i]!;
      result.data[to + i] = value < 0 ? 0 : Math.min(value, 255);
    }
  }
  return result;
}

interface Taps {
  readonly first: number[];
  readonly count: number[];
  /** Weights of each output pixel, `most` apart. */
  readonly weights: Float32Array;
  readonly most: number;
}

const SUPPORT = 2;

function tapsOf({ start, step }: Axis, size: number, sourceSize: number): Taps {
  const stretch = Math.max(step, 1);
  const reach = SUPPORT * stretch;
  const most = Math.ceil(2 * reach) + 2;
  const weights = new Float32Array(size * most);
  const first: number[] = [];
  const count: number[] = [];
  for (let d = 0; d < size; d++) {
    const centre = Math.min(Math.max(start + (d + 0.5) * step, 0), sourceSize);
    const from = Math.max(Math.ceil(centre - reach - 0.5), 0);
    const to = Math.min(Math.floor(centre + reach - 0.5), sourceSize - 1);
    let sum = 0;
    for (let i = from; i <= to; i++) {
      const weight = cubic((i + 0.5 - centre) / stretch);
      weights[d * most + i - from] = weight;
      sum += weight;
    }
    for (let t = 0; t <= to - from; t++) weights[d * most + t]! /= sum;
    first.push(from);
    count.push(to - from + 1);
  }
  return { first, count, weights, most };
}

function cubic(value: number): number {
  const x = Math.abs(value);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}
