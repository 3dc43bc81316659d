import type { Box } from '../core/box.ts';
import { type Image, image } from './image.ts';
import { crop } from './paste.ts';
import { roundHalfEven } from './rounding.ts';

/** `linear` looks at 2 × 2 pixels, `lanczos4` at 8 × 8. Neither widens its window when shrinking. */
export type ResizeFilter = 'linear' | 'lanczos4';

/** Positions and weights of a resize. Make it once, use it for every picture of these sizes. */
export interface ResizePlan {
  readonly filter: ResizeFilter;
  readonly columns: Axis;
  readonly rows: Axis;
}

/** One direction: output `d` reads `taps` source pixels from `first[d]` on, weighted in 2048ths. */
interface Axis {
  readonly from: number;
  readonly to: number;
  readonly first: Int32Array;
  readonly weights: Int32Array;
}

/**
 * Prepares to resize pictures of `fromWidth` × `fromHeight` pixels to `width` × `height`, as OpenCV's
 * `resize` does for 8-bit pictures.
 */
export function resizePlan(
  fromWidth: number,
  fromHeight: number,
  width: number,
  height: number,
  filter: ResizeFilter,
): ResizePlan {
  if (filter === 'lanczos4')
    return { filter, columns: lanczosAxis(fromWidth, width), rows: lanczosAxis(fromHeight, height) };
  return { filter, columns: stopAtEdges(linearAxis(fromWidth, width)), rows: linearAxis(fromHeight, height) };
}

/**
 * The picture in the plan's size, equal to OpenCV 4.14's result byte by byte. Of the output only `region` is
 * computed (default: all of it); it must lie inside the output.
 *
 * @throws RangeError when the picture has not the size that the plan was made for.
 */
export function resize(source: Image, plan: ResizePlan, region?: Box): Image {
  const { filter, columns, rows } = plan;
  if (source.width !== columns.from || source.height !== rows.from) {
    throw new RangeError(
      `a plan for ${columns.from}×${rows.from} pixels cannot resize ${source.width}×${source.height}`,
    );
  }
  const part = region ?? { x1: 0, y1: 0, x2: columns.to, y2: rows.to };
  if (columns.from === columns.to && rows.from === rows.to) return crop(source, part);
  if (filter === 'lanczos4') return resizeByLanczos(source, plan, part);
  // Upstream: OpenCV takes plain means of 2 × 2 pixels when both sides are exactly halved.
  if (columns.from === 2 * columns.to && rows.from === 2 * rows.to) return halve(source, part);
  return resizeByLines(source, plan, part);
}

/** `cv2.resize(…, INTER_LANCZOS4)`: how MuseTalk brings a cropped face to 256 × 256. */
export function resizeLanczos4(source: Image, width: number, height: number): Image {
  return resize(source, resizePlan(source.width, source.height, width, height, 'lanczos4'));
}

/** `cv2.resize(…)` with its default, linear interpolation: how a generated face is brought to its box. */
export function resizeLinear(source: Image, width: number, height: number): Image {
  return resize(source, resizePlan(source.width, source.height, width, height, 'linear'));
}

/** Where output `d` falls in the source: the pixel `s` at or before it and the fraction `t` after that, as float32. */
function position(d: number, from: number, to: number): { s: number; t: number } {
  const scale = 1 / (to / from);
  const f = Math.fround((d + 0.5) * scale - 0.5);
  const s = Math.floor(f);
  return { s, t: Math.fround(f - s) };
}

function linearAxis(from: number, to: number): Axis {
  const first = new Int32Array(to);
  const weights = new Int32Array(2 * to);
  for (let d = 0; d < to; d++) {
    const { s, t } = position(d, from, to);
    first[d] = s;
    weights[2 * d] = roundHalfEven(Math.fround(Math.fround(1 - t) * 2048));
    weights[2 * d + 1] = roundHalfEven(Math.fround(t * 2048));
  }
  return { from, to, first, weights };
}

