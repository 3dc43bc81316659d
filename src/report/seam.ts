/**
 * Seams: lines along which what was drawn anew meets what was left, without a soft passage between.
 *
 * Jaws, lips and collars make steps too. What tells a seam from them: it is a step of the dub, where the source has none
 * nor had one that only moved; it stays in one place of the face for a while, so that the mean of some frames shows it as
 * hard as each of them; it goes on for a stretch; and beyond it nothing is ever drawn, where beyond a chin there is at
 * other times the same chin, lower.
 */
import type { Box } from '../core/box.ts';
import { stayingHeights } from './seam-lines.ts';
import { GRID, type Means, NORMALS, type Step, stepsOf } from './seam-steps.ts';

/** Height of a seam in the frames from number `start` on, `end` excluded; 0 where none was found. */
interface SeamStretch {
  readonly start: number;
  readonly end: number;
  /** In levels. */
  readonly height: number;
}

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
    const heights = stayingHeights(steps, this.#side);
    const stretches = this.#found.map(({ start, end }, i) => ({ start, end, height: heights[i]! }));
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

function meansOf({ dub, source, difference }: Means, a: Sums, b: Sums): void {
  const share = 1 / (a.count + b.count);
  for (let i = 0; i < dub.length; i++) {
    const [own, other] = [(a.dub[i]! + b.dub[i]!) * share, (a.source[i]! + b.source[i]!) * share];
    dub[i] = own;
    source[i] = other;
    difference[i] = own - other;
  }
}
