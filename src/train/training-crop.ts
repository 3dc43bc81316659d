/** The crop of a training sample in the second stage of 1.5, and where the mouth lies in it. */
import type { Box, Point } from '../core/box.ts';
import type { Random } from './random.ts';
import { landmarksInCrop } from './reference-choice.ts';

/** How the margin below the chin is drawn at random. */
export interface MarginOptions {
  /** Pixels of the picture. Default 10. */
  mean?: number;
  /** Default 10. */
  deviation?: number;
}

/**
 * A random margin below the chin: normal, limited to mean ± deviation and to 0 from below.
 *
 * The frames of a sample share one, each reference draws its own: with equal margins the height of the nose in the
 * crop would tell how far the chin is down, and the network need not listen.
 */
export function drawMargin(random: Random, { mean = 10, deviation = 10 }: MarginOptions = {}): number {
  const drawn = random.normal(mean, deviation);
  return Math.max(0, Math.min(Math.max(drawn, mean - deviation), mean + deviation));
}

/** The box with its lower edge moved down by a margin, at most to the picture's edge. */
export function withMarginBelow(box: Box, margin: number, pictureHeight: number): Box {
  return { ...box, y2: Math.min(box.y2 + Math.trunc(margin), pictureHeight) };
}

/** What of a crop counts as mouth. */
export interface MouthMaskOptions {
  /** Of the crop, in pixels of the picture. */
  margin: number;
  /** Width of the picture. Only where the margin is part of the crop; else the margin counts in full. */
  pictureWidth?: number | undefined;
  /** Added on either side, in pixels of the crop. Default 10. */
  padding?: number;
  /** Side of the crop. Default 256. */
  size?: number;
}

/** Outer and inner lips. Upstream: the last of them is left out. */
const LIPS = [48, 67] as const;

/**
 * The box of the mouth in a crop of 256 pixels a side: as wide as the lips with padding, half as high, on whole
 * pixels (halves to the even one). `box` is that of the face without margin.
 *
 * Upstream: shifted up by the margin times the crop's share of the picture's width, a rough correction; and cut off
 * at the size of the box in the picture, though the mask is of the crop.
 */
export function mouthMaskBox(landmarks: readonly Point[], box: Box, options: MouthMaskOptions): Box {
  const { margin, pictureWidth, padding = 10, size = 256 } = options;
  const lips = landmarksInCrop(landmarks, box, size).slice(...LIPS);
  const [x, y] = [lips.map((point) => point.x), lips.map((point) => point.y)];
  const [left, right] = [Math.min(...x) - padding, Math.max(...x) + padding];
  const share = pictureWidth === undefined ? 1 : (box.x2 - box.x1) / pictureWidth;
  const middle = (Math.min(...y) + Math.max(...y)) / 2 - margin * share;
  const reach = (right - left) / 4;
  const within = (at: number, limit: number) => roundHalfEven(Math.min(Math.max(at, 0), limit));
  return {
    x1: within(left, box.x2 - box.x1),
    y1: within(middle - reach, box.y2 - box.y1),
    x2: within(right, box.x2 - box.x1),
    y2: within(middle + reach, box.y2 - box.y1),
  };
}

function roundHalfEven(value: number): number {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}
