/**
 * A sound as the blocks of 30 seconds that Whisper's encoder takes.
 *
 * Upstream cuts every 30 seconds and the encoder hears nothing across the cut: the energy of the mouth changes
 * visibly there. Here blocks overlap by six seconds, so that each row kept has at least two and a half seconds
 * of sound on either side, and the last block ends with the sound instead of with padding. One maximum of the
 * whole sound sets the range of all blocks. A sound that fits into one block is exactly upstream's.
 */
import { MuseTalkError } from '../core/errors.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import type { SoundSource } from '../media/source.ts';
import { BLOCK_COLUMNS, BLOCK_SAMPLES, LogMelStream, logMelOfBlock, MEL_BANDS, writeColumns } from './mel.ts';
import { whisperRows } from './upstream-windows.ts';
import { rowsOfSound } from './windows.ts';

/** Mono sound of 16 kHz that can be read twice: once for its loudest place, once for its features. */
export type Sound = Pick<SoundSource, 'sampleCount' | 'samples'>;

/** Whose sound path: 1.0 (OpenAI's encoder copy) or 1.5 (Hugging Face's). */
export type SoundVersion = '1.0' | '1.5';

/** `right`: no visible joins, no drift. `upstream`: its literal blocks and windows, faults included. */
export type Compat = 'right' | 'upstream';

/** Rows of features that one block gives. */
export const BLOCK_ROWS = BLOCK_COLUMNS / 2;

/** Rows that neighbouring blocks share: six seconds. */
const OVERLAP_ROWS = 300;

/** 30 seconds of spectrogram and the rows of features that are to be had from it. */
export interface MelBlock {
  /** The row of the whole sound that the first row of this block is. */
  readonly start: number;
  /** Rows that lie within the sound, from the first on. */
  readonly rows: number;
  /** [1, 80, 3000] */
  readonly mel: FloatTensor;
}

