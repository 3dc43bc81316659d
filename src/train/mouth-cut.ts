/** The mouths that the mouth discriminator looks at, cut out of pictures inside the graph. */

import type { Box } from '../core/box.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { matmul } from '../nn/ops/conv.ts';
import type { Value } from '../nn/value.ts';

/** For a batch of boxes, the maps that cut and resize: see {@link cutMouth}. */
export interface CutMaps {
  /** [B, 1, size, H] */
  rows: FloatTensor;
  /** [B, 1, W, size] */
  columns: FloatTensor;
}

/**
 * Cuts a box of its own out of each picture and brings it to one size: bilinear resizing is a product with a
 * matrix from either side, so boxes can differ within a batch and gradients pass.
 *
 * picture: [B, C, H, W], rows: [B, 1, size, H], columns: [B, 1, W, size] → [B, C, size, size]
 */
export function cutMouth(picture: Value, rows: Value, columns: Value): Value {
  return matmul(matmul(rows, picture), columns);
}

/** The maps of boxes in pictures of `height` × `width`, bilinear with the centres of pixels, borders repeated. */
export function cutMaps(
  boxes: readonly Box[],
  { height, width, size }: { height: number; width: number; size: number },
): CutMaps {
  const rows = new Float32Array(boxes.length * size * height);
  const columns = new Float32Array(boxes.length * width * size);
  for (const [b, { x1, y1, x2, y2 }] of boxes.entries()) {
    weigh(y1, y2, size, (i, at, weight) => {
      rows[(b * size + i) * height + at]! += weight;
    });
    weigh(x1, x2, size, (i, at, weight) => {
      columns[(b * width + at) * size + i]! += weight;
    });
  }
  return {
    rows: { dtype: 'float32', shape: [boxes.length, 1, size, height], data: rows },
    columns: { dtype: 'float32', shape: [boxes.length, 1, width, size], data: columns },
  };
}

function weigh(
  from: number,
  to: number,
  size: number,
  add: (output: number, input: number, weight: number) => void,
): void {
  for (let i = 0; i < size; i++) {
    const at = Math.max(((i + 0.5) * (to - from)) / size - 0.5, 0);
    const low = Math.floor(at);
    const high = Math.min(low + 1, to - from - 1);
    add(i, from + low, 1 - (at - low));
    add(i, from + high, at - low);
  }
}

/**
 * The box of a mask's non-zero pixels. Upstream: its last row and column are left out.
 *
 * @returns undefined when fewer than two rows or columns are marked
 */
export function boxOfMask(mask: ArrayLike<number>, width: number, height: number): Box | undefined {
  let [x1, y1, x2, y2] = [width, height, -1, -1];
  for (let i = 0; i < width * height; i++) {
    if (mask[i] === 0) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    [x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x), Math.max(y2, y)];
  }
  return x1 < x2 && y1 < y2 ? { x1, y1, x2, y2 } : undefined;
}
