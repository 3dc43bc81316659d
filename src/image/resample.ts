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
  const stride = width * n;
  // Only the rows that some output row looks at are scaled.
  const firstRow = down.first.reduce((least, first) => Math.min(least, first));
  const lastRow = down.first.reduce((most, first, d) => Math.max(most, first + down.count[d]!), 0);
  const rows = new Float32Array((lastRow - firstRow) * stride);
  for (let row = firstRow; row < lastRow; row++) {
    const part = rows.subarray((row - firstRow) * stride, (row - firstRow + 1) * stride);
    const from = row * source.width * n;
    if (n === 3) scaleRgbRow(source.data, from, across, part);
    else if (n === 1) scaleGreyRow(source.data, from, across, part);
    else scaleRow(source.data, from, n, across, part);
  }
  const result = image(width, height, n);
  const sums = new Float32Array(stride);
  for (let d = 0; d < height; d++) {
    sumRows(rows, (down.first[d]! - firstRow) * stride, down, d, sums);
    const to = d * stride;
    for (let i = 0; i < stride; i++) {
      const value = sums[i]!;
      result.data[to + i] = value < 0 ? 0 : Math.min(value, 255);
    }
  }
  return result;
}

function scaleRgbRow(
  data: Uint8Array,
  from: number,
  { first, count, weights, most }: Taps,
  row: Float32Array,
) {
  for (let d = 0; d < count.length; d++) {
    let p = from + first[d]! * 3;
    let red = 0;
    let green = 0;
    let blue = 0;
    const end = d * most + count[d]!;
    for (let w = d * most; w < end; w++, p += 3) {
      const weight = weights[w]!;
      red += weight * data[p]!;
      green += weight * data[p + 1]!;
      blue += weight * data[p + 2]!;
    }
    row[3 * d] = red;
    row[3 * d + 1] = green;
    row[3 * d + 2] = blue;
  }
}

function scaleGreyRow(
  data: Uint8Array,
  from: number,
  { first, count, weights, most }: Taps,
  row: Float32Array,
) {
  for (let d = 0; d < count.length; d++) {
    let sum = 0;
    let p = from + first[d]!;
    const end = d * most + count[d]!;
    for (let w = d * most; w < end; w++, p++) sum += weights[w]! * data[p]!;
    row[d] = sum;
  }
}

function scaleRow(
  data: Uint8Array,
  from: number,
  n: number,
  { first, count, weights, most }: Taps,
  row: Float32Array,
) {
  for (let d = 0; d < count.length; d++) {
    for (let c = 0; c < n; c++) {
      let sum = 0;
      for (let t = 0; t < count[d]!; t++)
        sum += weights[d * most + t]! * data[from + (first[d]! + t) * n + c]!;
      row[d * n + c] = sum;
    }
  }
}

/** The weighted sum of the rows that output row `d` looks at, the first of which begins at `from`, and a half. */
function sumRows(
  rows: Float32Array,
  from: number,
  { weights, count, most }: Taps,
  d: number,
  sums: Float32Array,
) {
  const stride = sums.length;
  const end = d * most + count[d]!;
  let w = d * most;
  let a = from;
  sums.fill(0.5);
  // Four rows at a time, as most of the time goes into reading and writing the sums.
  for (; w + 3 < end; w += 4, a += 4 * stride) {
    const [b, c, e] = [a + stride, a + 2 * stride, a + 3 * stride];
    const [w0, w1, w2, w3] = [weights[w]!, weights[w + 1]!, weights[w + 2]!, weights[w + 3]!];
    for (let i = 0; i < stride; i++) {
      sums[i]! += w0 * rows[a + i]! + w1 * rows[b + i]! + w2 * rows[c + i]! + w3 * rows[e + i]!;
    }
  }
  for (; w < end; w++, a += stride) {
    const weight = weights[w]!;
    for (let i = 0; i < stride; i++) sums[i]! += weight * rows[a + i]!;
  }
}

interface Taps {
  readonly first: Int32Array;
  readonly count: Int32Array;
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
  const first = new Int32Array(size);
  const count = new Int32Array(size);
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
    first[d] = from;
    count[d] = to - from + 1;
  }
  return { first, count, weights, most };
}

function cubic(value: number): number {
  const x = Math.abs(value);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}
