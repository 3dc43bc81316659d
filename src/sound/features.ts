/** From a sound to the rows of features, and from those to the condition of each frame. */
import type { FloatTensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import type { BlockOptions, MelBlock, Sound } from './mel-blocks.ts';
import { featureRows, melBlocks } from './mel-blocks.ts';
import { feature2chunks, whisperChunks } from './upstream-windows.ts';
import type { FrameRate, FrameWindow, Rounding } from './windows.ts';
import { exactRate, frameCount, windowOfFrame } from './windows.ts';

/**
 * Runs Whisper's encoder: mel [1, 80, 3000] → all hidden states [1, 1500, layers, width], row by row with the
 * layers in order (5 layers of 384 for Whisper tiny). 1.5's last layer is normed, 1.0's is not.
 */
export type Encode = (mel: FloatTensor) => Promise<FloatTensor>;

/** Rows over which one block passes into the next: one second, so that no frame shows a step. */
export const FADE_ROWS = 50;

/**
 * The rows of features of a whole sound, 50 a second: [layers, width] each. At most two blocks are held.
 *
 * Where blocks overlap, the earlier one is kept up to the middle of the overlap and fades there into the later
 * one. Rows near the edge of a block, which lack a part of their context, are never used.
 *
 * @throws MuseTalkError NO_SOUND when there is nothing to encode; what `encode` and the sound throw.
 */
export async function* features(
  encode: Encode,
  sound: Sound,
  options: BlockOptions,
): AsyncGenerator<FloatTensor> {
  let previous: EncodedBlock | undefined;
  for await (const block of melBlocks(sound, options)) {
    options.signal?.throwIfAborted();
    const encoded: EncodedBlock = { ...block, states: await encode(block.mel) };
    if (previous) yield* rowsUpTo(previous, encoded);
    previous = encoded;
  }
  if (previous) yield* lastRows(previous);
}

interface EncodedBlock extends MelBlock {
  /** [1, 1500, layers, width] */
  readonly states: FloatTensor;
  /** The row of the whole sound from which on this block is to be given; the earlier ones were given before. */
  from?: number;
}

/** The rows of `block` that come before `next` alone speaks, those of the fade between them included. */
function* rowsUpTo(block: EncodedBlock, next: EncodedBlock): Generator<FloatTensor> {
  const end = block.start + block.rows;
  const overlap = end - next.start;
  const fade = Math.min(FADE_ROWS, overlap);
  const fadeStart = next.start + Math.floor((overlap - fade) / 2);
  for (let row = block.from ?? block.start; row < fadeStart; row++) yield rowOf(block, row);
  for (let i = 0; i < fade; i++) {
    const share = 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / fade);
    yield mix(rowOf(block, fadeStart + i), rowOf(next, fadeStart + i), share);
  }
  next.from = fadeStart + fade;
}

function* lastRows(block: EncodedBlock): Generator<FloatTensor> {
  for (let row = block.from ?? block.start; row < block.start + block.rows; row++) yield rowOf(block, row);
}

function rowOf({ states, start }: EncodedBlock, row: number): FloatTensor {
  const [, , layers, width] = states.shape as [number, number, number, number];
  const size = layers * width;
  return tensor([layers, width], states.data.subarray((row - start) * size, (row - start + 1) * size));
}

/** (1 − share) · a + share · b */
function mix(a: FloatTensor, b: FloatTensor, share: number): FloatTensor {
  return tensor(
    a.shape,
    a.data.map((value, i) => value + share * (b.data[i]! - value)),
  );
}

/** How features become conditions. */
export interface ConditionOptions extends BlockOptions {
  readonly fps: FrameRate;
  /**
   * How many frames are wanted, or how the sound's length gives it: `round` by default. 1.0's windows repeat the
   * last row past the end of the sound, 1.5's hold zeros. With `compat: 'upstream'` the number is upstream's own,
   * whatever stands here.
   */
  readonly frames?: number | Rounding | undefined;
  /** Frames of 40 ms heard before and after the frame itself; 2 and 2 by default, as the published weights want. */
  readonly before?: number | undefined;
  readonly after?: number | undefined;
}

