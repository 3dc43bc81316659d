/** One look for seams: the places of a face's mean picture where one side is drawn anew and the other is not. */
import type { Box } from '../core/box.ts';

/** Pixels from one place that is looked at to the next. */
export const GRID = 2;

/** The mean of some frames. */
export interface Means {
  readonly dub: Float32Array;
  readonly source: Float32Array;
  /** Dub − source. */
  readonly difference: Float32Array;
  readonly side: number;
}

/** Directions across a line: each next one is turned by an eighth of a circle. */
export const NORMALS = [
  [1, 0],
  [1, 1],
  [0, 1],
  [-1, 1],
] as const;

/** Half the length of the piece of line that is looked at, in pixels. */
const HALF = 4;

/**
 * Pixels on either side of a line that are compared, from … to: a mask that is placed anew in each frame shakes by one.
 * A passage as wide as both sides is soft.
 */
const SIDES = { from: 2, to: 4 };

/** Pixels from the edge of the picture to where steps are looked for. */
const MARGIN = HALF + SIDES.to;

/** Steps lower than this are not looked at, in levels. */
const LEAST = 2;

/** A step where one side is drawn and the other is not. */
export interface Step {
  readonly x: number;
  readonly y: number;
  /** Number of its direction. */
  readonly normal: number;
  /** Which side of it is not drawn, 1 or −1 along the normal. */
  readonly still: 1 | -1;
  readonly height: number;
  /** From the side that lies still to the other. */
  readonly color: Color;
}

/** The highest step of each place, where there is one that a jaw or a collar does not explain. */
export function stepsOf(means: Means, { top, lips }: { top: number; lips: Box }): Step[] {
  const { side } = means;
  const margin = MARGIN + GRID;
  const even = (value: number) => GRID * Math.ceil(value / GRID);
  const steps: Step[] = [];
  for (let y = even(Math.max(margin, top)); y < side - margin; y += GRID) {
    for (let x = even(margin); x < side - margin; x += GRID) {
      if (x >= lips.x1 && x < lips.x2 && y >= lips.y1 && y < lips.y2) continue;
      let highest: Step | undefined;
      for (let normal = 0; normal < NORMALS.length; normal++) {
        if (!mayStep(means, x, y, normal)) continue;
        const step = stepAt(means, x, y, normal);
        if (step && step.height > (highest?.height ?? 0)) highest = step;
      }
      if (highest) steps.push(highest);
    }
  }
  return steps;
}

/** Whether the difference two pixels to one side is another than two pixels to the other: spares most places a look. */
function mayStep({ difference, side }: Means, x: number, y: number, normal: number): boolean {
  const [nx, ny] = NORMALS[normal]!;
  const step = 2 * (ny * side + nx) * 3;
  const along = (nx * side - ny) * 3;
  const at = (y * side + x) * 3;
  let sum = 0;
  for (let c = at; c < at + 3; c++)
    sum += Math.abs(
      difference[c + step]! +
        difference[c + step + along]! -
        difference[c - step]! -
        difference[c - step + along]!,
    );
  return sum > 4 * LEAST;
}

/** Of a step that is a seam, this much is an edge; of a soft passage, next to nothing. */
const HARD = 0.7;

/** The side that is not drawn may differ by this share of the step, and by this many levels of noise. */
const STILL = { share: 0.3, noise: 1 };

/** As a part of the step, what of it must be in the dub and not in the source: an edge that is gone is no seam. */
const OWN = 0.6;

function stepAt(means: Means, x: number, y: number, normal: number): Step | undefined {
  const { dub, difference, side } = means;
  const a = stripOf(difference, side, x, y, normal, 1);
  const b = stripOf(difference, side, x, y, normal, -1);
  const still = a.spread < b.spread ? 1 : -1;
  const sign = -still;
  const color = scaled(minus(a.mean, b.mean), sign);
  const height = levels(color);
  const [rest, noise] = still === 1 ? [levels(a.mean), a.spread] : [levels(b.mean), b.spread];
  if (height < LEAST || rest > STILL.share * height || noise > STILL.share * height + STILL.noise)
    return undefined;
  if (dot(edgeAt(difference, side, x, y, normal), color) * sign < HARD * dot(color, color)) return undefined;
  const own = scaled(edgeAt(dub, side, x, y, normal), sign);
  if (dot(own, color) < OWN * dot(color, color)) return undefined;
  if (hasMoved(means, x, y, normal, scaled(own, sign))) return undefined;
  return { x, y, normal, still, height, color };
}

/** As a part of the picture's side: how far a jaw or a lip may have moved and still be known by its step. */
const NEAR = 0.06;

