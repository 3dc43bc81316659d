import type { Box } from '../core/box.ts';
import type { Image } from './image.ts';

/** The smallest box that holds every pixel that is not black; an empty box at the origin where there is none. */
export function contentBox({ width, height, channels, data }: Image): Box {
  const stride = width * channels;
  let y1 = 0;
  while (y1 < height && isBlack(data, y1 * stride, stride)) y1++;
  if (y1 === height) return { x1: 0, y1: 0, x2: 0, y2: 0 };
  let y2 = height;
  while (isBlack(data, (y2 - 1) * stride, stride)) y2--;

  let first = stride;
  let last = -1;
  for (let y = y1; y < y2; y++) {
    const start = y * stride;
    let left = 0;
    while (left < first && data[start + left] === 0) left++;
    first = Math.min(first, left);
    let right = stride - 1;
    while (right > last && data[start + right] === 0) right--;
    last = Math.max(last, right);
  }
  return { x1: Math.floor(first / channels), y1, x2: Math.floor(last / channels) + 1, y2 };
}

function isBlack(data: Uint8Array, start: number, length: number): boolean {
  for (let i = start; i < start + length; i++) if (data[i] !== 0) return false;
  return true;
}
