/** Smoothing over time of what was found in each frame: without lag for a file, causal for a live picture. */
import type { Point } from '../core/box.ts';
import { sizeOfBox } from './choice.ts';
import type { FoundFace, FrameFace } from './finder.ts';
import { landmarks68 } from './landmarks68.ts';

/** How strongly landmarks are smoothed over time. */
export interface SmoothOptions {
  /** Frames per second. */
  readonly fps: number;
  /** Hertz that still pass when nothing moves; less is smoother. Default 2. */
  readonly calm?: number;
  /** Hertz more for each face size per second of speed; more follows fast lips closer. Default 15. */
  readonly agility?: number;
}

/**
 * The faces of a whole video with steadier landmarks, without lag: a filter that follows fast moves and calms
 * slow ones, run forward and backward, both results averaged. Nothing is smoothed across a cut or a gap.
 *
 * Filter: Casiez et al., "1 € Filter" (CHI 2012).
 */
export function smoothFaces(frames: readonly FrameFace[], options: SmoothOptions): FrameFace[] {
  const result = [...frames];
  for (const { start, end } of runsOf(frames)) {
    const faces = frames.slice(start, end).map(({ face }) => face!);
    const forward = filtered(faces, options);
    const backward = filtered(faces.toReversed(), options).toReversed();
    for (const [i, face] of faces.entries()) {
      const values = forward[i]!.map((value, k) => (value + backward[i]![k]!) / 2);
      result[start + i] = { ...frames[start + i]!, face: faceFrom(face, values) };
    }
  }
  return result;
}

/** The same for pictures that come one by one: smooth, with the lag of a causal filter. */
export async function* smoothLive(
  frames: AsyncIterable<FrameFace>,
  options: SmoothOptions,
): AsyncGenerator<FrameFace, void, undefined> {
  let filter: OneEuroFilter | undefined;
  for await (const frame of frames) {
    if (frame.cut || !frame.face) filter = undefined;
    if (!frame.face) {
      yield frame;
      continue;
    }
    filter ??= new OneEuroFilter(options);
    const values = filter.next(valuesOf(frame.face), sizeOfBox(frame.face.box));
    yield { ...frame, face: faceFrom(frame.face, values) };
  }
}

/** A run of frames that have a face and no cut between them; `end` is excluded. */
interface Run {
  readonly start: number;
  readonly end: number;
}

/** The runs of frames over which something may be smoothed. */
export function runsOf(frames: readonly Pick<FrameFace, 'face' | 'cut'>[]): Run[] {
  const runs: { start: number; end: number }[] = [];
  for (const [i, { face, cut }] of frames.entries()) {
    if (!face) continue;
    const last = runs.at(-1);
    if (last && last.end === i && !cut) last.end = i + 1;
    else runs.push({ start: i, end: i + 1 });
  }
  return runs;
}

/** The shots of a video, from cut to cut, frames without a face included. */
export function shotsOf(frames: readonly Pick<FrameFace, 'cut'>[]): Run[] {
  const starts = frames.flatMap(({ cut }, i) => (cut || i === 0 ? [i] : []));
  return starts.map((start, i) => ({ start, end: starts[i + 1] ?? frames.length }));
}

/** A low-pass filter for many values at once whose cut-off rises with their speed. */
class OneEuroFilter {
  readonly #options: Required<SmoothOptions>;
  #values: Float64Array | undefined;
  #speeds: Float64Array | undefined;

  constructor({ fps, calm = 2, agility = 15 }: SmoothOptions) {
    this.#options = { fps, calm, agility };
  }

  /** The next values, smoothed. Speeds are measured in `size` per second, so that near and far faces are alike. */
  next(values: Float64Array, size: number): Float64Array {
    const { fps, calm, agility } = this.#options;
    const last = this.#values;
    if (!last) {
      this.#speeds = new Float64Array(values.length);
      this.#values = values.slice();
      return values;
    }
    const speeds = this.#speeds!;
    const slow = shareOf(1, fps);
    const smooth = values.map((value, i) => {
      speeds[i]! += slow * (((value - last[i]!) * fps) / size - speeds[i]!);
      const share = shareOf(calm + agility * Math.abs(speeds[i]!), fps);
      return last[i]! + share * (value - last[i]!);
    });
    this.#values = smooth;
    return smooth;
  }
}

/** How much of a new value passes a first-order low-pass of that cut-off. */
function shareOf(hertz: number, fps: number): number {
  return 1 / (1 + fps / (2 * Math.PI * hertz));
}

/**
 * Rows of numbers over time, smoothed by a Gaussian of `sigma` frames, without lag. `null` rows stay, and nothing
 * is smoothed across them; near the ends of a run the weights are those of the frames that exist.
 */
export function gaussianOverTime(
  rows: readonly (readonly number[] | null)[],
  sigma: number,
): (number[] | null)[] {
  const radius = Math.ceil(3 * sigma);
  const weights = Array.from({ length: radius + 1 }, (_, k) =>
    sigma === 0 ? 1 : Math.exp(-(k * k) / (2 * sigma * sigma)),
  );
  return rows.map((row, i) => {
    if (!row) return null;
    const sums = row.map((value) => value * weights[0]!);
    let total = weights[0]!;
    for (const step of [-1, 1]) {
      for (let k = 1; k <= radius; k++) {
        const other = rows[i + step * k];
        if (!other) break;
        total += weights[k]!;
        for (const [c, value] of other.entries()) sums[c]! += weights[k]! * value;
      }
    }
    return sums.map((sum) => sum / total);
  });
}

function filtered(faces: readonly FoundFace[], options: SmoothOptions): Float64Array[] {
  const filter = new OneEuroFilter(options);
  return faces.map((face) => filter.next(valuesOf(face), sizeOfBox(face.box)));
}

/** What is smoothed of a face: its box and its mesh, or its landmarks where it has no mesh. */
function valuesOf({ box, mesh, landmarks }: FoundFace): Float64Array {
  const points = mesh ?? landmarks.flatMap(({ x, y }) => [x, y]);
  return Float64Array.from([box.x1, box.y1, box.x2, box.y2, ...points]);
}

function faceFrom(face: FoundFace, values: Float64Array): FoundFace {
  const [x1, y1, x2, y2] = values as unknown as [number, number, number, number];
  const points = values.subarray(4);
  const box = { x1, y1, x2, y2 };
  if (!face.mesh) return { ...face, box, landmarks: pairs(points) };
  const mesh = Float32Array.from(points);
  return { ...face, box, mesh, landmarks: landmarks68(mesh) };
}

function pairs(values: Float64Array): Point[] {
  return Array.from({ length: values.length / 2 }, (_, i) => ({
    x: values[2 * i]!,
    y: values[2 * i + 1]!,
  }));
}
