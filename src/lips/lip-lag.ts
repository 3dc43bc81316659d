/**
 * How far lips and sound are apart, by which lag makes what is seen agree best with what is heard. A positive offset
 * says that the sound comes late.
 */

/** Offset in a stretch of time. */
export interface SyncWindow {
  /** Seconds. */
  readonly start: number;
  readonly end: number;
  /** Seconds; positive: the sound comes after the lips. Null where nothing can be said. */
  readonly offset: number | null;
  /** How far the best lag stands above all that lie elsewhere, 0 … 1. */
  readonly confidence: number;
}

/** What was found. */
export interface Sync {
  readonly offset: number | null;
  readonly confidence: number;
  /** Agreement at the best lag, −1 … 1. */
  readonly agreement: number;
  /** Agreement with no lag. */
  readonly agreementAtZero: number;
  /** Agreement for each lag from −`reach` to `reach` frames. */
  readonly curve: readonly number[];
  readonly windows: readonly SyncWindow[];
}

/** Seconds of lag that are tried to either side. */
const REACH = 0.48;

/** Lags within this many seconds of the best one belong to its peak. */
const PEAK = 0.13;

/** Lags at either end of the search that are not believed. */
const EDGE = 2;

/** Seconds of a window, and from one to the next. */
const WINDOW = 3;
const STEP = 1;

/** A peak lower than this, in agreement or above the rest, is taken for chance. */
const LEAST_CONFIDENCE = { mini: 0.12, loudness: 0.2 } as const;
const LEAST_AGREEMENT = { mini: 0.3, loudness: 0.4 } as const;

/** Seconds that must be judged: of fewer words, many lags agree by chance. The limits above were found over clips of 3 s. */
const LEAST_SECONDS = 2.4;

/** @param seen opening of the lips in each frame, NaN without a face; heard: what the sound asks for. */
export function measureSync(
  seen: ArrayLike<number>,
  heard: ArrayLike<number>,
  { fps, by }: { fps: number; by: 'mini' | 'loudness' },
): Sync {
  const reach = Math.round(REACH * fps);
  const windows: SyncWindow[] = [];
  const all = lagSums(reach);
  const length = Math.round(WINDOW * fps);
  const step = Math.round(STEP * fps);
  const count = Math.max(1, Math.ceil((seen.length - length) / step) + 1);
  for (let w = 0; w < count; w++) {
    const start = Math.max(0, Math.min(w * step, seen.length - length));
    const end = Math.min(seen.length, start + length);
    const sums = lagSums(reach);
    addWindow(sums, seen, heard, start, end);
    for (const key of ['both', 'seen', 'heard'] as const)
      for (let i = 0; i < sums[key].length; i++) all[key][i]! += sums[key][i]!;
    const { offset, confidence } = bestLag(curveOf(sums), { fps, by });
    windows.push({ start: start / fps, end: end / fps, offset, confidence });
  }
  const curve = curveOf(all);
  const judged = Array.from(seen).filter(Number.isFinite).length;
  const best = bestLag(curve, { fps, by });
  const offset = judged < LEAST_SECONDS * fps ? null : best.offset;
  return { ...best, offset, curve, windows, agreementAtZero: curve[reach] ?? 0 };
}

interface LagSums {
  readonly both: Float64Array;
  readonly seen: Float64Array;
  readonly heard: Float64Array;
}

/** Sums for each lag: of the opening in the first half, of its change in the second. */
function lagSums(reach: number): LagSums {
  const size = 2 * (2 * reach + 1);
  return { both: new Float64Array(size), seen: new Float64Array(size), heard: new Float64Array(size) };
}

function addWindow(
  sums: LagSums,
  seen: ArrayLike<number>,
  heard: ArrayLike<number>,
  start: number,
  end: number,
): void {
  const lags = sums.both.length / 2;
  const reach = (lags - 1) / 2;
  for (const [part, value] of [identity, change].entries()) {
    for (let k = 0; k < lags; k++) {
      const pairs: [number, number][] = [];
      for (let t = start; t < end; t++) {
        const u = t + k - reach;
        if (u < 0 || u >= heard.length) continue;
        const [a, b] = [value(seen, t), value(heard, u)];
        if (Number.isFinite(a) && Number.isFinite(b)) pairs.push([a, b]);
      }
      if (pairs.length < 10) continue;
      const meanSeen = pairs.reduce((sum, [a]) => sum + a, 0) / pairs.length;
      const meanHeard = pairs.reduce((sum, [, b]) => sum + b, 0) / pairs.length;
      const at = part * lags + k;
      for (const [a, b] of pairs) {
        sums.both[at]! += (a - meanSeen) * (b - meanHeard);
        sums.seen[at]! += (a - meanSeen) ** 2;
        sums.heard[at]! += (b - meanHeard) ** 2;
      }
    }
  }
}

function identity(values: ArrayLike<number>, at: number): number {
  return values[at]!;
}

function change(values: ArrayLike<number>, at: number): number {
  return values[Math.min(at + 1, values.length - 1)]! - values[Math.max(at - 1, 0)]!;
}

/** The mean of both correlations for each lag. */
function curveOf({ both, seen, heard }: LagSums): number[] {
  const lags = both.length / 2;
  const at = (i: number) => both[i]! / Math.sqrt(seen[i]! * heard[i]! + 1e-12);
  return Array.from({ length: lags }, (_, k) => (at(k) + at(lags + k)) / 2);
}

function bestLag(
  curve: readonly number[],
  { fps, by }: { fps: number; by: 'mini' | 'loudness' },
): Pick<Sync, 'offset' | 'confidence' | 'agreement'> {
  const reach = (curve.length - 1) / 2;
  const best = curve.indexOf(Math.max(...curve));
  const agreement = curve[best]!;
  const peak = Math.ceil(PEAK * fps);
  const elsewhere = curve.filter((_, k) => Math.abs(k - best) > peak);
  const confidence = Math.max(0, Math.min(1, agreement - Math.max(...elsewhere)));
  const sure = confidence >= LEAST_CONFIDENCE[by] && agreement >= LEAST_AGREEMENT[by];
  // A peak that is still rising where the search ends is the flank of something else.
  const atEdge = best < EDGE || best >= curve.length - EDGE;
  if (!sure || atEdge)
    return {
      offset: null,
      confidence: sure ? confidence : Math.min(confidence, LEAST_CONFIDENCE[by] / 2),
      agreement,
    };
  return { offset: (best - reach + vertex(curve, best)) / fps, confidence, agreement };
}

/** Where between its neighbours the top of a parabola through them lies, −½ … ½. */
function vertex(curve: readonly number[], at: number): number {
  const [a, b, c] = [curve[at - 1]!, curve[at]!, curve[at + 1]!];
  const bend = a - 2 * b + c;
  return bend === 0 ? 0 : Math.max(-0.5, Math.min(0.5, (a - c) / (2 * bend)));
}
