/** Marks on pictures for people: outlines, dots, tints, numbers. All draw on an RGB picture in place. */
import type { Box, Point } from '../core/box.ts';
import type { Image } from './image.ts';

/** Red, green, blue, 0 … 255. */
export type Color = readonly [red: number, green: number, blue: number];

/** Fills the part of `box` that lies in the picture. */
export function fillBox(target: Image, box: Box, color: Color): void {
  const { width, height, channels, data } = target;
  const x1 = Math.max(0, Math.round(box.x1));
  const x2 = Math.min(width, Math.round(box.x2));
  for (let y = Math.max(0, Math.round(box.y1)); y < Math.min(height, Math.round(box.y2)); y++)
    for (let x = x1; x < x2; x++) data.set(color, (y * width + x) * channels);
}

/** The outline of a box, `thickness` pixels wide, inside it. */
export function strokeBox(target: Image, box: Box, color: Color, thickness = 2): void {
  const { x1, y1, x2, y2 } = box;
  fillBox(target, { x1, y1, x2, y2: y1 + thickness }, color);
  fillBox(target, { x1, y1: y2 - thickness, x2, y2 }, color);
  fillBox(target, { x1, y1, x2: x1 + thickness, y2 }, color);
  fillBox(target, { x1: x2 - thickness, y1, x2, y2 }, color);
}

/** A filled circle. */
export function drawDot(target: Image, { x, y }: Point, radius: number, color: Color): void {
  for (let dy = -radius; dy <= radius; dy++) {
    const half = Math.floor(Math.sqrt(radius * radius - dy * dy));
    const row = Math.round(y) + dy;
    fillBox(target, { x1: Math.round(x) - half, y1: row, x2: Math.round(x) + half + 1, y2: row + 1 }, color);
  }
}

/**
 * Colours the picture where a mask (one channel, its first pixel at `x`, `y`) is bright; at 255 the colour takes
 * the part `strength` of the pixel.
 */
export function tint(target: Image, mask: Image, { x, y }: Point, color: Color, strength = 0.5): void {
  const { width, height, channels, data } = target;
  for (let my = Math.max(0, -y); my < Math.min(mask.height, height - y); my++) {
    for (let mx = Math.max(0, -x); mx < Math.min(mask.width, width - x); mx++) {
      const share = (strength * mask.data[my * mask.width + mx]!) / 255;
      const at = ((y + my) * width + x + mx) * channels;
      for (let c = 0; c < 3; c++) data[at + c] = Math.round(data[at + c]! * (1 - share) + color[c]! * share);
    }
  }
}

/** Rows of three pixels, from the top, as bits. */
const GLYPHS: Readonly<Record<string, readonly number[]>> = {
  '0': [7, 5, 5, 5, 7],
  '1': [2, 6, 2, 2, 7],
  '2': [7, 1, 7, 4, 7],
  '3': [7, 1, 7, 1, 7],
  '4': [5, 5, 7, 1, 1],
  '5': [7, 4, 7, 1, 7],
  '6': [7, 4, 7, 5, 7],
  '7': [7, 1, 1, 2, 2],
  '8': [7, 5, 7, 5, 7],
  '9': [7, 5, 7, 1, 7],
  '-': [0, 0, 7, 0, 0],
  '+': [0, 2, 7, 2, 0],
};

/** Writes a whole number in digits of 3 × 5 squares of `size` pixels, on a dark ground; `+` before positive ones. */
export function drawNumber(target: Image, value: number, { x, y }: Point, color: Color, size = 3): void {
  const text = value > 0 ? `+${value}` : String(value);
  fillBox(target, { x1: x, y1: y, x2: x + (4 * text.length + 1) * size, y2: y + 7 * size }, [0, 0, 0]);
  for (const [i, letter] of [...text].entries()) {
    for (const [row, bits] of GLYPHS[letter]!.entries()) {
      for (let column = 0; column < 3; column++) {
        if (((bits >> (2 - column)) & 1) === 0) continue;
        const x1 = x + (1 + 4 * i + column) * size;
        const y1 = y + (1 + row) * size;
        fillBox(target, { x1, y1, x2: x1 + size, y2: y1 + size }, color);
      }
    }
  }
}
