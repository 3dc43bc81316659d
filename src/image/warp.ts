import type { Point } from '../core/box.ts';
import { type Image, image } from './image.ts';
import { roundHalfEven } from './rounding.ts';

/** `x' = a·x + b·y + c`, `y' = d·x + e·y + f`, written row by row. */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** The affine map that undoes `m`. A map that flattens the plane has no inverse; its numbers become zeros. */
export function invertAffine([a, b, c, d, e, f]: Affine): Affine {
  const determinant = a * e - b * d;
  const D = determinant === 0 ? 0 : 1 / determinant;
  const [ia, ib, id, ie] = [e * D, b * -D, d * -D, a * D];
  return [ia, ib, -ia * c - ib * f, id, ie, -id * c - ie * f];
}

/** Where a point goes. */
export function applyAffine([a, b, c, d, e, f]: Affine, { x, y }: Point): Point {
  return { x: a * x + b * y + c, y: d * x + e * y + f };
}

/** A rectangle that may be turned: its middle, its sides in pixels and its angle in radians, clockwise on screen. */
export interface TurnedBox {
  readonly centre: Point;
  readonly width: number;
  readonly height: number;
  readonly angle: number;
}

/**
 * Maps positions in a crop of `width` × `height` pixels to positions in the picture, so that the crop shows
 * `box` upright. Positions are continuous: the crop's edges, 0 and `width`, fall on the box's edges.
 */
export function cropToPicture(box: TurnedBox, width: number, height: number): Affine {
  const cos = Math.cos(box.angle);
  const sin = Math.sin(box.angle);
  const sx = box.width / width;
  const sy = box.height / height;
  const [a, b, d, e] = [cos * sx, -sin * sy, sin * sx, cos * sy];
  return [
    a,
    b,
    box.centre.x - (a * width + b * height) / 2,
    d,
    e,
    box.centre.y - (d * width + e * height) / 2,
  ];
}

/** How `sampleAffine` samples. */
export interface SampleOptions {
  /** What lies outside the picture: black (default), or the nearest border pixel. */
  readonly border?: 'black' | 'repeat';
  /** Each output pixel is the mean of this many samples along each axis; 1 by default. Take more when it shrinks. */
  readonly samples?: number;
}

/**
 * Samples a picture bilinearly: output position (x, y) shows source position `m`(x, y). Positions are
 * continuous, the middle of the first pixel is (0.5, 0.5).
 */
export function sampleAffine(
  source: Image,
  m: Affine,
  width: number,
  height: number,
  { border = 'black', samples = 1 }: SampleOptions = {},
): Image {
  const n = source.channels;
  const result = image(width, height, n);
  const [a, b, c, d, e, f] = m;
  const [across, down] = [a / samples, d / samples];
  const sums = new Int32Array(width * n);
  const count = samples * samples;
  for (let y = 0; y < height; y++) {
    sums.fill(count >> 1);
    for (let line = 0; line < samples; line++) {
      // From the middle of the first sample to the upper left one of the four source pixels around it.
      const fy = y + (line + 0.5) / samples;
      const u = across * 0.5 + b * fy + c - 0.5;
      const v = down * 0.5 + e * fy + f - 0.5;
      const row = { u, v, across, down, samples };
      const [from, to] = n === 3 ? insidePart(source, row, width) : [0, 0];
      addNearEdges(source, row, 0, from, border === 'black', sums);
      addInside(source, row, from, to, sums);
      addNearEdges(source, row, to, width, border === 'black', sums);
    }
    const at = y * width * n;
    if (count === 1) result.data.set(sums, at);
    else for (let i = 0; i < sums.length; i++) result.data[at + i] = sums[i]! / count;
  }
  return result;
}

/** A row of samples: where it begins in the source, and the step to the next sample. */
interface SampleRow {
  readonly u: number;
  readonly v: number;
  readonly across: number;
  readonly down: number;
  /** How many are added up for a pixel. */
  readonly samples: number;
}

/** The pixels of a row, first and behind last, all of whose samples lie between four pixels of the picture. */
function insidePart({ width, height }: Image, row: SampleRow, count: number): [from: number, to: number] {
  const { u, v, across, down, samples } = row;
  let [from, to] = [0, count * samples];
  for (const [start, step, size] of [
    [u, across, width],
    [v, down, height],
  ] as const) {
    if (Math.abs(step) < 1e-9) {
      if (!(start >= 0 && start < size - 1)) return [0, 0];
      continue;
    }
    const [a, b] = [-start / step, (size - 1 - start) / step];
    // A sample less at both ends, so that steps that are added up do not leave the picture by their rounding.
    from = Math.max(from, Math.ceil(Math.min(a, b)) + 1);
    to = Math.min(to, Math.floor(Math.max(a, b)) - 1);
  }
  [from, to] = [Math.ceil(from / samples), Math.floor(to / samples)];
  return from < to ? [from, to] : [0, 0];
}

/** Fractions of a pixel are taken in 2048ths, so that everything is whole numbers. */
const BITS = 11;

