/**
 * Seams: lines along which what was drawn anew meets what was left, without a soft passage between.
 *
 * Jaws, lips and collars make steps too. What tells a seam from them: it is a step of the dub, where the source has none
 * nor had one that only moved; it stays in one place of the face for a while, so that the mean of some frames shows it as
 * hard as each of them; it goes on for a stretch; and beyond it nothing is ever drawn, where beyond a chin there is at
 * other times the same chin, lower.
 */
import type { Box } from '../core/box.ts';

/** Height of a seam in the frames from number `start` on, `end` excluded; 0 where none was found. */
interface SeamStretch {
  readonly start: number;
  readonly end: number;
  /** In levels. */
  readonly height: number;
}

/** Pixels from one place that is looked at to the next. */
const GRID = 2;

/** Looks for seams through a shot. All pictures are RGB cuts of the face, `side` pixels wide. */
export class SeamWatch {
  readonly #side: number;
  readonly #columns: number;
  #last: Sums | undefined;
  #now: Sums | undefined;
  readonly #means: Means;
  /** In how many frames of the shot each place was changed. */
  readonly #changes: Uint16Array;
  #frames = 0;
  #found: { readonly start: number; readonly end: number; readonly steps: Step[] }[] = [];

  constructor(side: number) {
    this.#side = side;
    this.#columns = Math.ceil(side / GRID);
    this.#changes = new Uint16Array(this.#columns ** 2);
    const picture = () => new Float32Array(side * side * 3);
    this.#means = { dub: picture(), source: picture(), difference: picture(), side };
  }

