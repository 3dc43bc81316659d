/**
 * The mouth in silence. The networks let it tremble in pauses, so there it is not drawn: the frame's own mouth shows
 * where it is shut, and where the person in the source goes on talking, a shut mouth of the same person is put over.
 */

/**
 * `model`: silence is drawn like everything else; `keep`: the frames of the source show through as they are;
 * `close`: as `keep` where the source's mouth is shut, else with a shut mouth from elsewhere in the source.
 */
export type SilenceMode = 'close' | 'keep' | 'model';

/** What the mouth of each frame of the result rests in. */
export interface RestPlan {
  /** How far each frame rests, 0 (speaks) … 1. */
  readonly weights: Float32Array;
  /** The source frame whose mouth is put over, or −1 where the frame's own mouth shows. */
  readonly donors: Int32Array;
}

/** What a plan of resting mouths needs to know of the sound and of the source. */
export interface RestOptions {
  readonly mode: SilenceMode;
  /** The source frame behind each frame of the result. */
  readonly sourceOf: (frame: number) => number;
  readonly sourceCount: number;
  /** How far the mouth of a source frame is open, as a part of its box's height; NaN where that is not known. */
  readonly opening: (source: number) => number;
  /** Source frames that may lend their mouth lie no further from where a pause begins; 3 seconds by default. */
  readonly reach?: number | undefined;
}

/** A mouth counts as shut when it is open by no more than this beyond the one that would be lent. */
const SHUT = 0.01;

/**
 * Plans the rest of the mouth. In each pause one mouth is lent throughout (the least open one about the place where
 * the pause begins), so that it stays still.
 *
 * @param weights how far each frame of the result rests, from the signal (`closedMouth`).
 */
export function restPlan(weights: Float32Array, options: RestOptions): RestPlan {
  const { mode, sourceOf, sourceCount, opening, reach = 75 } = options;
  const donors = new Int32Array(weights.length).fill(-1);
  if (mode === 'model') return { weights: new Float32Array(weights.length), donors };
  if (mode === 'keep') return { weights, donors };
  let donor = -1;
  for (let frame = 0; frame < weights.length; frame++) {
    if (weights[frame] === 0) {
      donor = -1;
      continue;
    }
    const source = sourceOf(frame);
    if (donor < 0) donor = leastOpen(source, { sourceCount, opening, reach });
    if (donor >= 0 && opening(source) > opening(donor) + SHUT) donors[frame] = donor;
  }
  return { weights, donors };
}

function leastOpen(
  middle: number,
  {
    sourceCount,
    opening,
    reach,
  }: { sourceCount: number; opening: (source: number) => number; reach: number },
): number {
  let best = -1;
  const end = Math.min(sourceCount, middle + reach + 1);
  for (let source = Math.max(0, middle - reach); source < end; source++) {
    if (Number.isNaN(opening(source))) continue;
    if (best < 0 || opening(source) < opening(best)) best = source;
  }
  return best;
}
