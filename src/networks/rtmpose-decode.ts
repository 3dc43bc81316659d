/**
 * Which part of a frame RTMPose sees, and where the points that it names lie in the frame.
 */
import type { Point } from '../core/box.ts';

/** Size of the picture that the network sees. */
export const INPUT_WIDTH = 288;

/** Height of the network's picture. */
export const INPUT_HEIGHT = 384;

/** Entries of a SimCC vector for each pixel. */
export const SPLITS = 2;

/** Body 0–16, feet 17–22, face 23–90 (68 points in iBUG's order), hands 91–132. */
export const POINTS = 133;

/** The first of the 68 points of the face. */
export const FIRST_FACE_POINT = 23;

/** How much more than the picture is shown, so that nothing lies at the border. */
const PADDING = 1.25;

const range = (from: number, to: number) => {
  const step = from <= to ? 1 : -1;
  return Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => from + i * step);
};

/** For each point the one that takes its place in a mirrored picture. */
export const FLIP_ORDER: readonly number[] = [
  ...[0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15], // body
  ...[20, 21, 22, 17, 18, 19], // feet
  ...range(39, 23), // jaw
  ...range(49, 40), // brows
  ...range(50, 53), // bridge of the nose
  ...range(58, 54), // nostrils
  ...[68, 67, 66, 65, 70, 69, 62, 61, 60, 59, 64, 63], // eyes
  ...range(77, 71), // outer lip, above
  ...range(82, 78), // outer lip, below
  ...range(87, 83), // inner lip, above
  ...range(90, 88), // inner lip, below
  ...range(112, 132), // hands
  ...range(91, 111),
];

/** The part of a frame that is shown to the network, in pixels of the frame. */
export interface Region {
  readonly centre: Point;
  readonly width: number;
  readonly height: number;
}

/**
 * The region round a frame, or round a box given by its centre and size: a quarter larger, and widened or
 * heightened to the shape of the network's picture.
 *
 * Upstream: always the whole frame; no person is looked for.
 */
export function rtmposeRegion({ centre, width, height }: Region): Region {
  const aspect = INPUT_WIDTH / INPUT_HEIGHT;
  const [w, h] = [Math.fround(width * PADDING), Math.fround(height * PADDING)];
  return w > h * aspect
    ? { centre, width: w, height: Math.fround(w / aspect) }
    : { centre, width: Math.fround(h * aspect), height: h };
}

/** The region of a whole frame. */
export function frameRegion(width: number, height: number): Region {
  return rtmposeRegion({ centre: { x: width / 2, y: height / 2 }, width, height });
}

/** The affine map [a, b, c, d, e, f] from pixels of the frame to pixels of the network's picture. */
export function rtmposeAffine({
  centre,
  width,
}: Region): readonly [number, number, number, number, number, number] {
  const scale = INPUT_WIDTH / width;
  return [scale, 0, INPUT_WIDTH / 2 - scale * centre.x, 0, scale, INPUT_HEIGHT / 2 - scale * centre.y];
}

/** A point that the network named. `score` ≤ 0 means that it saw none. */
export interface ScoredPoint extends Point {
  readonly score: number;
}

/**
 * The points of one picture, in pixels of the frame. A vector's largest entry (the first of equal ones) is the
 * place; the score is the smaller of both vectors' largest entries.
 *
 * x: [133, 576], y: [133, 768], one after another.
 *
 * Formula: `get_simcc_maximum` and SimCCLabel.decode in mmpose; coordinates are rounded to 32-bit floats.
 */
export function decodeSimcc(x: Float32Array, y: Float32Array, region: Region): ScoredPoint[] {
  const [columns, rows] = [INPUT_WIDTH * SPLITS, INPUT_HEIGHT * SPLITS];
  return Array.from({ length: x.length / columns }, (_, i) => {
    const inX = largest(x, i * columns, columns);
    const inY = largest(y, i * rows, rows);
    const score = Math.min(inX.value, inY.value);
    const seen = score > 0;
    // Upstream: an unseen point lies at −1, before the division by the splits.
    const [column, row] = seen ? [inX.index, inY.index] : [-1, -1];
    return {
      x: toFrame(column / SPLITS / INPUT_WIDTH, region.centre.x, region.width),
      y: toFrame(row / SPLITS / INPUT_HEIGHT, region.centre.y, region.height),
      score,
    };
  });
}

function toFrame(share: number, centre: number, size: number): number {
  return Math.fround(share * size + centre - 0.5 * size);
}

function largest(data: Float32Array, start: number, length: number): { index: number; value: number } {
  let index = 0;
  for (let i = 1; i < length; i++) {
    if (data[start + i]! > data[start + index]!) index = i;
  }
  return { index, value: data[start + index]! };
}
