/**
 * Which frame of a clip is shown to the network as the reference for another ("informative frame sampling" in the
 * article): one whose head is turned alike and whose mouth is not. A reference with the same mouth would be copied
 * and the sound ignored; one with another pose would take all the training to turn the head.
 *
 * Upstream: landmarks are 68 points in the order of iBUG, and the ranges below leave out the last of each part.
 */
import type { Box, Point } from '../core/box.ts';
import type { Random } from './random.ts';

/** Landmarks by which poses are compared (the jaw), and mouths (the inner lips); ends are excluded. */
const JAW = [0, 16] as const;
const INNER_LIPS = [60, 67] as const;

/** Frames nearer than this to the target are no use as a reference. */
const APART = 5;

/** The faces of a clip: per frame the detector's box and 68 landmarks, in pixels of the picture. */
export interface ClipFaces {
  readonly boxes: readonly Box[];
  readonly landmarks: readonly (readonly Point[])[];
}

/** The smallest box around a detected box and all landmarks; not below 0, but open to the right and below. */
export function unionBox(box: Box, landmarks: readonly Point[]): Box {
  const [x, y] = [landmarks.map((point) => point.x), landmarks.map((point) => point.y)];
  return {
    x1: Math.max(0, Math.min(box.x1, ...x)),
    y1: Math.max(0, Math.min(box.y1, ...y)),
    x2: Math.max(box.x2, ...x),
    y2: Math.max(box.y2, ...y),
  };
}

/** Landmarks in a crop of `size` × `size` pixels, whose aspect is not kept. */
export function landmarksInCrop(landmarks: readonly Point[], box: Box, size = 256): Point[] {
  const [across, down] = [size / (box.x2 - box.x1), size / (box.y2 - box.y1)];
  return landmarks.map(({ x, y }) => ({ x: (x - box.x1) * across, y: (y - box.y1) * down }));
}

/** Every frame's landmarks in its own crop of 256 pixels a side. */
export function clipInCrops({ boxes, landmarks }: ClipFaces): Point[][] {
  return landmarks.map((points, i) => landmarksInCrop(points, unionBox(boxes[i]!, points)));
}

/** Mean distance of the landmarks first … last − 1 from those of frame `target`, for each frame. */
function distances(
  crops: readonly (readonly Point[])[],
  target: number,
  [first, last]: readonly [number, number],
): number[] {
  const to = crops[target]!;
  return crops.map((points) => {
    let sum = 0;
    for (let k = first; k < last; k++) sum += Math.hypot(points[k]!.x - to[k]!.x, points[k]!.y - to[k]!.y);
    return sum / (last - first);
  });
}

/** The frames whose pose is most like the target's, nearest first, itself left out: `ratio` of all frames. */
export function alikePoses(crops: readonly (readonly Point[])[], target: number, ratio = 0.51): number[] {
  return ranked(distances(crops, target, JAW), 1).slice(1, Math.floor(ratio * crops.length) + 1);
}

/** The frames whose mouth is least like the target's, farthest first: `ratio` of all frames. */
export function unlikeMouths(crops: readonly (readonly Point[])[], target: number, ratio = 0.51): number[] {
  return ranked(distances(crops, target, INNER_LIPS), -1).slice(0, Math.floor(ratio * crops.length));
}

/** Frames by rising (or, with −1, falling) distance. */
function ranked(distance: readonly number[], direction: 1 | -1): number[] {
  return distance.map((_, i) => i).sort((a, b) => direction * (distance[a]! - distance[b]!));
}

/** How the reference frame of a sample is chosen. */
export interface ReferenceOptions {
  /** How many of the clip's frames count as alike and as unlike. Default 0.51. */
  ratio?: number;
  /** Frames of a sample: 1 in the first stage, 16 in the second. It widens the search around the target. */
  frames?: number;
}

/**
 * The reference for a target frame: one of those that are alike in pose and unlike in mouth. Where there is none,
 * or the chosen one is near the target, one nearby but not too near.
 *
 * Upstream: the frames nearby are ±5 · frames, so that a single frame's reference then lies 5 away on either side;
 * and limiting it to the clip may bring it nearer again.
 */
export function chooseReference(
  crops: readonly (readonly Point[])[],
  target: number,
  random: Random,
  { ratio = 0.51, frames = 1 }: ReferenceOptions = {},
): number {
  const nearby = () => random.integer(target - 5 * frames, target + 5 * frames);
  const unlike = new Set(unlikeMouths(crops, target, ratio));
  const both = alikePoses(crops, target, ratio).filter((frame) => unlike.has(frame));
  let frame = both.length > 0 ? random.pick(both) : nearby();
  while (Math.abs(frame - target) < APART) frame = nearby();
  return Math.min(Math.max(frame, 0), crops.length - 1);
}

/** 1.0's choice: any frame of the clip more than 5 away, or none in a clip of 11 frames or fewer. */
export function chooseAnyReference(count: number, target: number, random: Random): number | undefined {
  if (count <= 11) return undefined;
  let frame = target;
  while (Math.abs(frame - target) <= APART) frame = random.integer(0, count - 1);
  return frame;
}
