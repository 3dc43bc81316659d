import type { Point } from '../core/box.ts';
import type { Image } from '../image/image.ts';
import { image } from '../image/image.ts';
import { cropToPicture, sampleAffine } from '../image/warp.ts';

/** A square of a picture, in its pixels, turned by `angle` radians (clockwise on screen). May reach outside. */
export interface Square {
  readonly centre: Point;
  readonly side: number;
  readonly angle: number;
}

/**
 * What a square shows, upright, as a picture of `size` × `size` pixels; black outside the picture.
 *
 * When it shrinks, each pixel is the mean of several samples, so that noise and fine texture do not flicker.
 */
export function cutSquare(source: Image, square: Square, size: number): Image {
  const samples = Math.min(Math.max(Math.ceil(square.side / size / 1.6), 1), 8);
  return sampleAffine(source, squareToPicture(square, size), size, size, { samples });
}

/** Positions in a cut of `size` pixels → positions in the picture. */
export function squareToPicture({ centre, side, angle }: Square, size: number) {
  return cropToPicture({ centre, width: side, height: side, angle }, size, size);
}

/**
 * The picture made smaller by a whole number, each pixel the mean of a block of `block` × `block`. What is left over
 * at the right and at the bottom, less than a block, is dropped.
 */
export function meanOfBlocks({ width, height, channels, data }: Image, block: number): Image {
  const result = image(Math.floor(width / block), Math.floor(height / block), channels);
  const length = result.width * channels;
  const sums = new Uint32Array(length);
  const half = (block * block) >> 1;
  for (let y = 0; y < result.height; y++) {
    sums.fill(half);
    for (let row = 0; row < block; row++) {
      let from = (y * block + row) * width * channels;
      for (let x = 0; x < length; x += channels) {
        for (let i = 0; i < block; i++) {
          for (let c = 0; c < channels; c++) sums[x + c]! += data[from++]!;
        }
      }
    }
    for (let x = 0; x < length; x++) result.data[y * length + x] = sums[x]! / (block * block);
  }
  return result;
}