/** Adds samples of a row to the sums of pixels `from` … `to` − 1; RGB, all of it inside the picture. */
function addInside({ data, width }: Image, row: SampleRow, from: number, to: number, sums: Int32Array): void {
  const { samples } = row;
  const stride = width * 3;
  const one = 1 << BITS;
  const [across, down] = [row.across * one, row.down * one];
  const half = 1 << (2 * BITS - 1);
  let u = row.u * one + from * samples * across;
  let v = row.v * one + from * samples * down;
  for (let at = 3 * from; at < 3 * to; at += 3) {
    let red = 0;
    let green = 0;
    let blue = 0;
    for (let i = 0; i < samples; i++, u += across, v += down) {
      const x = u | 0;
      const y = v | 0;
      const w11 = Math.imul(x & (one - 1), y & (one - 1));
      const w10 = ((y & (one - 1)) << BITS) - w11;
      const w01 = ((x & (one - 1)) << BITS) - w11;
      const w00 = (1 << (2 * BITS)) - w11 - w10 - w01;
      const p = Math.imul(y >> BITS, stride) + Math.imul(x >> BITS, 3);
      const q = p + stride;
      red +=
        (Math.imul(w00, data[p]!) +
          Math.imul(w01, data[p + 3]!) +
          Math.imul(w10, data[q]!) +
          Math.imul(w11, data[q + 3]!) +
          half) >>
        (2 * BITS);
      green +=
        (Math.imul(w00, data[p + 1]!) +
          Math.imul(w01, data[p + 4]!) +
          Math.imul(w10, data[q + 1]!) +
          Math.imul(w11, data[q + 4]!) +
          half) >>
        (2 * BITS);
      blue +=
        (Math.imul(w00, data[p + 2]!) +
          Math.imul(w01, data[p + 5]!) +
          Math.imul(w10, data[q + 2]!) +
          Math.imul(w11, data[q + 5]!) +
          half) >>
        (2 * BITS);
    }
    sums[at]! += red;
    sums[at + 1]! += green;
    sums[at + 2]! += blue;
  }
}

/** As `addInside`, for any number of channels and any place. */
function addNearEdges(
  source: Image,
  row: SampleRow,
  from: number,
  to: number,
  black: boolean,
  sums: Int32Array,
): void {
  const n = source.channels;
  let u = row.u + from * row.samples * row.across;
  let v = row.v + from * row.samples * row.down;
  for (let at = n * from; at < n * to; at += n) {
    for (let i = 0; i < row.samples; i++, u += row.across, v += row.down) {
      const left = Math.floor(u);
      const top = Math.floor(v);
      const fx = u - left;
      const fy = v - top;
      for (let k = 0; k < n; k++) {
        const p00 = pixel(source, left, top, k, black);
        const p01 = pixel(source, left + 1, top, k, black);
        const p10 = pixel(source, left, top + 1, k, black);
        const p11 = pixel(source, left + 1, top + 1, k, black);
        const upper = p00 + (p01 - p00) * fx;
        const lower = p10 + (p11 - p10) * fx;
        sums[at + k]! += Math.floor(upper + (lower - upper) * fy + 0.5);
      }
    }
  }
}

function pixel({ width, height, channels, data }: Image, x: number, y: number, c: number, black: boolean) {
  const inX = Math.min(Math.max(x, 0), width - 1);
  const inY = Math.min(Math.max(y, 0), height - 1);
  if (black && (inX !== x || inY !== y)) return 0;
  return data[(inY * width + inX) * channels + c]!;
}

/**
 * OpenCV's `warpAffine` for 8-bit pictures, bilinear, black border, byte by byte: the picture moved by `m`
 * (from source to output; whole numbers are the middles of pixels), positions rounded to 32nds of a pixel.
 */
export function warpAffine(source: Image, m: Affine, width: number, height: number): Image {
  const n = source.channels;
  const result = image(width, height, n);
  const [a, b, c, d, e, f] = invertAffine(m);
  const across = Int32Array.from({ length: width }, (_, x) => roundHalfEven(a * x * 1024));
  const downward = Int32Array.from({ length: width }, (_, x) => roundHalfEven(d * x * 1024));
  const stride = source.width * n;
  let at = 0;
  for (let y = 0; y < height; y++) {
    const x0 = roundHalfEven((b * y + c) * 1024) + 16;
    const y0 = roundHalfEven((e * y + f) * 1024) + 16;
    for (let x = 0; x < width; x++) {
      const u = (x0 + across[x]!) >> 5;
      const v = (y0 + downward[x]!) >> 5;
      const left = u >> 5;
      const top = v >> 5;
      const fx = u & 31;
      const fy = v & 31;
      const w00 = (32 - fx) * (32 - fy);
      const w01 = fx * (32 - fy);
      const w10 = (32 - fx) * fy;
      const w11 = fx * fy;
      const inside = left >= 0 && top >= 0 && left < source.width - 1 && top < source.height - 1;
      if (inside) {
        let p = top * stride + left * n;
        for (let k = 0; k < n; k++, p++) {
          const sum =
            source.data[p]! * w00 +
            source.data[p + n]! * w01 +
            source.data[p + stride]! * w10 +
            source.data[p + stride + n]! * w11;
          result.data[at++] = (sum + 512) >> 10;
        }
        continue;
      }
      if (left < -1 || top < -1 || left >= source.width || top >= source.height) {
        at += n;
        continue;
      }
      for (let k = 0; k < n; k++) {
        const sum =
          pixel(source, left, top, k, true) * w00 +
          pixel(source, left + 1, top, k, true) * w01 +
          pixel(source, left, top + 1, k, true) * w10 +
          pixel(source, left + 1, top + 1, k, true) * w11;
        result.data[at++] = (sum + 512) >> 10;
      }
    }
  }
  return result;
}
