/** Windows of speech with the lip codes that belong to it, as mini's sound encoder learns from them. */
import type { FloatTensor } from '../../core/tensor.ts';
import { tensor } from '../../core/tensor.ts';
import { MINI_CODE } from '../../networks/mini-face.ts';
import { levelled, soundLevel } from '../../sound/levelled-mel.ts';
import { LogMelStream, MEL_BANDS } from '../../sound/mel.ts';
import type { Random } from '../random.ts';
import { codesOf, type LipClip } from './clips.ts';
import type { LipBasis } from './lip-code.ts';

/** A clip's sound and lips. */
export interface SpokenClip {
  readonly speaker: string;
  /** Raw log10 mel powers, 100 columns a second: [n, 80]. */
  readonly columns: Float32Array;
  readonly level: number;
  /** Lip codes and opening of each row of 20 ms, in the mean style: [rows, 9]. */
  readonly codes: Float32Array;
}

/** Inputs of a step. */
export interface SoundBatch {
  /** [B, 80, 2 T] */
  readonly mel: FloatTensor;
  /** [B, 9, T] */
  readonly codes: FloatTensor;
  /** [B, 1, T]: 1 where the lips are known. */
  readonly weight: FloatTensor;
}

/** Numbers of a row: the lip code and, last, the opening. */
const NUMBERS = MINI_CODE + 1;
/** The opening (in heights of the box) that counts as one. */
const OPENING_UNIT = 0.025;

/** Brings sound and lips of a clip together. `style`: how widely its speaker moves the lips, 1 is the mean. */
export function spokenClip(clip: LipClip, samples: Float32Array, basis: LipBasis, style: number): SpokenClip {
  const stream = new LogMelStream();
  const [head, tail] = [stream.push(samples), stream.end()];
  const columns = new Float32Array(head.length + tail.length);
  columns.set(head);
  columns.set(tail, head.length);
  return {
    speaker: clip.speaker,
    columns,
    level: soundLevel(columns),
    codes: codesOfRows(clip, basis, style, Math.floor(columns.length / MEL_BANDS / 2)),
  };
}

function codesOfRows(clip: LipClip, basis: LipBasis, style: number, rows: number): Float32Array {
  const codes = codesOf(clip, basis);
  const sorted = Float32Array.from(clip.openings).sort();
  const closed = sorted[Math.floor(0.1 * clip.frames)]!;
  const number = (t: number, c: number) =>
    c < MINI_CODE ? codes[t * MINI_CODE + c]! : (clip.openings[t]! - closed) / OPENING_UNIT;
  const all = new Float32Array(rows * NUMBERS);
  for (let row = 0; row < rows; row++) {
    // The middle of frame t (40 ms) lies a quarter of a frame after that of row 2 t.
    const at = Math.min(Math.max(row / 2 - 0.25, 0), clip.frames - 1.001);
    const [t, share] = [Math.floor(at), at - Math.floor(at)];
    for (let c = 0; c < NUMBERS; c++)
      all[row * NUMBERS + c] = (number(t, c) * (1 - share) + number(t + 1, c) * share) / style;
  }
  return all;
}

/** How one window is changed. */
interface Change {
  readonly start: number;
  readonly tempo: number;
  readonly throat: number;
  readonly gain: number;
  readonly tilt: number;
  readonly bend: number;
  /** Log10 power of a noise, and how it falls with the bands. */
  readonly floor: number;
  readonly slope: number;
}

/** How often a window is quiet noise with lips at rest, so that silence is learned as it is. */
const QUIET = 0.04;

/** Draws windows of `rows` rows; each has another tempo, throat, loudness, tone and noise, unless `plain`. */
export function drawSound(
  clips: readonly SpokenClip[],
  { batch, rows, plain = false }: { batch: number; rows: number; plain?: boolean },
  random: Random,
): SoundBatch {
  const result = {
    mel: tensor([batch, MEL_BANDS, 2 * rows]),
    codes: tensor([batch, NUMBERS, rows]),
    weight: tensor([batch, 1, rows]),
  };
  const speakers = [...new Set(clips.map(({ speaker }) => speaker))];
  for (let b = 0; b < batch; b++) {
    const speaker = random.pick(speakers);
    const clip = random.pick(clips.filter((one) => one.speaker === speaker));
    if (!plain && random.uniform() < QUIET) quietWindow(b, rows, result, random);
    else window(clip, b, rows, result, drawChange(clip, rows, random, plain));
  }
  return result;
}

function drawChange({ columns }: SpokenClip, rows: number, random: Random, plain: boolean): Change {
  const spread = (reach: number) => (plain ? 0 : random.uniform(-reach, reach));
  const tempo = Math.exp(spread(0.15));
  const room = columns.length / MEL_BANDS - 2 * rows * tempo;
  return {
    start: room > 0 ? random.uniform(0, room) : -random.uniform(0, -room),
    tempo,
    throat: Math.exp(spread(0.15)),
    gain: spread(0.25),
    tilt: spread(0.45),
    bend: spread(0.45),
    floor: !plain && random.uniform() < 0.6 ? -random.uniform(1.2, 4) : -9,
    slope: spread(1),
  };
}

/** The log10 power below the level at which nothing is heard. */
const SILENT = -7;

function window(clip: SpokenClip, b: number, rows: number, out: SoundBatch, change: Change): void {
  const { columns, level, codes } = clip;
  const { start, tempo, throat, gain, tilt, bend, floor, slope } = change;
  const total = columns.length / MEL_BANDS;
  const at = (column: number, band: number) =>
    column < 0 || column >= total ? level + SILENT : columns[column * MEL_BANDS + band]!;
  for (let t = 0; t < 2 * rows; t++) {
    const time = start + t * tempo;
    const [i, f] = [Math.floor(time), time - Math.floor(time)];
    for (let band = 0; band < MEL_BANDS; band++) {
      const from = Math.min(band * throat, MEL_BANDS - 1.001);
      const [low, g] = [Math.floor(from), from - Math.floor(from)];
      const mixed = (column: number) => (1 - g) * at(column, low) + g * at(column, low + 1);
      const x = band / MEL_BANDS - 0.5;
      const value =
        (1 - f) * mixed(i) + f * mixed(i + 1) - level + gain + tilt * x + bend * (4 * x * x - 0.5);
      const noisy = Math.log10(10 ** value + 10 ** (floor + slope * x));
      out.mel.data[(b * MEL_BANDS + band) * 2 * rows + t] = levelled(noisy);
    }
  }
  const known = codes.length / NUMBERS;
  for (let t = 0; t < rows; t++) {
    const row = Math.round((start + (2 * t + 0.5) * tempo) / 2);
    out.weight.data[b * rows + t] = 1;
    if (row < 0 || row >= known) continue; // silence: the lips rest at zero
    for (let c = 0; c < NUMBERS; c++)
      out.codes.data[(b * NUMBERS + c) * rows + t] = codes[row * NUMBERS + c]!;
  }
}

function quietWindow(b: number, rows: number, { mel, weight }: SoundBatch, random: Random): void {
  const [loudness, slope] = [random.uniform(-6, -2.5), random.uniform(-1.5, 1.5)];
  for (let band = 0; band < MEL_BANDS; band++) {
    for (let t = 0; t < 2 * rows; t++) {
      const value = loudness + slope * (band / MEL_BANDS - 0.5) + 0.3 * random.uniform(-1, 1);
      mel.data[(b * MEL_BANDS + band) * 2 * rows + t] = levelled(value);
    }
  }
  weight.data.fill(1, b * rows, (b + 1) * rows);
}
