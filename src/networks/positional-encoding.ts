import type { FloatTensor } from '../core/tensor.ts';
import { add } from '../nn/ops/arithmetic.ts';
import type { Value } from '../nn/value.ts';
import { constant, fixed } from '../nn/value.ts';

/**
 * The condition with the place of each row added, as the UNet wants it in inference.
 *
 * Upstream: the published training loop of 1.5 leaves it out, so its weights meet it first in inference.
 *
 * condition: [B, T, C] → [B, T, C]
 */
export function withPositions(condition: Value): Value {
  return add(condition, constant(positionalEncoding(fixed(condition, 1), fixed(condition, 2))));
}

/**
 * Row p of [rows, width] holds sin(p wₘ) in column 2 m and cos(p wₘ) in column 2 m + 1, where
 * wₘ = exp(−2 m ln 10000 / width). Each step is rounded to a 32-bit float.
 *
 * Formula: PositionalEncoding in MuseTalk's musetalk/models/unet.py.
 */
export function positionalEncoding(rows: number, width: number): FloatTensor {
  const data = new Float32Array(rows * width);
  const step = Math.fround(-Math.log(10000) / width);
  for (let column = 0; column < width; column++) {
    const even = column - (column % 2);
    const frequency = Math.fround(Math.exp(Math.fround(even * step)));
    for (let p = 0; p < rows; p++) {
      const angle = Math.fround(p * frequency);
      data[p * width + column] = column % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
  }
  return { dtype: 'float32', shape: [rows, width], data };
}