/** A step of the source within this share of a step of the dub is the same edge: a jaw's edge only moves. */
const ALIKE = 0.5;

/** How many times as high as a step an edge is beside which it is nothing. */
const STRONG = 1.8;

/** Pixels within which an edge is the same one. */
const SAME = 2;

/** Whether the source has an edge at a place, or near it where the dub has none: it is the same edge, and has moved. */
function hasMoved(
  { dub, source, difference, side }: Means,
  x: number,
  y: number,
  normal: number,
  own: Color,
): boolean {
  const [nx, ny] = NORMALS[normal]!;
  const far = Math.round(NEAR * side);
  const most = ALIKE * ALIKE * dot(own, own);
  const alike = (picture: Float32Array, u: number, v: number) => {
    const apart = minus(own, edgeAt(picture, side, u, v, normal));
    return dot(apart, apart) < most;
  };
  const strong = (picture: Float32Array, u: number, v: number) => {
    const edge = edgeAt(picture, side, u, v, normal);
    return dot(edge, edge) > STRONG * STRONG * dot(own, own);
  };
  for (let k = -far; k <= far; k++) {
    const [u, v] = [x + k * nx, y + k * ny];
    if (Math.min(u, v) < MARGIN || Math.max(u, v) >= side - MARGIN) continue;
    if (alike(source, u, v) && (Math.abs(k) <= SAME || !alike(dub, u, v))) return true;
    if (strong(difference, u, v) && strong(source, u, v)) return true;
  }
  return false;
}

type Color = readonly [number, number, number];

function minus(a: Color, b: Color): Color {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

function scaled(a: Color, by: number): Color {
  return [by * a[0], by * a[1], by * a[2]];
}

function dot(a: Color, b: Color): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function levels(a: Color): number {
  return Math.hypot(a[0], a[1], a[2]) / Math.sqrt(3);
}

/** The hard part of a step: what the picture's own slope to either side, which may be steep, does not explain. */
function edgeAt(picture: Float32Array, side: number, x: number, y: number, normal: number): Color {
  const [nx, ny] = NORMALS[normal]!;
  const [across, along] = [(ny * side + nx) * 3, (nx * side - ny) * 3];
  let [r, g, b] = [0, 0, 0];
  for (let k = -HALF, at = (y * side + x) * 3 - HALF * along; k <= HALF; k++, at += along) {
    const [near, far] = [at + SIDES.from * across, at + SIDES.to * across];
    const [otherNear, otherFar] = [at - SIDES.from * across, at - SIDES.to * across];
    r += 2 * (picture[near]! - picture[otherNear]!) - picture[far]! + picture[otherFar]!;
    g += 2 * (picture[near + 1]! - picture[otherNear + 1]!) - picture[far + 1]! + picture[otherFar + 1]!;
    b += 2 * (picture[near + 2]! - picture[otherNear + 2]!) - picture[far + 2]! + picture[otherFar + 2]!;
  }
  const count = 2 * HALF + 1;
  return [r / count, g / count, b / count];
}

/** Mean (RGB) and mean absolute value of a strip along one side of a line. */
function stripOf(
  picture: Float32Array,
  side: number,
  x: number,
  y: number,
  normal: number,
  sign: 1 | -1,
): { mean: Color; spread: number } {
  const [nx, ny] = NORMALS[normal]!;
  let [r, g, b, spread] = [0, 0, 0, 0];
  for (let along = -HALF; along <= HALF; along++) {
    for (let across = SIDES.from; across <= SIDES.to; across++) {
      const u = x + sign * across * nx - along * ny;
      const v = y + sign * across * ny + along * nx;
      const at = (v * side + u) * 3;
      const [dr, dg, db] = [picture[at]!, picture[at + 1]!, picture[at + 2]!];
      r += dr;
      g += dg;
      b += db;
      spread += Math.abs(dr) + Math.abs(dg) + Math.abs(db);
    }
  }
  const count = (2 * HALF + 1) * (SIDES.to - SIDES.from + 1);
  return { mean: [r / count, g / count, b / count], spread: spread / (3 * count) };
}

/** Whether two steps are of one line: near each other, across like directions, from like colours to like colours. */
export function goesOn(a: Step, b: Step, gap: number): boolean {
  if (Math.abs(a.x - b.x) > gap || Math.abs(a.y - b.y) > gap) return false;
  const turn = Math.abs(a.normal - b.normal);
  if (turn > 1 && turn < NORMALS.length - 1) return false;
  return dot(a.color, b.color) > 0.5 * 3 * levels(a.color) * levels(b.color);
}
