/** The part of a frame round the face, brought to one size, so that frames of a video can be compared point by point. */
import type { Box } from '../core/box.ts';
import type { Image } from '../image/image.ts';
import { resample } from '../image/resample.ts';

/** The cut reaches this far beyond the face's box, so that all of the mask and its surroundings are inside. */
const MARGIN = 1.35;

/** Pixels of a side: near the face's own, so that nothing is sharpened or lost, within what is quick. */
const SIDES = { least: 96, most: 224 };

/** Where measures look, in pixels of the cut. */
export interface CutAreas {
  /** The lips and a little round them. */
  readonly mouth: Box;
  /** Forehead, eyes and nose: what a dub leaves alone. */
  readonly upper: Box;
  /** Cheeks and chin: what a dub draws anew; {@link CutAreas.lips} is not part of it. */
  readonly lower: Box;
  /** The lips and what moves with them. */
  readonly lips: Box;
}

/** Pixels of a side of the cuts of a video whose faces have these boxes. */
export function sideOfCuts(boxWidth: number): number {
  return Math.round(Math.min(SIDES.most, Math.max(SIDES.least, MARGIN * boxWidth)) / 2) * 2;
}

/** The square round a face, RGB, `side` pixels wide. */
export function cutFace(frame: Image, box: Box, side: number): Image {
  const { x, y, length } = squareOf(box);
  const step = length / side;
  return resample(frame, { start: x, step }, { start: y, step }, side, side);
}

/** Where the parts of a face lie in its cut. */
export function areasOf(box: Box, mouth: Box, side: number): CutAreas {
  const square = squareOf(box);
  const scale = side / square.length;
  const inCut = (part: Box): Box => ({
    x1: (part.x1 - square.x) * scale,
    y1: (part.y1 - square.y) * scale,
    x2: (part.x2 - square.x) * scale,
    y2: (part.y2 - square.y) * scale,
  });
  const face = inCut(box);
  const [width, height] = [face.x2 - face.x1, face.y2 - face.y1];
  const part = (x1: number, y1: number, x2: number, y2: number): Box => ({
    x1: face.x1 + x1 * width,
    y1: face.y1 + y1 * height,
    x2: face.x1 + x2 * width,
    y2: face.y1 + y2 * height,
  });
  const lips = inCut(mouth);
  return {
    mouth: whole(grown(lips, 1.15, 1.3), side),
    upper: whole(part(0.2, 0.08, 0.8, 0.48), side),
    lower: whole(part(0.12, 0.55, 0.88, 0.93), side),
    lips: whole(grown(lips, 1.35, 1.7), side),
  };
}

/** The box enlarged about its middle. */
export function grown({ x1, y1, x2, y2 }: Box, across: number, down = across): Box {
  const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
  const [w, h] = [((x2 - x1) / 2) * across, ((y2 - y1) / 2) * down];
  return { x1: x - w, y1: y - h, x2: x + w, y2: y + h };
}

function squareOf({ x1, y1, x2, y2 }: Box): { x: number; y: number; length: number } {
  const length = MARGIN * Math.max(x2 - x1, y2 - y1);
  return { x: (x1 + x2 - length) / 2, y: (y1 + y2 - length) / 2, length };
}

function whole({ x1, y1, x2, y2 }: Box, side: number): Box {
  const within = (value: number) => Math.min(side, Math.max(0, Math.round(value)));
  return { x1: within(x1), y1: within(y1), x2: within(x2), y2: within(y2) };
}

/** Luma (BT.601) of a picture, 0 … 255. */
export function lumaOfImage({ data, channels }: Image): Float32Array {
  const luma = new Float32Array(data.length / channels);
  for (let i = 0, at = 0; i < luma.length; i++, at += channels)
    luma[i] = 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!;
  return luma;
}