/** How a long sound is cut into blocks. */
export interface BlockOptions {
  readonly version: SoundVersion;
  /** `right` by default. */
  readonly compat?: Compat | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Rows of features of the whole sound. By the right rules at least one: a shorter sound is filled up with
 * silence.
 *
 * @throws MuseTalkError NO_SOUND for no samples, and for what upstream cannot do: less than one row in 1.0.
 */
export function featureRows(samples: number, { version, compat = 'right' }: BlockOptions): number {
  const literal = version === '1.5' ? whisperRows(samples) : rowsOfSound(samples);
  const rows = compat === 'upstream' ? literal : Math.max(rowsOfSound(samples), 1);
  if (samples > 0 && (rows > 0 || version === '1.5')) return rows;
  throw new MuseTalkError('NO_SOUND', `The sound has ${samples} samples at 16 kHz: too few for a frame.`, {
    hint: 'Give a sound with speech in it.',
    facts: { samples },
  });
}

/**
 * The blocks of a sound in order of time, each made when it is asked for; memory does not grow with the length.
 *
 * @throws MuseTalkError NO_SOUND, see `featureRows`.
 */
export async function* melBlocks(sound: Sound, options: BlockOptions): AsyncGenerator<MelBlock> {
  const { version, compat = 'right', signal } = options;
  const rows = featureRows(sound.sampleCount, options);
  if (version === '1.5' && compat === 'upstream') {
    yield* separateBlocks(sound, rows, signal);
    return;
  }
  const starts = blockStarts(rows, compat);
  const target = paddedLength(sound.sampleCount, version, compat);
  const maximum = await loudest(sound, target, signal);
  yield* cutBlocks(columnsOf(sound, target, new LogMelStream(), signal), { starts, rows, maximum });
}

/**
 * First rows of the blocks. Right: a block every 24 seconds, and the last one moved back so that it ends where
 * the sound ends. Upstream: one every 30 seconds.
 */
export function blockStarts(rows: number, compat: Compat = 'right'): number[] {
  const step = compat === 'upstream' ? BLOCK_ROWS : BLOCK_ROWS - OVERLAP_ROWS;
  const starts = [0];
  while (starts.at(-1)! + BLOCK_ROWS < rows) starts.push(starts.at(-1)! + step);
  if (compat === 'right')
    starts[starts.length - 1] = Math.max(0, Math.min(starts.at(-1)!, rows - BLOCK_ROWS));
  return starts;
}

/**
 * Samples after zeros were appended. 1.5 fills its block up with silence before the spectrogram; a longer sound
 * gets enough of it that the last column hears silence instead of a mirror. 1.0 pads nothing: the spectrogram
 * itself is filled up, with the value 0.0.
 */
function paddedLength(samples: number, version: SoundVersion, compat: Compat): number {
  if (compat === 'upstream') return samples;
  if (version === '1.0') return Math.max(samples, LEAST_SAMPLES);
  return samples <= BLOCK_SAMPLES ? BLOCK_SAMPLES : samples + LEAST_SAMPLES;
}

/** One column of the spectrogram: enough for one row of features. */
const LEAST_SAMPLES = 400;

/** The greatest value of the raw spectrogram. A pass of its own, so that no column has to be kept. */
async function loudest(sound: Sound, length: number, signal: AbortSignal | undefined): Promise<number> {
  const stream = new LogMelStream();
  for await (const _ of columnsOf(sound, length, stream, signal));
  return stream.maximum;
}

/** Raw columns ([n, 80] at a time) of the sound with zeros appended up to `length` samples. */
async function* columnsOf(
  sound: Sound,
  length: number,
  stream: LogMelStream,
  signal: AbortSignal | undefined,
): AsyncGenerator<Float32Array> {
  for await (const samples of sound.samples()) {
    signal?.throwIfAborted();
    yield stream.push(samples);
  }
  yield stream.push(new Float32Array(Math.max(0, length - stream.samples)));
  yield stream.end();
}

interface Cut {
  readonly starts: readonly number[];
  /** Rows of the whole sound. */
  readonly rows: number;
  readonly maximum: number;
}

/** Cuts a stream of raw columns into blocks; what is missing behind the last column stays 0.0. */
async function* cutBlocks(
  columns: AsyncIterable<Float32Array>,
  { starts, rows, maximum }: Cut,
): AsyncGenerator<MelBlock> {
  const held = new Float32Array(BLOCK_COLUMNS * MEL_BANDS);
  let filled = 0;
  let index = 0;
  const block = (): MelBlock => {
    const start = starts[index]!;
    const mel = tensor([1, MEL_BANDS, BLOCK_COLUMNS]);
    // Upstream: zero is no silence but a middling value. The weights were trained with it.
    writeColumns(mel, held.subarray(0, filled), maximum);
    return { start, rows: Math.min(BLOCK_ROWS, rows - start), mel };
  };

  for await (const next of columns) {
    let rest = next;
    while (rest.length > 0) {
      const taken = rest.subarray(0, held.length - filled);
      held.set(taken, filled);
      filled += taken.length;
      rest = rest.subarray(taken.length);
      if (filled < held.length) break;
      yield block();
      index++;
      if (index === starts.length) return;
      const step = 2 * (starts[index]! - starts[index - 1]!) * MEL_BANDS;
      held.copyWithin(0, step);
      filled -= step;
    }
  }
  yield block();
}

/** Upstream: in 1.5 each 30 seconds are a sound of their own, with its own maximum, mirrored at its own ends. */
async function* separateBlocks(
  sound: Sound,
  rows: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<MelBlock> {
  for (let start = 0; start < rows; start += BLOCK_ROWS) {
    const first = (start / BLOCK_ROWS) * BLOCK_SAMPLES;
    const end = Math.min(first + BLOCK_SAMPLES, sound.sampleCount);
    const samples = new Float32Array(end - first);
    let filled = 0;
    for await (const piece of sound.samples(first, end)) {
      signal?.throwIfAborted();
      samples.set(piece, filled);
      filled += piece.length;
    }
    yield { start, rows: Math.min(BLOCK_ROWS, rows - start), mel: logMelOfBlock(samples) };
  }
}
