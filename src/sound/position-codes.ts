import type { FloatTensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';

/**
 * The sinusoidal codes that tell the UNet where in its window a row of the condition stands: [rows, width].
 * Row p, column 2m: sin(p · w), column 2m + 1: cos(p · w), with w = exp(−2m · ln(10000) / width). p counts the
 * rows of one window, not time.
 *
 * Formula: PositionalEncoding in musetalk/models/unet.py, in its float32 steps.
 */
export function positionCodes(rows: number, width: number): FloatTensor {
  const codes = tensor([rows, width]);
  const { fround } = Math;
  for (let column = 0; column < width; column++) {
    const even = column - (column % 2);
    const frequency = fround(Math.exp(fround(even * fround(-Math.log(10000) / width))));
    const wave = column % 2 === 0 ? Math.sin : Math.cos;
    for (let p = 0; p < rows; p++) codes.data[p * width + column] = wave(fround(p * frequency));
  }
  return codes;
}

/**
 * The condition ([rows, width] or [B, rows, width]) with the position codes added, as the UNet takes it.
 *
 * Upstream: its training loop of 1.5 leaves the codes out, its inference always adds them.
 */
export function addPositionCodes(condition: FloatTensor): FloatTensor {
  const [rows, width] = condition.shape.slice(-2) as [number, number];
  const codes = cachedCodes(rows, width);
  const data = condition.data.map((value, i) => value + codes.data[i % codes.data.length]!);
  return tensor(condition.shape, data);
}

const cache = new Map<string, FloatTensor>();

/** One model has one shape of window, so a program holds one table or two. */
function cachedCodes(rows: number, width: number): FloatTensor {
  const key = `${rows}x${width}`;
  const codes = cache.get(key) ?? positionCodes(rows, width);
  cache.set(key, codes);
  return codes;
}
