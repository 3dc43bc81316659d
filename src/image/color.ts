import { type Image, image } from './image.ts';

/**
 * An RGB or RGBA picture in grey: luma by ITU-R 601 in 16 fractional bits, equal to Pillow's `convert("L")`.
 * Equal channels keep their value, so a mask that was stored as RGB comes back unchanged.
 */
export function toGrey(source: Image): Image {
  const { width, height, channels: n, data } = source;
  if (n === 1) return image(width, height, 1, data.slice());
  const result = image(width, height, 1);
  for (let i = 0, p = 0; i < result.data.length; i++, p += n) {
    result.data[i] = (19595 * data[p]! + 38470 * data[p + 1]! + 7471 * data[p + 2]! + 32768) >> 16;
  }
  return result;
}
