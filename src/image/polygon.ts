import type { Point } from '../core/box.ts';
import type { Image } from './image.ts';

/** Lines looked at per row of pixels; each is measured exactly in its length. */
const LINES = 4;

/**
 * Draws a filled polygon in white into a one-channel picture, antialiased: a pixel that is partly covered gets
 * its share of 255. Corners are continuous positions (the first pixel reaches from 0 to 1). Where a polygon
 * overlaps itself in the same direction it is filled (non-zero rule). Parts outside the picture are cut.
 */
export function fillPolygon(target: Image, corners: readonly Point[]): void {
  const { width, height, data } = target;
  const ys = corners.map((corner) => corner.y);
  const top = Math.max(0, Math.floor(Math.min(...ys)));
  const bottom = Math.min(height, Math.ceil(Math.max(...ys)));
  const cover = new Float64Array(width + 1);
  for (let y = top; y < bottom; y++) {
    cover.fill(0);
    for (let line = 0; line < LINES; line++) {
      let winding = 0;
      let from = 0;
      for (const { x, turn } of crossings(corners, y + (line + 0.5) / LINES)) {
        if (winding === 0) from = x;
        winding += turn;
        if (winding === 0) addSpan(cover, width, from, x);
      }
    }
    for (let x = 0; x < width; x++) {
      const value = Math.min(255, Math.round((cover[x]! * 255) / LINES));
      if (value > data[y * width + x]!) data[y * width + x] = value;
    }
  }
}

interface Crossing {
  readonly x: number;
  /** +1 where the outline goes down, −1 where it goes up. */
  readonly turn: 1 | -1;
}

/** Where the outline crosses the line at `y`, from left to right. */
function crossings(corners: readonly Point[], y: number): Crossing[] {
  const found: Crossing[] = [];
  let from = corners[corners.length - 1]!;
  for (const to of corners) {
    if (from.y <= y !== to.y <= y) {
      const x = from.x + ((y - from.y) / (to.y - from.y)) * (to.x - from.x);
      found.push({ x, turn: to.y > from.y ? 1 : -1 });
    }
    from = to;
  }
  return found.sort((a, b) => a.x - b.x);
}

/** Adds to each pixel how much of its width lies between `from` and `to`. */
function addSpan(cover: Float64Array, width: number, from: number, to: number): void {
  const x1 = Math.max(0, from);
  const x2 = Math.min(width, to);
  if (x2 <= x1) return;
  const first = Math.floor(x1);
  const last = Math.floor(x2);
  if (first === last) {
    cover[first] = cover[first]! + x2 - x1;
    return;
  }
  cover[first] = cover[first]! + first + 1 - x1;
  for (let x = first + 1; x < last; x++) cover[x] = cover[x]! + 1;
  cover[last] = cover[last]! + x2 - last;
}
