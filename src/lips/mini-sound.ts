/** From a sound to the lip codes of mini: one for each frame, at any rate, in memory that does not grow with pixels. */
import type { FloatTensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import type { Rational, SoundSource } from '../media/source.ts';
import { MINI_CODE } from '../networks/mini-face.ts';
import { MINI_SOUND_CONTEXT } from '../networks/mini-sound.ts';
import { columnMeans, levelledMel, levelOf } from '../sound/levelled-mel.ts';
import { LogMelStream, MEL_BANDS } from '../sound/mel.ts';

/** Rows of 20 ms that the encoder takes at once, context included. */
export const MINI_SOUND_ROWS = 256;

/** Rows a second. */
const ROW_RATE = 50;

/** Numbers that the encoder gives for a row: the lip code and, last, the opening. */
const NUMBERS = MINI_CODE + 1;

/** Rows over which codes are smoothed (one standard deviation): the encoder hears single frames apart. */
const SMOOTHING = 1.2;

/** A row counts as open from this share of the typical width on. */
const OPEN = 0.2;
/** The quantile of the open rows that says how widely a voice moves the lips. */
const WIDE = 0.85;
/** Rows of open mouths that are believed. */
const ENOUGH = 40;
/** The encoder hears some voices more faintly than others: how far that is made good, and as what power. */
const LIFT = { least: 0.7, most: 1.8, trust: 0.8 };

/**
 * How widely a voice moves the jaw, by the first number of its codes: a quantile of the rows with an open mouth, so
 * that pauses do not count. Undefined where there are too few.
 */
export function widthOf(jaws: readonly number[], typical: number): number | undefined {
  const open = jaws.filter((jaw) => jaw > OPEN * typical).sort((a, b) => a - b);
  return open.length < ENOUGH ? undefined : open[Math.floor(WIDE * open.length)];
}

/** Runs the sound encoder: mel [1, 80, 512] → codes [1, 9, 256]. */
export type HearMini = (mel: FloatTensor) => Promise<FloatTensor>;

/** For which frames codes are wanted. */
export interface LipCodeOptions {
  readonly fps: Rational;
  /** The width (see `widthOf`) that every voice is brought near; as it is heard where left out. */
  readonly width?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

type Sound = Pick<SoundSource, 'samples' | 'sampleCount'>;

/**
 * The lip code of each frame, [8], for ever: past the end of the sound the lips rest. The sound is read twice, first
 * for its loudness; its codes (1.8 KB a second) are kept.
 */
export async function* lipCodes(
  hear: HearMini,
  sound: Sound,
  { fps, width, signal }: LipCodeOptions,
): AsyncGenerator<FloatTensor> {
  const codes = smoothed(await codeRows(hear, sound, signal));
  const rows = codes.length / NUMBERS;
  const lift = liftOf(codes, width);
  for (let frame = 0; ; frame++) {
    // The middle of the frame, in rows whose middles lie at whole numbers.
    const at = (((frame + 0.5) * fps.den) / fps.num) * ROW_RATE - 0.5;
    const code = tensor([MINI_CODE]);
    const [i, f] = [Math.floor(at), at - Math.floor(at)];
    for (let c = 0; c < MINI_CODE; c++) {
      const number = (row: number) => (row >= 0 && row < rows ? codes[row * NUMBERS + c]! : 0);
      code.data[c] = lift * (number(i) * (1 - f) + number(i + 1) * f);
    }
    yield code;
  }
}

/** The factor that brings a voice near the typical width. */
function liftOf(codes: Float32Array, typical: number | undefined): number {
  if (typical === undefined) return 1;
  const jaws = Array.from({ length: codes.length / NUMBERS }, (_, row) => codes[row * NUMBERS]!);
  const width = widthOf(jaws, typical);
  if (width === undefined) return 1;
  return Math.min(LIFT.most, Math.max(LIFT.least, (typical / width) ** LIFT.trust));
}

/** Codes of all rows, [rows, 9], as the encoder gives them. */
async function codeRows(
  hear: HearMini,
  sound: Sound,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const level = await levelOfSound(sound, signal);
  const rows = Math.floor(sound.sampleCount / 320);
  const codes = new Float32Array(rows * NUMBERS);
  const inner = MINI_SOUND_ROWS - 2 * MINI_SOUND_CONTEXT;
  let next = 0; // row to be heard
  const held = new HeldColumns();
  const hearUpTo = async (available: number, ended: boolean) => {
    while (next < rows && (ended || 2 * (next + inner + MINI_SOUND_CONTEXT) <= available)) {
      signal?.throwIfAborted();
      const first = next - MINI_SOUND_CONTEXT;
      const mel = levelledMel(held.columns, level, 2 * first - held.first, 2 * MINI_SOUND_ROWS);
      const { data } = await hear(mel);
      const count = Math.min(inner, rows - next);
      for (let t = 0; t < count; t++) {
        for (let c = 0; c < NUMBERS; c++) {
          codes[(next + t) * NUMBERS + c] = data[c * MINI_SOUND_ROWS + MINI_SOUND_CONTEXT + t]!;
        }
      }
      next += count;
      held.forget(2 * (next - MINI_SOUND_CONTEXT));
    }
  };
  for await (const columns of columnsOf(sound, signal)) {
    held.add(columns);
    await hearUpTo(held.end, false);
  }
  await hearUpTo(held.end, true);
  return codes;
}

async function levelOfSound(sound: Sound, signal: AbortSignal | undefined): Promise<number> {
  const means: number[] = [];
  for await (const columns of columnsOf(sound, signal)) means.push(...columnMeans(columns));
  return levelOf(Float32Array.from(means));
}

async function* columnsOf(sound: Sound, signal: AbortSignal | undefined): AsyncGenerator<Float32Array> {
  const stream = new LogMelStream();
  for await (const samples of sound.samples()) {
    signal?.throwIfAborted();
    yield stream.push(samples);
  }
  // Less than 13 ms have no column; the lips rest.
  if (stream.samples > 200) yield stream.end();
}

/** The columns that are still needed. */
class HeldColumns {
  columns = new Float32Array(0);
  /** Number of the first column held. */
  first = 0;

  get end(): number {
    return this.first + this.columns.length / MEL_BANDS;
  }

  add(columns: Float32Array): void {
    const joined = new Float32Array(this.columns.length + columns.length);
    joined.set(this.columns);
    joined.set(columns, this.columns.length);
    this.columns = joined;
  }

  forget(before: number): void {
    if (before <= this.first) return;
    this.columns = this.columns.slice((before - this.first) * MEL_BANDS);
    this.first = before;
  }
}

/** Codes averaged over neighbouring rows by a bell. */
function smoothed(codes: Float32Array): Float32Array {
  const reach = Math.ceil(3 * SMOOTHING);
  const bell = Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-(((i - reach) / SMOOTHING) ** 2) / 2),
  );
  const total = bell.reduce((a, b) => a + b, 0);
  const rows = codes.length / NUMBERS;
  const result = new Float32Array(codes.length);
  for (let t = 0; t < rows; t++) {
    for (const [i, weight] of bell.entries()) {
      const from = Math.min(rows - 1, Math.max(0, t + i - reach));
      for (let c = 0; c < NUMBERS; c++) {
        result[t * NUMBERS + c]! += (weight / total) * codes[from * NUMBERS + c]!;
      }
    }
  }
  return result;
}