/**
 * The condition of each frame of a video, in order: [50, 384] for Whisper tiny (10 rows of 5 layers, the layer
 * counting fastest), position codes not yet added. Sound, blocks and rows are read only as far as frames are
 * asked for; each condition's numbers belong to the receiver.
 *
 * @throws MuseTalkError NO_SOUND, see `featureRows`; BAD_OPTION for a bad rate or, with `compat: 'upstream'`, at
 * the frame where upstream's window fails.
 */
export async function* conditions(
  encode: Encode,
  sound: Sound,
  options: ConditionOptions,
): AsyncGenerator<FloatTensor> {
  const windows = frameWindows(sound.sampleCount, options);
  const rows = new RowBuffer(features(encode, sound, options));
  try {
    for (const window of windows) yield await gather(rows, window);
  } finally {
    await rows.close();
  }
}

/** The windows that `conditions` takes, in order: for each frame the numbers of its rows, −1 for zeros. */
export function frameWindows(samples: number, options: ConditionOptions): Iterable<FrameWindow> {
  const { version, compat = 'right', fps, frames = 'round', before = 2, after = 2 } = options;
  const sides = { before, after };
  const rate = exactRate(fps);
  const rows = featureRows(samples, options);
  if (compat === 'upstream') {
    const literal = typeof fps === 'number' ? fps : rate.num / rate.den;
    return version === '1.5' ? whisperChunks(samples, literal, sides) : feature2chunks(rows, literal, sides);
  }
  const count = typeof frames === 'number' ? frames : frameCount(samples, rate, frames);
  return rightWindows(count, { rows, fps: rate, ends: version === '1.5' ? 'zeros' : 'repeat', ...sides });
}

function* rightWindows(count: number, options: Parameters<typeof windowOfFrame>[1]): Generator<FrameWindow> {
  for (let frame = 0; frame < count; frame++) yield windowOfFrame(frame, options);
}

/** [rows · layers, width]: the rows of one window one below the other, zeros where the window says so. */
async function gather(rows: RowBuffer, window: FrameWindow): Promise<FloatTensor> {
  const [layers, width] = await rows.shape();
  const size = layers * width;
  const condition = tensor([window.length * layers, width]);
  for (const [i, row] of window.entries()) {
    if (row >= 0) condition.data.set((await rows.get(row)).data, i * size);
  }
  const first = window.find((row) => row >= 0);
  if (first !== undefined) rows.forget(first);
  return condition;
}

/** The rows that windows may still ask for. Windows only move forward, so what lies before one can go. */
class RowBuffer {
  readonly #source: AsyncGenerator<FloatTensor>;
  readonly #rows: FloatTensor[] = [];
  #first = 0;
  #shape: readonly [number, number] | undefined;

  constructor(source: AsyncGenerator<FloatTensor>) {
    this.#source = source;
  }

  /** [layers, width], which the first row tells. */
  async shape(): Promise<readonly [number, number]> {
    if (!this.#shape) this.#shape = (await this.get(0)).shape as readonly [number, number];
    return this.#shape;
  }

  async get(row: number): Promise<FloatTensor> {
    while (this.#first + this.#rows.length <= row) {
      const { value, done } = await this.#source.next();
      if (done) throw new RangeError(`row ${row} of ${this.#first + this.#rows.length} was asked for`);
      this.#rows.push(value);
    }
    return this.#rows[row - this.#first]!;
  }

  forget(before: number): void {
    const count = Math.max(0, before - this.#first);
    this.#rows.splice(0, count);
    this.#first += count;
  }

  async close(): Promise<void> {
    await this.#source.return(undefined);
  }
}
