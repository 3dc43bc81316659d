/** The second look: the pixels of dub and source beside each other, frame by frame, as numbers. */
import { framesInOrder } from '../avatar/frames-in-order.ts';
import type { Box } from '../core/box.ts';
import { type Image, image } from '../image/image.ts';
import type { Frame, VideoSource } from '../media/source.ts';
import { type ColorMap, type ColorPairs, mapColor } from './color-fit.ts';
import { areasOf, type CutAreas, cutFace, grown, lumaOfImage, sideOfCuts } from './face-cut.ts';
import { flicker } from './flicker.ts';
import { differenceOf, type SeamHeights, seamHeights, seamOver } from './seam.ts';
import type { SeenFace } from './seen-faces.ts';
import { detail } from './sharpness.ts';
import { cellsOutside, type Sketch, sketchOf } from './sketch.ts';
import { median } from './statistics.ts';

/** Cells across of the sketches by which pixels outside the mask are compared. */
const OUTSIDE_COLUMNS = 96;

/** Levels by which a cell must differ to count as changed: more than coarse encoding makes of it. */
const CHANGED = 10;

/** Frames over which a seam must stay where it is. */
const SEAM_FRAMES = 13;

/** What a dub may change: the face's box, this much enlarged. */
const MASK_REACH = 1.4;

/** One number for each frame; NaN where it cannot be measured. */
export interface PixelSeries {
  /** Detail of the mouth relative to that of the upper face. */
  readonly mouthDetail: Float32Array;
  /** The same of the source's frame. */
  readonly sourceMouthDetail: Float32Array;
  /** Flicker of cheeks and chin, and of the upper face, in levels. */
  readonly flicker: Float32Array;
  readonly upperFlicker: Float32Array;
  readonly sourceFlicker: Float32Array;
  /** Height of the seam, in levels. */
  readonly seam: Float32Array;
  /** How far the colour of cheeks and chin is off the source's, in levels. */
  readonly tint: Float32Array;
  /** Share of the cells outside the mask that have changed, and their mean change in levels. */
  readonly outside: Float32Array;
}

/** The source beside a dub. */
export interface PairedSource {
  readonly video: VideoSource;
  /** Frame of the source for each frame of the dub. */
  readonly frames: Int32Array;
  /** Source's colours → dub's. */
  readonly colors: ColorMap;
}

interface Watching {
  readonly signal?: AbortSignal | undefined;
  readonly onFrame?: ((done: number) => void) | undefined;
}

/** Measures every frame; with a source, against its frame. Memory does not grow with the length. */
export async function measurePixels(
  video: VideoSource,
  faces: readonly (SeenFace | null)[],
  source: PairedSource | undefined,
  { signal, onFrame }: Watching,
): Promise<PixelSeries> {
  const series = emptySeries(faces.length);
  const side = sideOfCuts(median(faces.flatMap((face) => (face ? [face.box.x2 - face.box.x1] : []))) || 0);
  const others = source && framesInOrder(source.video, source.frames)[Symbol.asyncIterator]();
  const own = new LastCuts(side);
  const theirs = new LastCuts(side);
  const seams: SeamHeights[] = [];
  try {
    for await (const frame of video.frames(0, faces.length)) {
      signal?.throwIfAborted();
      const face = faces[frame.index] ?? null;
      const other = (await others?.next())?.value ?? undefined;
      const expected = other && source && recolored(sameSize(other, frame), source.colors);
      if (expected) series.outside[frame.index] = changedOutside(frame, expected, face?.box ?? null);
      measureFace(series, frame, expected, face, frame.index, own, theirs, seams);
      onFrame?.(frame.index + 1);
    }
  } finally {
    await others?.return?.(undefined);
  }
  return series;
}

/** Frames whose colours are compared. */
const COLOR_FRAMES = 3;

