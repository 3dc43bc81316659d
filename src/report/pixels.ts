/** The second look: the pixels of dub and source beside each other, frame by frame, as numbers. */
import { framesInOrder } from '../avatar/frames-in-order.ts';
import type { Box } from '../core/box.ts';
import { type Image, image } from '../image/image.ts';
import type { Frame, VideoSource } from '../media/source.ts';
import { giveBack } from '../media/spare-frames.ts';
import { type ColorFit, type ColorMap, fitColors, mapColor } from './color-fit.ts';
import { grown, sideOfCuts } from './face-cut.ts';
import { FaceWatch } from './face-watch.ts';
import type { PixelSeries } from './pixel-series.ts';
import type { SeenFace } from './seen-faces.ts';
import { cellsOutside, sketchOf } from './sketch.ts';
import { median } from './statistics.ts';

/** Cells across of the sketches by which pixels outside the mask are compared. */
const OUTSIDE_COLUMNS = 96;

/** Levels by which a cell must differ to count as changed: more than coarse encoding makes of it. */
const CHANGED = 10;

/** Frames from one look at the pixels outside the mask to the next. */
const OUTSIDE_STEP = 3;

/** What a dub may change: the face's box, this much enlarged. */
const MASK_REACH = 1.4;

/** The source beside a dub. */
export interface PairedSource {
  readonly video: VideoSource;
  /** Frame of the source for each frame of the dub. */
  readonly frames: Int32Array;
}

interface Watching {
  readonly signal?: AbortSignal | undefined;
  readonly onFrame?: ((done: number) => void) | undefined;
}

/** What two videos' pixels tell of each other. */
interface PixelLook {
  readonly series: PixelSeries;
  /** Undefined without a source. */
  readonly colors: ColorFit | undefined;
}

/**
 * Measures every frame; with a source, against its frame, in the dub's colours where these are found to be others.
 * Memory does not grow with the length.
 */
export async function measurePixels(
  video: VideoSource,
  faces: readonly (SeenFace | null)[],
  source: PairedSource | undefined,
  watching: Watching,
): Promise<PixelLook> {
  if (!source) return { series: await lookThrough(video, faces, undefined, watching), colors: undefined };
  const pairs = { source: [], dub: [] };
  const series = await lookThrough(video, faces, { ...source, pairs }, watching);
  const colors = fitColors(pairs);
  if (colors.kind === 'same') return { series, colors };
  return { series: await lookThrough(video, faces, { ...source, map: colors.map }, watching), colors };
}

/** The source, and what is to be done about its colours: to note them beside the dub's, or to change them. */
interface ComparedSource extends PairedSource {
  readonly pairs?: { readonly source: number[]; readonly dub: number[] };
  readonly map?: ColorMap;
}

async function lookThrough(
  video: VideoSource,
  faces: readonly (SeenFace | null)[],
  source: ComparedSource | undefined,
  { signal, onFrame }: Watching,
): Promise<PixelSeries> {
  const series = emptySeries(faces.length);
  const side = sideOfCuts(median(faces.flatMap((face) => (face ? [face.box.x2 - face.box.x1] : []))) || 0);
  const others = source && framesInOrder(source.video, source.frames)[Symbol.asyncIterator]();
  const watch = new FaceWatch(series, side);
  const compared = new Set(colorFrames(faces.length));
  try {
    for await (const frame of video.frames(0, faces.length)) {
      signal?.throwIfAborted();
      const face = faces[frame.index] ?? null;
      const other = (await others?.next())?.value ?? undefined;
      const expected = other && once(() => recolored(sameSize(other, frame), source?.map));
      if (expected) lookOutside(series.outside, frame, expected, face?.box ?? null);
      if (expected && source?.pairs && compared.has(frame.index))
        noteColors(source.pairs, frame, expected(), face?.box ?? null);
      watch.add(frame.index, frame, face, () => expected?.());
      giveBack(frame);
      if (other) giveBack(other);
      onFrame?.(frame.index + 1);
    }
  } finally {
    await others?.return?.(undefined);
  }
  watch.finish();
  return series;
}

/** Makes a thing when it is first asked for, and keeps it. */
function once<T>(make: () => T): () => T {
  let made: { readonly thing: T } | undefined;
  return () => {
    made ??= { thing: make() };
    return made.thing;
  };
}

/** Frames whose colours are compared. */
const COLOR_FRAMES = 3;

function colorFrames(count: number): number[] {
  const chosen = Math.min(COLOR_FRAMES, count);
  return Array.from({ length: chosen }, (_, k) => Math.floor(((k + 0.5) * count) / chosen));
}

/** Notes the colours of places outside the face. */
function noteColors(
  pairs: { readonly source: number[]; readonly dub: number[] },
  frame: Image,
  expected: Image,
  box: Box | null,
): void {
  const [dub, source] = [sketchOf(frame, OUTSIDE_COLUMNS), sketchOf(expected, OUTSIDE_COLUMNS)];
  for (const [cell, out] of cellsOutside(maskOf(box), dub, frame, OUTSIDE_COLUMNS).entries()) {
    if (!out) continue;
    pairs.dub.push(...dub.colors.subarray(3 * cell, 3 * cell + 3));
    pairs.source.push(...source.colors.subarray(3 * cell, 3 * cell + 3));
  }
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

function lookOutside(outside: Float32Array, frame: Frame, expected: () => Image, box: Box | null): void {
  const { index } = frame;
  outside[index] = index % OUTSIDE_STEP === 0 ? changedOutside(frame, expected(), box) : outside[index - 1]!;
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
function recolored(picture: Image, map: ColorMap | undefined): Image {
  if (!map) return picture;
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
