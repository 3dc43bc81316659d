/** The close look at the face: detail, flicker, tint and seams, in cuts of the dub and of its source. */
import type { Box } from '../core/box.ts';
import type { Image } from '../image/image.ts';
import { areasOf, type CutAreas, cutFace, lumaOfImage } from './face-cut.ts';
import { flicker } from './flicker.ts';
import type { PixelSeries } from './pixel-series.ts';
import { SeamWatch } from './seam.ts';
import type { SeenFace } from './seen-faces.ts';
import { detail } from './sharpness.ts';

/**
 * Of each six frames of a shot, three in a row are looked at: flicker needs three, and more tell no more. What is seen
 * holds for all six.
 */
const LOOK = { at: 3, of: 6 };

/** Measures the faces of successive frames and writes what it finds into the series. */
export class FaceWatch {
  readonly #series: PixelSeries;
  readonly #side: number;
  readonly #seams: SeamWatch;
  #shot: { readonly start: number } | undefined;
  #look: Look | undefined;

  constructor(series: PixelSeries, side: number) {
    this.#series = series;
    this.#side = side;
    this.#seams = new SeamWatch(side);
  }

  /** Takes the next frame; `expected` gives the source's frame in the dub's colours, undefined where there is none. */
  add(index: number, frame: Image, face: SeenFace | null, expected: () => Image | undefined): void {
    if (!face || Number.isNaN(face.movement)) this.finish(); // no face, or a cut
    if (!face) return;
    this.#shot ??= { start: index };
    const phase = (index - this.#shot.start) % LOOK.of;
    if (phase === 0) this.#look = { own: [], theirs: [] };
    if (phase < LOOK.at) this.#measure(index, frame, face, expected(), this.#look!);
    else this.#hold(index, index - 1);
  }

  /** Ends the shot. */
  finish(): void {
    for (const { start, end, height } of this.#seams.finish()) this.#series.seam.fill(height, start, end);
    this.#shot = undefined;
  }

  #measure(
    index: number,
    frame: Image,
    { box, mouth }: SeenFace,
    expected: Image | undefined,
    look: Look,
  ): void {
    const series = this.#series;
    const side = this.#side;
    const areas = areasOf(box, mouth, side);
    const dub = cutFace(frame, box, side);
    const luma = lumaOfImage(dub);
    look.own.push(luma);
    series.mouthDetail[index] = detailRatio(luma, side, areas);
    const full = look.own.length === LOOK.at;
    const first = index + 1 - LOOK.at;
    if (full) {
      series.flicker.fill(flickerOf(look.own, side, areas.lower, areas.lips), first, index + 1);
      series.upperFlicker.fill(flickerOf(look.own, side, areas.upper), first, index + 1);
    }
    if (!expected) return;
    const source = cutFace(expected, box, side);
    const sourceLuma = lumaOfImage(source);
    look.theirs.push(sourceLuma);
    series.sourceMouthDetail[index] = detailRatio(sourceLuma, side, areas);
    series.tint[index] = tintOf(dub.data, source.data, side, areas);
    this.#seams.add(index, dub.data, source.data, areas.lips);
    if (!full) return;
    if (look.theirs.length === LOOK.at)
      series.sourceFlicker.fill(flickerOf(look.theirs, side, areas.lower, areas.lips), first, index + 1);
    this.#seams.measure(areas.upper.y1);
  }

  #hold(index: number, before: number): void {
    const { mouthDetail, sourceMouthDetail, flicker, upperFlicker, sourceFlicker, tint } = this.#series;
    for (const values of [mouthDetail, sourceMouthDetail, flicker, upperFlicker, sourceFlicker, tint])
      values[index] = values[before]!;
  }
}

/** Lumas of the cuts of frames in a row. */
interface Look {
  readonly own: Float32Array[];
  readonly theirs: Float32Array[];
}

function flickerOf(lumas: readonly Float32Array[], side: number, box: Box, but?: Box): number {
  return flicker([lumas[0]!, lumas[1]!, lumas[2]!], side, box, but);
}

function detailRatio(luma: Float32Array, side: number, { mouth, upper }: CutAreas): number {
  return Math.sqrt(detail(luma, side, mouth) / (detail(luma, side, upper) + 1e-3));
}

/** How much further the colour of the lower face is off than that of the upper face: length of the change, in levels. */
function tintOf(dub: Uint8Array, source: Uint8Array, side: number, { lower, lips, upper }: CutAreas): number {
  const below = usualChange(dub, source, side, lower, lips);
  const above = usualChange(dub, source, side, upper);
  return Math.hypot(...below.map((value, c) => value - above[c]!)) / Math.sqrt(3);
}

/**
 * The median change of each channel, in levels: a jaw or a fold of the skin that has moved changes few pixels by much,
 * a tint all. Between whole levels, as far as the pixels on either side say.
 */
function usualChange(dub: Uint8Array, source: Uint8Array, side: number, box: Box, but?: Box): number[] {
  const counts = [0, 1, 2].map(() => new Uint32Array(511));
  let count = 0;
  for (let y = box.y1; y < box.y2; y++) {
    const passes = but && y >= but.y1 && y < but.y2;
    for (let x = box.x1, at = (y * side + x) * 3; x < box.x2; x++, at += 3) {
      if (passes && x >= but.x1 && x < but.x2) continue;
      for (let c = 0; c < 3; c++) counts[c]![dub[at + c]! - source[at + c]! + 255]!++;
      count++;
    }
  }
  return counts.map((channel) => medianOf(channel, count) - 255);
}

function medianOf(counts: Uint32Array, count: number): number {
  let below = 0;
  for (let value = 0; value < counts.length; value++) {
    const here = counts[value]!;
    if (below + here >= count / 2 && here > 0) return value - 0.5 + (count / 2 - below) / here;
    below += here;
  }
  return 255; // no pixels, no change
}