/** Columns beyond the first and last pixel take that pixel alone; rows blend it with itself, which truncates. */
function stopAtEdges(axis: Axis): Axis {
  const { from, to, first, weights } = axis;
  for (let d = 0; d < to; d++) {
    if (first[d]! >= 0 && first[d]! < from - 1) continue;
    first[d] = first[d]! < 0 ? 0 : from - 1;
    weights[2 * d] = 2048;
    weights[2 * d + 1] = 0;
  }
  return axis;
}

// sin((i − 3 − t)·π/4) for the eight taps, as factors of sin and cos of the first.
const R = Math.SQRT1_2;
const SIN_FACTORS = [1, -R, 0, R, -1, R, 0, -R];
const COS_FACTORS = [0, -R, 1, -R, 0, R, -1, R];

function lanczosAxis(from: number, to: number): Axis {
  const first = new Int32Array(to);
  const weights = new Int32Array(8 * to);
  for (let d = 0; d < to; d++) {
    const { s, t } = position(d, from, to);
    first[d] = s - 3;
    weights.set(lanczosWeights(t), 8 * d);
  }
  return { from, to, first, weights };
}

/** The eight weights in 2048ths; like OpenCV's they need not sum to 2048. */
function lanczosWeights(t: number): number[] {
  const start = Math.fround(t + 3);
  const y0 = (-start * Math.PI) / 4;
  const sin = Math.sin(y0);
  const cos = Math.cos(y0);
  let sum = 0;
  const w = SIN_FACTORS.map((factor, i) => {
    const u = Math.fround(start - i);
    const y = (-u * Math.PI) / 4;
    // At a tap itself the quotient is 0/0; a huge weight outgrows the others before the division by the sum.
    const weight =
      Math.abs(u) >= 1e-6 ? Math.fround((factor * sin + COS_FACTORS[i]! * cos) / (y * y)) : Math.fround(1e30);
    sum = Math.fround(sum + weight);
    return weight;
  });
  const inverse = Math.fround(1 / sum);
  return w.map((weight) => roundHalfEven(Math.fround(Math.fround(weight * inverse) * 2048)));
}

/** Copies row `y` of the source into `row`, its first and last pixel repeated `pad` times outward. */
function padRow(source: Image, y: number, pad: number, row: Uint8Array): void {
  const { width, channels, data } = source;
  const start = y * width * channels;
  const length = width * channels;
  row.set(data.subarray(start, start + length), pad * channels);
  for (let i = 0; i < pad * channels; i++) {
    row[i] = data[start + (i % channels)]!;
    row[pad * channels + length + i] = data[start + length - channels + (i % channels)]!;
  }
}

function resizeByLanczos(source: Image, { columns, rows }: ResizePlan, part: Box): Image {
  const n = source.channels;
  const result = image(part.x2 - part.x1, part.y2 - part.y1, n);
  const length = result.width * n;
  const padded = new Uint8Array((source.width + 8) * n);
  // Sums of both passes can leave 32 bits, hence doubles. Source row y lives in lines[y % 8].
  const lines = Array.from({ length: 8 }, () => new Float64Array(length));
  const held = new Int32Array(8).fill(-1);

  for (let y = part.y1; y < part.y2; y++) {
    const taps: Float64Array[] = [];
    for (let i = 0; i < 8; i++) {
      const from = Math.min(Math.max(rows.first[y]! + i, 0), rows.from - 1);
      const line = lines[from & 7]!;
      if (held[from & 7] !== from) {
        padRow(source, from, 4, padded);
        lanczosAcross(padded, n, columns, part, line);
        held[from & 7] = from;
      }
      taps.push(line);
    }
    lanczosDown(taps, rows.weights, 8 * y, result.data, (y - part.y1) * length);
  }
  return result;
}

