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

/**
 * Samples a picture bilinearly: output position (x, y) shows source position `m`(x, y). Positions are
 * continuous, the middle of the first pixel is (0.5, 0.5). Outside the picture it is black, or with `border:
 * 'repeat'` the nearest border pixel. It does not average when shrinking.
 */
export function sampleAffine(
  source: Image,
  m: Affine,
  width: number,
  height: number,
  { border = 'black' }: { border?: 'black' | 'repeat' } = {},
): Image {
  const n = source.channels;
  const result = image(width, height, n);
  const { data } = source;
  const stride = source.width * n;
  const [a, b, c, d, e, f] = m;
  const black = border === 'black';
  let at = 0;
  for (let y = 0; y < height; y++) {
    // From the middle of the output pixel to the upper left one of the four source pixels around it.
    let u = a * 0.5 + b * (y + 0.5) + c - 0.5;
    let v = d * 0.5 + e * (y + 0.5) + f - 0.5;
    for (let x = 0; x < width; x++, u += a, v += d) {
      const left = Math.floor(u);
      const top = Math.floor(v);
      const fx = u - left;
      const fy = v - top;
      if (left >= 0 && top >= 0 && left < source.width - 1 && top < source.height - 1) {
        const w11 = fx * fy;
        const w01 = fx - w11;
        const w10 = fy - w11;
        const w00 = 1 - fx - w10;
        let p = top * stride + left * n;
        for (let k = 0; k < n; k++, p++) {
          result.data[at++] =
            w00 * data[p]! + w01 * data[p + n]! + w10 * data[p + stride]! + w11 * data[p + stride + n]! + 0.5;
        }
        continue;
      }
      for (let k = 0; k < n; k++) {
        const p00 = pixel(source, left, top, k, black);
        const p01 = pixel(source, left + 1, top, k, black);
        const p10 = pixel(source, left, top + 1, k, black);
        const p11 = pixel(source, left + 1, top + 1, k, black);
        const upper = p00 + (p01 - p00) * fx;
        const lower = p10 + (p11 - p10) * fx;
        result.data[at++] = upper + (lower - upper) * fy + 0.5;
      }
    }
  }
  return result;
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
