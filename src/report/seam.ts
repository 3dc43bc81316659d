/**
 * Seams: lines along which what was drawn anew meets what was left, without a soft passage between. They are looked
 * for in the difference of dub and source, which is nothing outside the mask and something inside.
 */
import type { Box } from '../core/box.ts';

/** Half the length of the piece of line that is looked at, in pixels. */
const HALF = 4;

/** Pixels on either side of a line that are compared. A passage wider than this is soft. */
const DEPTH = 3;

/** Directions across a line. */
const NORMALS = [
  [1, 0],
  [0, 1],
  [1, 1],
  [1, -1],
] as const;

/** As many places must show a seam before it is one: single places are chance. */
const PLACES = 16;

/** Pixels from one place to the next. */
const GRID = 2;

/** The height of a step at each place of a grid over a picture, in levels, at most 255; 0 where there is none. */
export type SeamHeights = Uint8Array;

/**
 * The steps that `dub` has and `source` has not, nor near there. A place counts when nothing has changed on one side
 * of it: so the mouth itself, which is another all over, is no seam.
 *
 * Both are square RGB pictures of `side` pixels; the lips, which are other ones, are passed over.
 */
export function seamHeights(
  dub: Uint8Array,
  source: Uint8Array,
  side: number,
  { area, lips }: { readonly area: Box; readonly lips: Box },
): SeamHeights {
  const difference = differenceOf(dub, source);
  const reach = Math.round(NEAR * side) + HALF + DEPTH + 1;
  const columns = Math.ceil(side / GRID);
  const heights = new Uint8Array(columns * columns);
  const changed = changedBlocks(difference, side);
  for (let row = 0; row < columns; row++) {
    for (let column = 0; column < columns; column++) {
      const [x, y] = [column * GRID, row * GRID];
      if (!changed(x, y) || (x >= lips.x1 && x < lips.x2 && y >= lips.y1 && y < lips.y2)) continue;
      if (x < Math.max(reach, area.x1) || x >= Math.min(side - reach, area.x2)) continue;
      if (y < Math.max(reach, area.y1) || y >= Math.min(side - reach, area.y2)) continue;
      const heightsHere = NORMALS.map((normal) =>
        unexplained({ dub, source, difference, side }, x, y, normal),
      );
      heights[row * columns + column] = Math.min(255, Math.round(Math.max(...heightsHere) * SCALE));
    }
  }
  return heights;
}

/** `a` − `b`, number by number. */
export function differenceOf(a: Uint8Array, b: Uint8Array): Float32Array {
  const difference = new Float32Array(a.length);
  for (let i = 0; i < a.length; i++) difference[i] = a[i]! - b[i]!;
  return difference;
}

/** Pixels of a side of the blocks by which places where nothing has changed are passed over. */
const BLOCK = 6;

/** Whether the mean of a block at a place, or next to it, has changed at all. */
function changedBlocks(difference: Float32Array, side: number): (x: number, y: number) => boolean {
  const columns = Math.ceil(side / BLOCK);
  const sums = new Float32Array(columns * columns * 3);
  for (let y = 0, at = 0; y < side; y++) {
    const row = Math.floor(y / BLOCK) * columns;
    for (let x = 0; x < side; x++) {
      const block = (row + Math.floor(x / BLOCK)) * 3;
      for (let c = 0; c < 3; c++) sums[block + c]! += difference[at++]!;
    }
  }
  const least = 0.7 * LEAST * BLOCK * BLOCK;
  const marked = new Uint8Array(columns * columns);
  for (let block = 0; block < marked.length; block++) {
    const length = Math.hypot(sums[3 * block]!, sums[3 * block + 1]!, sums[3 * block + 2]!) / Math.sqrt(3);
    if (length < least) continue;
    const [row, column] = [Math.floor(block / columns), block % columns];
    for (let v = Math.max(0, row - 1); v <= Math.min(columns - 1, row + 1); v++)
      for (let u = Math.max(0, column - 1); u <= Math.min(columns - 1, column + 1); u++)
        marked[v * columns + u] = 1;
  }
  return (x, y) => marked[Math.floor(y / BLOCK) * columns + Math.floor(x / BLOCK)] === 1;
}