/** Colours of places outside the faces of a few frames of dub and source. */
export async function collectColors(
  video: VideoSource,
  faces: readonly (SeenFace | null)[],
  source: Pick<PairedSource, 'video' | 'frames'>,
): Promise<ColorPairs> {
  const pairs: { source: number[]; dub: number[] } = { source: [], dub: [] };
  const count = Math.min(COLOR_FRAMES, faces.length);
  const chosen = Array.from({ length: count }, (_, k) => Math.floor(((k + 0.5) * faces.length) / count));
  const own = await sketchesOf(video, chosen, video);
  const theirs = await sketchesOf(
    source.video,
    chosen.map((index) => source.frames[index]!),
    video,
  );
  for (const index of chosen) {
    const [a, b] = [own.get(index), theirs.get(source.frames[index]!)];
    if (!a || !b) continue;
    const outside = cellsOutside(maskOf(faces[index]?.box ?? null), a, video, OUTSIDE_COLUMNS);
    for (const [cell, out] of outside.entries()) {
      if (!out) continue;
      pairs.dub.push(...a.colors.subarray(3 * cell, 3 * cell + 3));
      pairs.source.push(...b.colors.subarray(3 * cell, 3 * cell + 3));
    }
  }
  return pairs;
}

async function sketchesOf(
  video: VideoSource,
  frames: readonly number[],
  size: { readonly width: number; readonly height: number },
): Promise<Map<number, Sketch>> {
  const sketches = new Map<number, Sketch>();
  for await (const frame of framesAt(video, frames))
    sketches.set(frame.index, sketchOf(sameSize(frame, size), OUTSIDE_COLUMNS));
  return sketches;
}

/** Frames no further apart are read by one decoder: to start another takes longer. */
const ONE_DECODER = 60;

/** Some frames of a video, in rising order, each once. */
export async function* framesAt(video: VideoSource, numbers: Iterable<number>): AsyncGenerator<Frame> {
  const rising = [...new Set(numbers)].sort((a, b) => a - b);
  let group: number[] = [];
  for (const number of rising) {
    if (number - (group.at(-1) ?? number) > ONE_DECODER) {
      yield* framesInOrder(video, group);
      group = [];
    }
    group.push(number);
  }
  if (group.length > 0) yield* framesInOrder(video, group);
}

/** What lies in this box may be changed by a dub. */
function maskOf(box: Box | null): Box | null {
  return box && grown(box, MASK_REACH);
}

function emptySeries(length: number): PixelSeries {
  const series = () => new Float32Array(length).fill(Number.NaN);
  return {
    ...{ mouthDetail: series(), sourceMouthDetail: series() },
    ...{ flicker: series(), upperFlicker: series(), sourceFlicker: series() },
    ...{ seam: series(), tint: series(), outside: series() },
  };
}

function measureFace(
  series: PixelSeries,
  frame: Image,
  expected: Image | undefined,
  face: SeenFace | null,
  index: number,
  own: LastCuts,
  theirs: LastCuts,
  seams: SeamHeights[],
): void {
  if (!face) {
    own.forget();
    theirs.forget();
    seams.length = 0;
    return;
  }
  if (Number.isNaN(face.movement)) own.forget(); // a cut
  const areas = areasOf(face.box, face.mouth, own.side);
  const cut = own.add(frame, face.box);
  series.mouthDetail[index] = detailRatio(cut.luma, own.side, areas);
  const flickers = own.flickers(areas);
  if (flickers && index > 0) {
    series.flicker[index - 1] = flickers.lower;
    series.upperFlicker[index - 1] = flickers.upper;
  }
  if (!expected) return;
  if (Number.isNaN(face.movement)) {
    theirs.forget();
    seams.length = 0;
  }
  const wanted = theirs.add(expected, face.box);
  series.sourceMouthDetail[index] = detailRatio(wanted.luma, own.side, areas);
  const theirFlickers = theirs.flickers(areas);
  if (theirFlickers && index > 0) series.sourceFlicker[index - 1] = theirFlickers.lower;
  const difference = differenceOf(cut.picture.data, wanted.picture.data);
  const { lower, upper, lips } = areas;
  const all = { x1: 0, y1: upper.y1, x2: own.side, y2: own.side };
  seams.push(seamHeights(cut.picture.data, wanted.picture.data, own.side, { area: all, lips }));
  if (seams.length > SEAM_FRAMES) seams.shift();
  if (seams.length === SEAM_FRAMES) series.seam[index - (SEAM_FRAMES >> 1)] = seamOver(seams);
  series.tint[index] = tintOf(difference, own.side, lower, lips, upper);
}

