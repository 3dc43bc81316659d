/** Pairs the frames of a dub with those of its source, whatever order the source was shown in. */
import { sourceFrame } from '../avatar/order.ts';
import type { Box } from '../core/box.ts';
import { type Alignment, alignFrames } from './align.ts';
import type { SeenFaces } from './seen-faces.ts';
import { ALIGN_COLUMNS } from './seen-faces.ts';
import { cellsOutside } from './sketch.ts';
import { median } from './statistics.ts';

/** Frames to either side over whose mean a frame's cells are measured: what stands still tells no frame from another. */
const LOCAL = 10;

/** The orders in which a source may be shown, where it is shorter than its dub. */
const ORDERS = ['bounce', 'loop', 'remap'] as const;

/** The alignment in the order that explains the dub best. */
export function fitSource(
  dub: SeenFaces,
  source: readonly Float32Array[],
  { width, height }: { readonly width: number; readonly height: number },
): Alignment {
  const count = dub.sketches.length;
  const columns = Math.ceil(width / Math.max(4, Math.ceil(width / ALIGN_COLUMNS)));
  const rows = dub.sketches[0]!.length / columns;
  const outside = dub.faces.map((face) =>
    cellsOutside(face && mouthPart(face.box), { columns, rows }, { width, height }, ALIGN_COLUMNS),
  );
  const lengths = { source: source.length, sound: count };
  const orders: ((frame: number) => number)[] =
    source.length === count
      ? [(frame) => frame]
      : [
          (frame) => Math.min(frame, source.length - 1),
          ...ORDERS.map((mode) => (frame: number) => sourceFrame(mode, frame, lengths)),
        ];
  const ownMeans = localMeans(dub.sketches);
  const fits = orders.map((expected) => {
    // Where the order turns or jumps, a frame's neighbours are not those of the source: each mean is of what is shown.
    const shown = localMeans(dub.sketches.map((_, frame) => source[expected(frame)]!));
    const difference = (frame: number, other: number) => {
      const own = { sketch: dub.sketches[frame]!, mean: ownMeans[frame]! };
      const theirs = { sketch: source[other]!, mean: shown[placeOf(other, frame, expected, count)]! };
      return meanSquare(own, theirs, outside[frame]!);
    };
    return { expected, difference };
  });
  const found = likeliest(fits, count).map(({ expected, difference }) =>
    alignFrames({ count, sourceCount: source.length, expected, difference }),
  );
  return found.reduce((best, next) => (next.cost < best.cost ? next : best));
}

/** How a source may have been shown, and how well that fits frame by frame. */
interface Fit {
  readonly expected: (frame: number) => number;
  readonly difference: (frame: number, source: number) => number;
}

/** Differences of a fit that are this many times those of another say enough: it need not be searched for slips. */
const HOPELESS = 4;

/** The orders that fit about as well as the best one does where nothing has slipped. Of equal ones the first. */
function likeliest(fits: readonly Fit[], count: number): Fit[] {
  const distinct = fits.filter(
    ({ expected }, i) =>
      !fits.slice(0, i).some((other) => {
        for (let frame = 0; frame < count; frame++)
          if (other.expected(frame) !== expected(frame)) return false;
        return true;
      }),
  );
  if (distinct.length === 1) return distinct;
  // The middle frame of many: slips, which move some of them, do not count.
  const usual = distinct.map(({ expected, difference }) =>
    median(Array.from({ length: count }, (_, frame) => difference(frame, expected(frame)))),
  );
  const most = HOPELESS * Math.max(Math.min(...usual), LEAST_DIFFERENCE);
  return distinct.filter((_, i) => usual[i]! <= most);
}

/** Levels squared that encoding alone makes. */
const LEAST_DIFFERENCE = 0.1;

/** What a dub draws anew: the face below the middle line, and some room. */
function mouthPart({ x1, x2, y1, y2 }: Box): Box {
  const [width, height] = [x2 - x1, y2 - y1];
  return { x1: x1 - 0.05 * width, x2: x2 + 0.05 * width, y1: y1 + 0.46 * height, y2: y2 + 0.1 * height };
}

/** The place in a dub, near one of its frames, at which a source frame or the next to it is expected. */
function placeOf(source: number, near: number, expected: (frame: number) => number, count: number): number {
  let [place, least] = [near, Math.abs(expected(near) - source)];
  for (let step = 1; least > 0 && step <= LOCAL; step++)
    for (const frame of [near - step, near + step]) {
      if (frame < 0 || frame >= count) continue;
      const apart = Math.abs(expected(frame) - source);
      if (apart < least) [place, least] = [frame, apart];
    }
  return place;
}

/** Of each frame, the mean of the cells over the frames nearby. */
function localMeans(sketches: readonly Float32Array[]): Float32Array[] {
  const [first] = sketches;
  if (!first) return [];
  const sums = new Float64Array(first.length);
  const add = (index: number, sign: 1 | -1) => {
    const sketch = sketches[index];
    if (sketch) for (let i = 0; i < sums.length; i++) sums[i]! += sign * sketch[i]!;
  };
  for (let i = 0; i < LOCAL; i++) add(i, 1);
  return sketches.map((_, index) => {
    add(index + LOCAL, 1);
    if (index > LOCAL) add(index - LOCAL - 1, -1);
    const count = Math.min(index + LOCAL, sketches.length - 1) - Math.max(index - LOCAL, 0) + 1;
    return Float32Array.from(sums, (sum) => sum / count);
  });
}

/** The cells of a frame, and what they are on the mean of the frames nearby. */
interface Seen {
  readonly sketch: Float32Array;
  readonly mean: Float32Array;
}

/** Of two frames' changes from what is nearby. */
function meanSquare(a: Seen, b: Seen, where: Uint8Array): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < where.length; i++) {
    if (!where[i]) continue;
    sum += (a.sketch[i]! - a.mean[i]! - b.sketch[i]! + b.mean[i]!) ** 2;
    count++;
  }
  return count === 0 ? 0 : sum / count;
}