function lanczosAcross(
  row: Uint8Array,
  n: number,
  { first, weights }: Axis,
  part: Box,
  out: Float64Array,
): void {
  let at = 0;
  for (let x = part.x1; x < part.x2; x++) {
    const w0 = weights[8 * x]!;
    const w1 = weights[8 * x + 1]!;
    const w2 = weights[8 * x + 2]!;
    const w3 = weights[8 * x + 3]!;
    const w4 = weights[8 * x + 4]!;
    const w5 = weights[8 * x + 5]!;
    const w6 = weights[8 * x + 6]!;
    const w7 = weights[8 * x + 7]!;
    let p = (first[x]! + 4) * n;
    for (let c = 0; c < n; c++, p++) {
      out[at++] =
        row[p]! * w0 +
        row[p + n]! * w1 +
        row[p + 2 * n]! * w2 +
        row[p + 3 * n]! * w3 +
        row[p + 4 * n]! * w4 +
        row[p + 5 * n]! * w5 +
        row[p + 6 * n]! * w6 +
        row[p + 7 * n]! * w7;
    }
  }
}

function lanczosDown(taps: Float64Array[], weights: Int32Array, w: number, out: Uint8Array, at: number) {
  const [r0, r1, r2, r3, r4, r5, r6, r7] = taps as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const w0 = weights[w]!;
  const w1 = weights[w + 1]!;
  const w2 = weights[w + 2]!;
  const w3 = weights[w + 3]!;
  const w4 = weights[w + 4]!;
  const w5 = weights[w + 5]!;
  const w6 = weights[w + 6]!;
  const w7 = weights[w + 7]!;
  for (let i = 0; i < r0.length; i++) {
    const sum =
      r0[i]! * w0 +
      r1[i]! * w1 +
      r2[i]! * w2 +
      r3[i]! * w3 +
      r4[i]! * w4 +
      r5[i]! * w5 +
      r6[i]! * w6 +
      r7[i]! * w7;
    const value = sum / 4194304 + 0.5;
    out[at + i] = Math.max(0, Math.min(value, 255));
  }
}

function resizeByLines(source: Image, { columns, rows }: ResizePlan, part: Box): Image {
  const n = source.channels;
  const result = image(part.x2 - part.x1, part.y2 - part.y1, n);
  const length = result.width * n;
  const padded = new Uint8Array((source.width + 2) * n);
  const lines = [new Int32Array(length), new Int32Array(length)] as const;
  const held = [-1, -1];

  const line = (row: number): Int32Array => {
    const from = Math.min(Math.max(row, 0), rows.from - 1);
    const slot = (from & 1) as 0 | 1;
    if (held[slot] !== from) {
      padRow(source, from, 1, padded);
      linearAcross(padded, n, columns, part, lines[slot]);
      held[slot] = from;
    }
    return lines[slot];
  };
  for (let y = part.y1; y < part.y2; y++) {
    const upper = line(rows.first[y]!);
    const lower = line(rows.first[y]! + 1);
    const b0 = rows.weights[2 * y]!;
    const b1 = rows.weights[2 * y + 1]!;
    const at = (y - part.y1) * length;
    for (let i = 0; i < length; i++) {
      result.data[at + i] = (((b0 * upper[i]!) >> 16) + ((b1 * lower[i]!) >> 16) + 2) >> 2;
    }
  }
  return result;
}

/** Weighted pixels of one row, in 128ths: OpenCV drops four of the eleven fractional bits here. */
function linearAcross(
  row: Uint8Array,
  n: number,
  { first, weights }: Axis,
  part: Box,
  out: Int32Array,
): void {
  let at = 0;
  for (let x = part.x1; x < part.x2; x++) {
    const a0 = weights[2 * x]!;
    const a1 = weights[2 * x + 1]!;
    let p = (first[x]! + 1) * n;
    for (let c = 0; c < n; c++, p++) out[at++] = (row[p]! * a0 + row[p + n]! * a1) >> 4;
  }
}

function halve(source: Image, part: Box): Image {
  const n = source.channels;
  const result = image(part.x2 - part.x1, part.y2 - part.y1, n);
  const stride = source.width * n;
  let at = 0;
  for (let y = part.y1; y < part.y2; y++) {
    for (let x = part.x1; x < part.x2; x++) {
      let p = 2 * y * stride + 2 * x * n;
      for (let c = 0; c < n; c++, p++) {
        const sum =
          source.data[p]! + source.data[p + n]! + source.data[p + stride]! + source.data[p + stride + n]!;
        result.data[at++] = (sum + 2) >> 2;
      }
    }
  }
  return result;
}
