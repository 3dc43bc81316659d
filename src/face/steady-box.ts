/**
 * The steady frame of reference of a shot: where the skull is in each frame, whatever the mouth does, and a box
 * that goes with the skull. A box that followed the chin would shake, and would tell how open the mouth is.
 *
 * Training and use of `mini` cut their pictures out by these boxes.
 */
import type { Affine, TurnedBox } from '../image/warp.ts';
import { applyAffine, invertAffine } from '../image/warp.ts';
import { landmarks68 } from './landmarks68.ts';
import { lipOpening } from './lip-measure.ts';
import type { Mesh } from './mesh.ts';
import { fitSimilarity, scaleOf } from './similarity.ts';
import { gaussianOverTime } from './smooth.ts';

/** Ten vertices that do not move with the mouth: corners of the eyes, bridge and tip of the nose. */
const RIGID_VERTICES: readonly number[] = [33, 133, 362, 263, 168, 6, 197, 195, 5, 4];

/** Rounds of fitting every frame to the median shape and taking the median again. */
const ROUNDS = 3;

/**
 * The box reaches below the closed chin by a tenth of the reach at least, and a little further than the chin of this
 * shot does: a jaw that stuck out of the box would be seen below the one that is drawn.
 */
const ROOM = { least: 0.1, beyondChin: 0.02, share: 0.98 };
const WIDTH_OF_FACE = 1.04;
/** The tip of the chin. */
const CHIN = 152;

/** The share of frames, those with the least open lips, that the closed mouth is taken from. */
const CLOSED_SHARE = 0.3;

/** One frame of a shot. */
export interface SteadyFrame {
  /** What to cut out, in pixels of the frame, with fractions; upright (angle 0). */
  readonly box: TurnedBox;
  /** The 468 points in the shot's frame of reference: x, y after one another. */
  readonly aligned: Float32Array;
  /** From pixels of the frame to the shot's frame of reference: scale, turn and shift. */
  readonly toShot: Affine;
  /** How far the lips are apart, as a share of the box height: closed below 0.01. */
  readonly opening: number;
}

/** The frames of a shot in one frame of reference, whose unit is about a pixel. */
export interface SteadyShot {
  /** `null` where there is no face. */
  readonly frames: readonly (SteadyFrame | null)[];
  /** The shape with the mouth closed: the mean over the frames with the least open lips; x, y of 468 points. */
  readonly neutral: Float32Array;
  /** From the middle line (point 29 of 68) down to the chin, mouth closed. Divide shapes by it to compare faces. */
  readonly reach: number;
  /** The box in the shot's frame of reference; its middle row is the middle line. */
  readonly box: TurnedBox;
}

/** How steady a box is kept. */
export interface SteadyOptions {
  /** Standard deviation of the smoothing of place and size over time, in frames; default 1.5, 0 for none. */
  readonly smoothing?: number;
}

/**
 * The steady boxes of one shot.
 *
 * meshes: one per frame, in pixels, `null` where there is no face; at least one must be given.
 *
 * @throws RangeError when no frame has a face.
 */
export function steadyShot(
  meshes: readonly (Mesh | null)[],
  { smoothing = 1.5 }: SteadyOptions = {},
): SteadyShot {
  const found = meshes.filter((mesh) => mesh !== null);
  if (found.length === 0) throw new RangeError('a shot without a face has no steady box');

  const reference = medianShape(found.map(rigidPoints));
  const toShot = meshes.map((mesh) => mesh && fitSimilarity(rigidPoints(mesh), reference));
  const aligned = meshes.map((mesh, i) => mesh && mapMesh(mesh, toShot[i]!));
  const neutral = neutralShape(aligned.filter((shape) => shape !== null));
  const { box, reach } = boxOfShape(
    neutral,
    aligned.filter((shape) => shape !== null),
  );

  const boxes = smoothBoxes(
    toShot.map((map) => map && boxInFrame(box, map)),
    smoothing,
  );
  const frames = meshes.map((_, i): SteadyFrame | null => {
    const shape = aligned[i];
    if (!shape) return null;
    const opening = lipOpening(shape, 2) / box.height;
    return { box: boxes[i]!, aligned: shape, toShot: toShot[i]!, opening };
  });
  return { frames, neutral, reach, box };
}