interface Pair {
  readonly dub: Uint8Array;
  readonly source: Uint8Array;
  readonly difference: Float32Array;
  readonly side: number;
}

/** Steps in the difference lower than this are not looked at. */
const LEAST = 2.5;

/** As a part of the picture's side: how far a jaw or a lip may have moved and still be known by its step. */
const NEAR = 0.06;

/** A step of the source within this share of a step of the dub is the same edge: a jaw's edge only moves. */
const ALIKE = 0.5;

/** The step of the difference at a place, unless the source has a step like the dub's near there; then 0. */
function unexplained(
  { dub, source, difference, side }: Pair,
  x: number,
  y: number,
  normal: readonly [number, number],
): number {
  const height = heightAt(difference, side, x, y, normal);
  if (height < LEAST) return 0;
  const own = stepAt(dub, side, x, y, normal);
  const far = Math.round(NEAR * side);
  const most = ALIKE * Math.hypot(...own);
  for (let k = -far; k <= far; k += GRID) {
    const other = stepAt(source, side, x + k * normal[0], y + k * normal[1], normal);
    if (Math.hypot(own[0] - other[0], own[1] - other[1], own[2] - other[2]) < most) return 0;
  }
  return height;
}

function stepAt(
  picture: Uint8Array,
  side: number,
  x: number,
  y: number,
  normal: readonly [number, number],
): [number, number, number] {
  const a = sideOf(picture, side, x, y, normal, 1).mean;
  const b = sideOf(picture, side, x, y, normal, -1).mean;
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

/** Steps are kept in quarters of a level. */
const SCALE = 4;

/**
 * The height of the seam over some frames, in levels: of the place that is the sixteenth highest, each with its
 * median over the frames. A jaw that opens wider than the source's makes steps too, but not for long in one place.
 */
export function seamOver(frames: readonly SeamHeights[]): number {
  const [first] = frames;
  if (!first) return Number.NaN;
  const column = new Uint8Array(frames.length);
  const heights = first.map((_, place) => {
    for (const [i, frame] of frames.entries()) column[i] = frame[place]!;
    return column.sort()[(column.length - 1) >> 1]!;
  });
  return (heights.sort()[heights.length - PLACES] ?? 0) / SCALE;
}

/** Of a step that is a seam, this much is made by the two rows of pixels that meet; of a soft passage, half. */
const HARD = 0.7;

/** How much higher one side lies than the other, if the lower one lies still and the step is a hard one; else 0. */
function heightAt(
  difference: Float32Array,
  side: number,
  x: number,
  y: number,
  normal: readonly [number, number],
): number {
  const a = sideOf(difference, side, x, y, normal, 1);
  const b = sideOf(difference, side, x, y, normal, -1);
  const [still, moved] = a.spread < b.spread ? [a, b] : [b, a];
  const height = levelsBetween(moved.mean, still.mean);
  if (still.spread >= 0.25 * height + 0.5) return 0;
  const near = levelsBetween(
    sideOf(difference, side, x, y, normal, 1, 1).mean,
    sideOf(difference, side, x, y, normal, -1, 1).mean,
  );
  return near >= HARD * height ? height : 0;
}

function levelsBetween(a: Color, b: Color): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]) / Math.sqrt(3);
}

type Color = readonly [number, number, number];

/** Mean difference (RGB) and mean absolute difference of a strip along one side of a line. */
function sideOf(
  difference: ArrayLike<number>,
  side: number,
  x: number,
  y: number,
  [nx, ny]: readonly [number, number],
  sign: 1 | -1,
  depth = DEPTH,
): { mean: [number, number, number]; spread: number } {
  let [r, g, b, spread] = [0, 0, 0, 0];
  for (let along = -HALF; along <= HALF; along++) {
    for (let across = 1; across <= depth; across++) {
      const u = x + sign * across * nx - along * ny;
      const v = y + sign * across * ny + along * nx;
      const at = (v * side + u) * 3;
      const [dr, dg, db] = [difference[at]!, difference[at + 1]!, difference[at + 2]!];
      r += dr;
      g += dg;
      b += db;
      spread += Math.abs(dr) + Math.abs(dg) + Math.abs(db);
    }
  }
  const count = (2 * HALF + 1) * depth;
  return { mean: [r / count, g / count, b / count], spread: spread / (3 * count) };
}
