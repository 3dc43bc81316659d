import type { Box } from '../core/box.ts';

/** Pixels of a side of the blocks whose means are compared from frame to frame: noise of single pixels is no flicker. */
const BLOCK = 4;

/**
 * How much a part of the picture jumps to and fro: the mean of |a − 2 b + c| over blocks of three successive frames.
 * Steady change counts nothing.
 *
 * @param frames lumas of three square pictures of the same side
 * @param but a part that is left out
 */
export function flicker(
  [a, b, c]: readonly [Float32Array, Float32Array, Float32Array],
  side: number,
  box: Box,
  but?: Box,
): number {
  let sum = 0;
  let count = 0;
  for (let y = box.y1; y + BLOCK <= box.y2; y += BLOCK) {
    for (let x = box.x1; x + BLOCK <= box.x2; x += BLOCK) {
      if (but && x + BLOCK > but.x1 && x < but.x2 && y + BLOCK > but.y1 && y < but.y2) continue;
      let jump = 0;
      for (let v = y; v < y + BLOCK; v++) {
        for (let u = x; u < x + BLOCK; u++) {
          const at = v * side + u;
          jump += a[at]! - 2 * b[at]! + c[at]!;
        }
      }
      sum += Math.abs(jump) / (BLOCK * BLOCK);
      count++;
    }
  }
  return count === 0 ? Number.NaN : sum / count;
}