function rigidPoints(mesh: Mesh): Float64Array {
  return Float64Array.from(RIGID_VERTICES.flatMap((v) => [mesh[3 * v]!, mesh[3 * v + 1]!]));
}

/** The median of shapes after each has been fitted to it. */
function medianShape(shapes: readonly Float64Array[]): Float64Array {
  let median = medianOf(shapes);
  for (let round = 1; round < ROUNDS; round++) {
    const to = median;
    median = medianOf(shapes.map((shape) => mapPoints(shape, fitSimilarity(shape, to))));
  }
  return median;
}

function medianOf(shapes: readonly Float64Array[]): Float64Array {
  const column = new Float64Array(shapes.length);
  return shapes[0]!.map((_, i) => {
    for (const [k, shape] of shapes.entries()) column[k] = shape[i]!;
    column.sort();
    const middle = (column.length - 1) / 2;
    return (column[Math.floor(middle)]! + column[Math.ceil(middle)]!) / 2;
  });
}

function mapPoints(points: Float64Array, [a, b, c, d, e, f]: Affine): Float64Array {
  return points.map((value, i) =>
    i % 2 === 0 ? a * value + b * points[i + 1]! + c : d * points[i - 1]! + e * value + f,
  );
}

/** The points of a mesh in the plane of another frame of reference: x, y after one another. */
function mapMesh(mesh: Mesh, [a, b, c, d, e, f]: Affine): Float32Array {
  const plane = new Float32Array((mesh.length / 3) * 2);
  for (let i = 0, k = 0; i < mesh.length; i += 3, k += 2) {
    const [x, y] = [mesh[i]!, mesh[i + 1]!];
    plane[k] = a * x + b * y + c;
    plane[k + 1] = d * x + e * y + f;
  }
  return plane;
}

function neutralShape(shapes: readonly Float32Array[]): Float32Array {
  const closed = shapes
    .map((shape) => ({ shape, opening: lipOpening(shape, 2) }))
    .sort((a, b) => a.opening - b.opening)
    .slice(0, Math.max(Math.round(CLOSED_SHARE * shapes.length), 1));
  return shapes[0]!.map((_, i) => closed.reduce((sum, { shape }) => sum + shape[i]!, 0) / closed.length);
}

function boxOfShape(
  neutral: Float32Array,
  shapes: readonly Float32Array[],
): { box: TurnedBox; reach: number } {
  const points = landmarks68(neutral, { size: 2 });
  const xs = points.map(({ x }) => x);
  const middle = points[29]!.y;
  const reach = Math.max(...points.map(({ y }) => y)) - middle;
  const drops = shapes.map((shape) => (shape[2 * CHIN + 1]! - neutral[2 * CHIN + 1]!) / reach);
  drops.sort((a, b) => a - b);
  const lowest = drops[Math.floor(ROOM.share * (drops.length - 1))]!;
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const box: TurnedBox = {
    centre: { x: (left + right) / 2, y: middle },
    width: WIDTH_OF_FACE * (right - left),
    height: 2 * (1 + Math.max(ROOM.least, lowest + ROOM.beyondChin)) * reach,
    angle: 0,
  };
  return { box, reach };
}

/** The box where the skull is in a frame. The turn is left out: the box stays upright. */
function boxInFrame({ centre, width, height }: TurnedBox, toShot: Affine): TurnedBox {
  const scale = 1 / scaleOf(toShot);
  const place = applyAffine(invertAffine(toShot), centre);
  return { centre: place, width: width * scale, height: height * scale, angle: 0 };
}

function smoothBoxes(boxes: readonly (TurnedBox | null)[], sigma: number): (TurnedBox | null)[] {
  const rows = boxes.map((box) => box && [box.centre.x, box.centre.y, box.width, box.height]);
  return gaussianOverTime(rows, sigma).map((row) => {
    if (!row) return null;
    const [x, y, width, height] = row as [number, number, number, number];
    return { centre: { x, y }, width, height, angle: 0 };
  });
}
