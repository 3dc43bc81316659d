/**
 * The mel spectrogram as mini hears it: log10 powers, counted from the loudness of the recording, so that a quiet
 * recording sounds like a loud one.
 */
import type { FloatTensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import { MEL_BANDS } from './mel.ts';

/** Log10 units under and above the level that are kept. */
const LOWEST = -4;
const HIGHEST = 1;

/**
 * The level of a sound: the 95th percentile of the columns' means, in log10 of power. Pauses do not move it.
 *
 * @param columns raw log-mel columns [n, 80] of `LogMelStream`, n ≥ 1
 */
export function soundLevel(columns: Float32Array): number {
  return levelOf(columnMeans(columns));
}

/** The mean over the bands of each column. */
export function columnMeans(columns: Float32Array): Float32Array {
  const means = new Float32Array(columns.length / MEL_BANDS);
  for (let t = 0; t < means.length; t++) {
    let sum = 0;
    for (let band = 0; band < MEL_BANDS; band++) sum += columns[t * MEL_BANDS + band]!;
    means[t] = sum / MEL_BANDS;
  }
  return means;
}

/** No recording of speech is this quiet (they lie at −1.5 … −3.5): the noise of a silent room stays silence. */
const LEAST_LEVEL = -5;

/** The level of a sound whose columns have these means, −5 or more. */
export function levelOf(means: Float32Array): number {
  const level = Float32Array.from(means).sort()[Math.floor(0.95 * (means.length - 1))];
  return Math.max(level ?? LEAST_LEVEL, LEAST_LEVEL);
}

/**
 * Columns `start` … `start + count` − 1 as the encoder takes them: [1, 80, count], about −1.7 … 1.7. Columns outside
 * the sound are silence.
 */
export function levelledMel(columns: Float32Array, level: number, start: number, count: number): FloatTensor {
  const mel = tensor([1, MEL_BANDS, count], new Float32Array(MEL_BANDS * count).fill(levelled(LOWEST)));
  const total = columns.length / MEL_BANDS;
  for (let t = Math.max(0, -start); t < count && start + t < total; t++) {
    for (let band = 0; band < MEL_BANDS; band++) {
      mel.data[band * count + t] = levelled(columns[(start + t) * MEL_BANDS + band]! - level);
    }
  }
  return mel;
}

/** A log10 power above the level, as the encoder takes it. */
export function levelled(value: number): number {
  return Math.min(HIGHEST, Math.max(LOWEST, value)) / 1.5 + 1;
}