  /** Takes a frame of the shot. Nothing is looked for on the lips, which are other ones. */
  add(frame: number, dub: Uint8Array, source: Uint8Array, lips: Box): void {
    this.#now ??= sumsFrom(frame, dub.length, lips);
    const sums = this.#now;
    for (let i = 0; i < dub.length; i++) {
      sums.dub[i]! += dub[i]!;
      sums.source[i]! += source[i]!;
    }
    sums.count++;
    sums.lips = around(sums.lips, lips);
    countChanges(this.#changes, dub, source, this.#side);
    this.#frames++;
  }

  /** Measures the frames that were taken since this was last asked, together with those before. */
  measure(top: number): void {
    const [last, now] = [this.#last, this.#now];
    this.#last = now;
    this.#now = undefined;
    if (!last || !now) return;
    meansOf(this.#means, last, now);
    const steps = stepsOf(this.#means, { top, lips: around(last.lips, now.lips) });
    const half = (now.start - last.start) >> 1;
    this.#found.push({ start: last.start + half, end: now.start + half, steps });
  }

  /** What was found in the shot; the next frame begins another one. */
  finish(): SeamStretch[] {
    const often = Math.max(1, OFTEN * this.#frames);
    const beyond = (step: Step) => {
      const far = Math.round(BEYOND / GRID) * step.still;
      const [nx, ny] = NORMALS[step.normal]!;
      return this.#changes[(step.y / GRID + far * ny) * this.#columns + step.x / GRID + far * nx]! <= often;
    };
    const steps = this.#found.map((one) => one.steps.filter(beyond));
    const stretches = this.#found.map(({ start, end }, i) => ({
      ...{ start, end },
      height: heightOf(staying(steps.slice(Math.max(0, i - AROUND), i + AROUND + 1)), this.#side),
    }));
    this.#last = undefined;
    this.#now = undefined;
    this.#changes.fill(0);
    this.#frames = 0;
    this.#found = [];
    return stretches;
  }
}

/** Sums over some frames, from `start` on. */
interface Sums {
  readonly start: number;
  readonly dub: Uint16Array;
  readonly source: Uint16Array;
  lips: Box;
  count: number;
}

function sumsFrom(start: number, length: number, lips: Box): Sums {
  return { start, dub: new Uint16Array(length), source: new Uint16Array(length), lips, count: 0 };
}

function around(a: Box, b: Box): Box {
  return {
    x1: Math.min(a.x1, b.x1),
    y1: Math.min(a.y1, b.y1),
    x2: Math.max(a.x2, b.x2),
    y2: Math.max(a.y2, b.y2),
  };
}

/** Levels by which the mean of a place's pixels must differ in a frame to be changed: more than coarse encoding makes. */
const CHANGED = 4;

/** Beyond a seam a place is changed in no more than this share of the shot's frames. */
const OFTEN = 0.05;

/** Pixels from a seam to where nothing must be drawn: it may shake by one or two. */
const BEYOND = 6;

function countChanges(counts: Uint16Array, dub: Uint8Array, source: Uint8Array, side: number): void {
  const columns = Math.ceil(side / GRID);
  const row = side * 3;
  const least = CHANGED * 3 * GRID * GRID;
  for (let y = 0; y + 1 < side; y += GRID) {
    for (let x = 0, at = y * row; x + 1 < side; x += GRID, at += 3 * GRID) {
      let sum = 0;
      for (let c = at; c < at + 3; c++)
        sum += Math.abs(
          dub[c]! +
            dub[c + 3]! +
            dub[c + row]! +
            dub[c + row + 3]! -
            (source[c]! + source[c + 3]! + source[c + row]! + source[c + row + 3]!),
        );
      if (sum >= least) counts[(y / GRID) * columns + x / GRID]!++;
    }
  }
}

/** The mean of some frames. */
interface Means {
  readonly dub: Float32Array;
  readonly source: Float32Array;
  /** Dub − source. */
  readonly difference: Float32Array;
  readonly side: number;
}

function meansOf({ dub, source, difference }: Means, a: Sums, b: Sums): void {
  const share = 1 / (a.count + b.count);
  for (let i = 0; i < dub.length; i++) {
    const [own, other] = [(a.dub[i]! + b.dub[i]!) * share, (a.source[i]! + b.source[i]!) * share];
    dub[i] = own;
    source[i] = other;
    difference[i] = own - other;
  }
}

/** Directions across a line: each next one is turned by an eighth of a circle. */
const NORMALS = [
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
interface Step {
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
function stepsOf(means: Means, { top, lips }: { top: number; lips: Box }): Step[] {
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

/** Measurements before and after one together with which it is judged. */
const AROUND = 2;

/** A step must be found again in this share of them. */
const AGAIN = 0.5;

/** The steps that several measurements found in one place: each place once. */
function staying(measurements: readonly (readonly Step[])[]): Step[] {
  const least = Math.max(2, AGAIN * measurements.length);
  const kept = new Map<string, Step>();
  for (const steps of measurements) {
    for (const step of steps) {
      const place = `${step.x} ${step.y}`;
      if (kept.has(place)) continue;
      const times = measurements.filter((others) => others.some((other) => goesOn(step, other, GRID))).length;
      if (times >= least) kept.set(place, step);
    }
  }
  return [...kept.values()].sort((a, b) => a.y - b.y || a.x - b.x);
}

/** As a part of the picture's side: a seam is at least this long. */
const STRETCH = 0.14;

/** As a part of the picture's side: of a line, places may be missing as far as this. */
const GAP = 0.045;

/** The median height of the line of steps that is highest, of those that are long enough; 0 where there is none. */
function heightOf(steps: readonly Step[], side: number): number {
  const gap = GAP * side;
  const line = Int32Array.from(steps, (_, i) => i);
  const root = (i: number): number => {
    while (line[i] !== i) i = line[i]!;
    return i;
  };
  for (const [i, a] of steps.entries()) {
    for (let j = i + 1; j < steps.length && steps[j]!.y - a.y <= gap; j++)
      if (goesOn(a, steps[j]!, gap)) line[root(j)] = root(i);
  }
  const lines = new Map<number, Step[]>();
  for (const [i, step] of steps.entries()) lines.set(root(i), [...(lines.get(root(i)) ?? []), step]);
  let highest = 0;
  for (const members of lines.values()) {
    const [xs, ys] = [members.map(({ x }) => x), members.map(({ y }) => y)];
    const length = Math.hypot(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys));
    if (length < STRETCH * side) continue;
    const heights = members.map(({ height }) => height).sort((a, b) => a - b);
    highest = Math.max(highest, heights[heights.length >> 1]!);
  }
  return highest;
}

/** Whether two steps are of one line: near each other, across like directions, from like colours to like colours. */
function goesOn(a: Step, b: Step, gap: number): boolean {
  if (Math.abs(a.x - b.x) > gap || Math.abs(a.y - b.y) > gap) return false;
  const turn = Math.abs(a.normal - b.normal);
  if (turn > 1 && turn < NORMALS.length - 1) return false;
  return dot(a.color, b.color) > 0.5 * 3 * levels(a.color) * levels(b.color);
}
