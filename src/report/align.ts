/**
 * Which frame of the source each frame of a dub shows, found by what lies outside the mouth: so dropped and doubled
 * frames are seen although the mouth is another.
 */

import { median } from './statistics.ts';

/** What the search for the best path takes. */
export interface AlignInput {
  /** Frames of the dub. */
  readonly count: number;
  /** Frames of the source. */
  readonly sourceCount: number;
  /** Source frame that each frame of the dub should show, were nothing dropped or doubled. */
  readonly expected: (frame: number) => number;
  /** Mean squared difference outside the mouth, in levels squared, between a dub frame and a source frame. */
  readonly difference: (frame: number, source: number) => number;
}

/** The path that was found. */
export interface Alignment {
  /** Source frame of each frame of the dub. */
  readonly sources: Int32Array;
  /** Sum of costs: the lower, the better the expected order explains the dub. */
  readonly cost: number;
  /** Frames of the dub before which the source skips some, and how many. */
  readonly dropped: readonly FrameSlip[];
  /** Frames of the dub that repeat, and how many times. */
  readonly doubled: readonly FrameSlip[];
  /** How much worse frames fit their neighbours' places than their own, ×; near 1 nothing can be told apart. */
  readonly clarity: number;
}

/** Where the order of frames slips. */
export interface FrameSlip {
  readonly frame: number;
  readonly count: number;
}

/** Frames that the dub may run ahead of or behind the expected order. */
const REACH = 8;

/** Evidence in units of a frame's own noise: no frame alone may cost more, so that a flash or a cut proves nothing. */
const MOST_COST = 6;

/** What a slip costs. Four frames must fit clearly better elsewhere before a slip is believed. */
const SLIP_COST = 8;

/** Levels squared that any re-encoding changes; below there is only noise. */
const LEAST_NOISE = 0.02;

/** The cheapest path through the frames, by Viterbi's rule over offsets from the expected order. */
export function alignFrames({ count, sourceCount, expected, difference }: AlignInput): Alignment {
  const width = 2 * REACH + 1;
  const differences = new Float32Array(count * width);
  for (let i = 0; i < count; i++) {
    for (let o = 0; o < width; o++) {
      const source = expected(i) + o - REACH;
      differences[i * width + o] =
        source < 0 || source >= sourceCount ? Number.POSITIVE_INFINITY : difference(i, source);
    }
  }
  const noise = Math.max(LEAST_NOISE, median(rowMinima(differences, width)));
  const costs = differences.map((value) => Math.min(value / noise, MOST_COST + 1) - 1);
  const offsets = cheapestPath(costs, width);
  const sources = Int32Array.from(offsets, (offset, i) => expected(i) + offset);
  const { dropped, doubled } = slipsOf(offsets);
  const own = offsets.map((offset, i) => differences[i * width + offset + REACH]!);
  const next = offsets.map((offset, i) =>
    Math.min(
      differences[i * width + Math.max(0, offset - 1 + REACH)]!,
      differences[i * width + Math.min(width - 1, offset + 1 + REACH)]!,
    ),
  );
  const clarity = median(next.filter(Number.isFinite)) / Math.max(LEAST_NOISE, median(own));
  return {
    sources,
    cost: own.reduce((sum, value) => sum + Math.min(value, 1e4), 0),
    dropped,
    doubled,
    clarity,
  };
}

function rowMinima(values: Float32Array, width: number): number[] {
  return Array.from({ length: values.length / width }, (_, i) =>
    Math.min(...values.subarray(i * width, (i + 1) * width)),
  );
}

function cheapestPath(costs: Float32Array, width: number): number[] {
  const count = costs.length / width;
  const from = new Int8Array(costs.length);
  let totals = Float64Array.from({ length: width }, (_, o) => costs[o]! + (o === REACH ? 0 : SLIP_COST));
  for (let i = 1; i < count; i++) {
    const next = new Float64Array(width);
    for (let o = 0; o < width; o++) {
      let best = o;
      for (let p = 0; p < width; p++)
        if (totals[p]! + slipCost(p, o) < totals[best]! + slipCost(best, o)) best = p;
      from[i * width + o] = best;
      next[o] = totals[best]! + slipCost(best, o) + costs[i * width + o]!;
    }
    totals = next;
  }
  let at = totals.indexOf(Math.min(...totals));
  const path = new Array<number>(count);
  for (let i = count - 1; i >= 0; i--) {
    path[i] = at - REACH;
    at = from[i * width + at]!;
  }
  return path;
}

function slipCost(from: number, to: number): number {
  return from === to ? 0 : SLIP_COST + Math.abs(to - from);
}

function slipsOf(offsets: readonly number[]): Pick<Alignment, 'dropped' | 'doubled'> {
  const dropped: FrameSlip[] = [];
  const doubled: FrameSlip[] = [];
  for (const [i, offset] of offsets.entries()) {
    const slip = offset - (i === 0 ? offset : offsets[i - 1]!);
    if (slip > 0) dropped.push({ frame: i, count: slip });
    if (slip < 0) doubled.push({ frame: i, count: -slip });
  }
  return { dropped, doubled };
}
