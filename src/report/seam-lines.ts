/** Seams among the steps that were found: what stays in its place for a while, and goes on for a stretch. */
import { GRID, goesOn, type Step } from './seam-steps.ts';

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

/** Places that must be seen of a seam that was whole at another time, as a share of those of the shortest line. */
const PART = 1.5;

/**
 * The height of the seam in each measurement of a shot, in levels; 0 where there is none. Folds of the skin and shadows
 * hide parts of a seam at times: what was a line of full length once is still there where many places of it are,
 * with wider gaps.
 */
export function stayingHeights(found: readonly (readonly Step[])[], side: number): number[] {
  const measurements = found.map((_, i) => staying(found.slice(Math.max(0, i - AROUND), i + AROUND + 1)));
  const seams = measurements.map((steps) => longLines(steps, side));
  const places = new Map<string, Step>();
  for (const step of seams.flat(2)) places.set(`${step.x} ${step.y} ${step.normal}`, step);
  const known = [...places.values()];
  const least = (PART * STRETCH * side) / GRID;
  return measurements.map((steps, i) => {
    const whole = seams[i]!;
    if (whole.length > 0) return Math.max(...whole.map(heightOf));
    const parts = steps.filter((step) => known.some((place) => goesOn(step, place, GRID)));
    return parts.length < least ? 0 : heightOf(parts);
  });
}

/** The median height. */
function heightOf(steps: readonly Step[]): number {
  const heights = steps.map(({ height }) => height).sort((a, b) => a - b);
  return heights[heights.length >> 1]!;
}

/** The lines of steps that are long enough for a seam. */
function longLines(steps: readonly Step[], side: number): Step[][] {
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
  return [...lines.values()].filter((members) => {
    const [xs, ys] = [members.map(({ x }) => x), members.map(({ y }) => y)];
    const length = Math.hypot(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys));
    return length >= STRETCH * side;
  });
}