function detailRatio(luma: Float32Array, side: number, { mouth, upper }: CutAreas): number {
  return Math.sqrt(detail(luma, side, mouth) / (detail(luma, side, upper) + 1e-3));
}

/** How much further the colour of the lower face is off than that of the upper face: length of the mean, in levels. */
function tintOf(difference: Float32Array, side: number, lower: Box, lips: Box, upper: Box): number {
  const below = meanColor(difference, side, lower, lips);
  const above = meanColor(difference, side, upper);
  return Math.hypot(...below.map((value, c) => value - above[c]!)) / Math.sqrt(3);
}

function meanColor(values: Float32Array, side: number, box: Box, but?: Box): number[] {
  const sums = [0, 0, 0];
  let count = 0;
  for (let y = box.y1; y < box.y2; y++) {
    for (let x = box.x1; x < box.x2; x++) {
      if (but && x >= but.x1 && x < but.x2 && y >= but.y1 && y < but.y2) continue;
      for (let c = 0; c < 3; c++) sums[c]! += values[(y * side + x) * 3 + c]!;
      count++;
    }
  }
  return sums.map((sum) => sum / Math.max(count, 1));
}

function changedOutside(frame: Image, expected: Image, box: Box | null): number {
  const [a, b] = [sketchOf(frame, OUTSIDE_COLUMNS), sketchOf(expected, OUTSIDE_COLUMNS)];
  const outside = cellsOutside(maskOf(box), a, frame, OUTSIDE_COLUMNS);
  let [changed, count] = [0, 0];
  for (const [cell, out] of outside.entries()) {
    if (!out) continue;
    count++;
    for (let c = 0; c < 3; c++) {
      if (Math.abs(a.colors[3 * cell + c]! - b.colors[3 * cell + c]!) <= CHANGED) continue;
      changed++;
      break;
    }
  }
  return count === 0 ? Number.NaN : changed / count;
}

/** The picture with the colours that the dub is known to have; the same picture where they are the same. */
function recolored(picture: Image, map: ColorMap): Image {
  if (map.every((value, i) => value === (i % 5 === 0 ? 1 : 0))) return picture;
  const result = image(picture.width, picture.height, 3);
  const { data } = picture;
  for (let at = 0; at < data.length; at += 3) {
    const mapped = mapColor(map, data[at]!, data[at + 1]!, data[at + 2]!);
    for (let c = 0; c < 3; c++) result.data[at + c] = Math.min(255, Math.max(0, Math.round(mapped[c]!)));
  }
  return result;
}

/** A source of odd size is one pixel smaller than its dub, whose edge repeats. */
function sameSize(picture: Image, { width, height }: Pick<Image, 'width' | 'height'>): Image {
  if (picture.width === width && picture.height === height) return picture;
  const result = image(width, height, 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (Math.min(y, picture.height - 1) * picture.width + Math.min(x, picture.width - 1)) * 3;
      for (let c = 0; c < 3; c++) result.data[(y * width + x) * 3 + c] = picture.data[from + c]!;
    }
  }
  return result;
}

/** The cuts of up to three successive frames. */
class LastCuts {
  readonly side: number;
  readonly #lumas: Float32Array[] = [];

  constructor(side: number) {
    this.side = side;
  }

  add(frame: Image, box: Box): { picture: Image; luma: Float32Array } {
    const picture = cutFace(frame, box, this.side);
    const luma = lumaOfImage(picture);
    this.#lumas.push(luma);
    if (this.#lumas.length > 3) this.#lumas.shift();
    return { picture, luma };
  }

  /** Of the frame before the last added, where three are known. */
  flickers({ lower, upper, lips }: CutAreas): { lower: number; upper: number } | undefined {
    const [a, b, c] = this.#lumas;
    if (!a || !b || !c) return undefined;
    return {
      lower: flicker([a, b, c], this.side, lower, lips),
      upper: flicker([a, b, c], this.side, upper),
    };
  }

  forget(): void {
    this.#lumas.length = 0;
  }
}
