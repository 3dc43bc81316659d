import type { Box } from '../core/box.ts';
import { intersectBoxes } from '../core/box.ts';
import { type Image, image } from './image.ts';

/** The part of a picture inside `box`. The box may leave the picture; what lies outside is black. */
export function crop(source: Image, box: Box): Image {
  const result = image(Math.max(0, box.x2 - box.x1), Math.max(0, box.y2 - box.y1), source.channels);
  paste(result, source, -box.x1, -box.y1);
  return result;
}

/**
 * Copies `source` into `target` with its upper left corner at (`x`, `y`). Parts outside the target are cut.
 *
 * @throws RangeError when the numbers of channels differ.
 */
export function paste(target: Image, source: Image, x: number, y: number): void {
  const n = sameChannels(target, source);
  const part = overlap(target, source, x, y);
  const length = (part.x2 - part.x1) * n;
  if (length === 0) return;
  for (let row = part.y1; row < part.y2; row++) {
    const from = ((row - y) * source.width + part.x1 - x) * n;
    target.data.set(source.data.subarray(from, from + length), (row * target.width + part.x1) * n);
  }
}

/**
 * Blends `source` into `target` with its upper left corner at (`x`, `y`); the mask (one channel, the source's
 * size) says how much of the source shows, 255 = all. Parts outside the target are cut. Equals Pillow's paste.
 *
 * @throws RangeError when channels or sizes do not fit together.
 */
export function pasteMasked(target: Image, source: Image, mask: Image, x: number, y: number): void {
  const n = sameChannels(target, source);
  if (mask.channels !== 1 || mask.width !== source.width || mask.height !== source.height) {
    throw new RangeError(
      `a mask of ${mask.width}×${mask.height}×${mask.channels} does not fit a picture of ${source.width}×${source.height}`,
    );
  }
  const part = overlap(target, source, x, y);
  for (let row = part.y1; row < part.y2; row++) {
    const from = (row - y) * source.width + part.x1 - x;
    const to = row * target.width + part.x1;
    blendRow(target.data, to * n, source.data, from * n, mask.data, from, part.x2 - part.x1, n);
  }
}

/**
 * Blends `count` pixels of `n` channels of a row into another: `(target·(255 − m) + source·m) / 255`, rounded
 * to the nearest by Pillow's integer formula. The three numbers after each array say where its row begins.
 */
export function blendRow(
  target: Uint8Array,
  targetAt: number,
  source: Uint8Array,
  sourceAt: number,
  mask: Uint8Array,
  maskAt: number,
  count: number,
  n: number,
): void {
  let to = targetAt;
  let from = sourceAt;
  for (let i = 0; i < count; i++) {
    const m = mask[maskAt + i]!;
    const end = to + n;
    if (m === 0) {
      to = end;
      from += n;
      continue;
    }
    while (to < end) {
      const sum = target[to]! * (255 - m) + source[from++]! * m + 128;
      target[to++] = (sum + (sum >> 8)) >> 8;
    }
  }
}

function overlap(target: Image, source: Image, x: number, y: number): Box {
  return intersectBoxes(
    { x1: 0, y1: 0, x2: target.width, y2: target.height },
    { x1: x, y1: y, x2: x + source.width, y2: y + source.height },
  );
}

function sameChannels(target: Image, source: Image): number {
  if (target.channels === source.channels) return target.channels;
  throw new RangeError(
    `a picture of ${source.channels} channels cannot be pasted into one of ${target.channels}`,
  );
}
