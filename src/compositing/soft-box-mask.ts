import type { Box } from '../core/box.ts';
import { image } from '../image/image.ts';
import type { BlendMask } from './masks.ts';

/** How wide the soft edges are, in pixels; one number for all sides, or one for each (default 0 = hard). */
export type Feather =
  | number
  | { readonly left?: number; readonly top?: number; readonly right?: number; readonly bottom?: number };

/**
 * A rectangle with soft edges: black at the edge of `box`, white from `feather` pixels inward, with a smooth step
 * between (3t² − 2t³). Where two ramps meet they are multiplied.
 */
export function softBoxMask(box: Box, { feather = 0 }: { feather?: Feather } = {}): BlendMask {
  const width = box.x2 - box.x1;
  const height = box.y2 - box.y1;
  const sides =
    typeof feather === 'number' ? { left: feather, top: feather, right: feather, bottom: feather } : feather;
  const columns = ramp(width, sides.left ?? 0, sides.right ?? 0);
  const rows = ramp(height, sides.top ?? 0, sides.bottom ?? 0);
  const mask = image(width, height, 1);
  for (let y = 0; y < height; y++) {
    const row = rows[y]! * 255;
    for (let x = 0; x < width; x++) mask.data[y * width + x] = Math.round(row * columns[x]!);
  }
  return { crop: box, mask };
}

/** The weights, 0 … 1, of the pixels of one direction, each taken at its middle. */
function ramp(length: number, start: number, end: number): Float64Array {
  return Float64Array.from(
    { length },
    (_, i) => smoothStep((i + 0.5) / start) * smoothStep((length - i - 0.5) / end),
  );
}

function smoothStep(t: number): number {
  return t >= 1 ? 1 : t * t * (3 - 2 * t);
}
