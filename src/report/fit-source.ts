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
  const fits = orders.map((expected): Fit => {
    // Where the order turns or jumps, a frame's neighbours are not those of the source: each mean is of what is shown.
    const shown = localMeans(dub.sketches.map((_, frame) => source[expected(frame)]!));
    const pair = (frame: number, other: number) => ({
      own: { sketch: dub.sketches[frame]!, mean: ownMeans[frame]! },
      theirs: { sketch: source[other]!, mean: shown[placeOf(other, frame, expected, count)]! },
    });
    return { expected, pair };
  });
  const likely = likeliest(fits, outside);
  const telling = weightsOf(likely[0]!, outside, source);
  const found = likely.map(({ expected, pair }) => {
    const difference = (frame: number, other: number) =>
      meanSquare(pair(frame, other), outside[frame]!, telling);
    return alignFrames({ count, sourceCount: source.length, expected, difference });
  });
  return found.reduce((best, next) => (next.cost < best.cost ? next : best));
}

/** How a source may have been shown, and a frame of the dub beside one of the source in that order. */
interface Fit {
  readonly expected: (frame: number) => number;
  readonly pair: (frame: number, source: number) => Pair;
}

/** Differences of a fit that are this many times those of another say enough: it need not be searched for slips. */
const HOPELESS = 4;

/** The orders that fit about as well as the best one does where nothing has slipped, the best first. */
function likeliest(fits: readonly Fit[], outside: readonly Uint8Array[]): Fit[] {
  const count = outside.length;
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
  const judged = distinct.map((fit) => {
    const differences = outside.map((where, frame) =>
      meanSquare(fit.pair(frame, fit.expected(frame)), where),
    );
    return { fit, usual: median(differences) };
  });
  judged.sort((a, b) => a.usual - b.usual);
  const most = HOPELESS * Math.max(judged[0]!.usual, LEAST_DIFFERENCE);
  return judged.filter(({ usual }) => usual <= most).map(({ fit }) => fit);
}

/** Frames of which cells are weighed, at most. */
const WEIGHED = 200;

/** Frames that a dub may be off its order where its cells are weighed. */
const OFF = 8;

/** Levels squared that are noise in any cell. */
const LEAST_NOISE = 0.02;

/**
 * How much each cell tells of which frame is shown: how much it moves from frame to frame, over its noise twice, once
 * because noise hides movement and once because what is summed must be noise of one size. In a picture that is nearly
 * still, a blink would drown in the noise of the wall otherwise. Noise is what is left where a frame fits best, for the
 * order may have slipped; in the middle of all frames, for some may have been changed.
 */
function weightsOf(
  { expected, pair }: Fit,
  outside: readonly Uint8Array[],
  source: readonly Float32Array[],
): Float32Array {
  const step = Math.max(1, Math.ceil(outside.length / WEIGHED));
  const cells = outside[0]!.length;
  const noise = Array.from({ length: cells }, (): number[] => []);
  const movement = new Float64Array(cells);
  for (let frame = 0; frame < outside.length; frame += step) {
    const where = outside[frame]!;
    const near = bestFit(frame, expected(frame));
    const { own, theirs } = pair(frame, near);
    const before = source[near === 0 ? 1 : near - 1] ?? theirs.sketch;
    for (let cell = 0; cell < cells; cell++) {
      if (where[cell]) noise[cell]!.push(apart(own, theirs, cell) ** 2);
      movement[cell]! += (theirs.sketch[cell]! - before[cell]!) ** 2;
    }
  }
  return Float32Array.from(movement, (sum, cell) => {
    const hiding = (median(noise[cell]!) || 0) + LEAST_NOISE;
    return (sum * step) / outside.length / hiding ** 2;
  });

  function bestFit(frame: number, about: number): number {
    let [best, least] = [about, Number.POSITIVE_INFINITY];
    for (let other = Math.max(0, about - OFF); other <= Math.min(source.length - 1, about + OFF); other++) {
      const left = meanSquare(pair(frame, other), outside[frame]!);
      if (left < least) [best, least] = [other, left];
    }
    return best;
  }
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

/** A frame of the dub, and one of the source. */
interface Pair {
  readonly own: Seen;
  readonly theirs: Seen;
}

/** How far two frames' changes from what is nearby are apart in a cell. */
function apart(own: Seen, theirs: Seen, cell: number): number {
  return own.sketch[cell]! - own.mean[cell]! - theirs.sketch[cell]! + theirs.mean[cell]!;
}

/** The mean over cells, each counted by its weight; all alike where none are given. */
function meanSquare({ own, theirs }: Pair, where: Uint8Array, weights?: Float32Array): number {
  let [sum, total] = [0, 0];
  for (let cell = 0; cell < where.length; cell++) {
    if (!where[cell]) continue;
    const weight = weights ? weights[cell]! : 1;
    sum += weight * apart(own, theirs, cell) ** 2;
    total += weight;
  }
  return total === 0 ? 0 : sum / total;
}
