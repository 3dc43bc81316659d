import type { Box } from '../core/box.ts';

/** The mean square of the Laplacian inside a box of a square picture: how much fine detail it has. */
export function detail(luma: Float32Array, side: number, { x1, y1, x2, y2 }: Box): number {
  let sum = 0;
  let count = 0;
  for (let y = Math.max(1, y1); y < Math.min(side - 1, y2); y++) {
    for (let x = Math.max(1, x1); x < Math.min(side - 1, x2); x++) {
      const at = y * side + x;
      const value = 4 * luma[at]! - luma[at - 1]! - luma[at + 1]! - luma[at - side]! - luma[at + side]!;
      sum += value * value;
      count++;
    }
  }
  return count === 0 ? Number.NaN : sum / count;
}
