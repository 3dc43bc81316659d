/**
 * The sound encoder of mini: from mel rows to lip codes, by way of phones.
 *
 * Convolutions over time and no norm that looks along it, so any piece of sound gives the numbers that the whole
 * would give (a receptive field of ± 0.8 s aside) and the same network serves files and streams. Its middle
 * predicts which phone is being spoken, learnt from speech with known phones in many voices; the lip code is read
 * from there, so words that were never seen on a face still move the lips.
 *
 * Legend: B batch, T rows at 50 a second.
 */
import { conv1d } from '../nn/layers.ts';
import { add, gelu } from '../nn/ops/arithmetic.ts';
import { softmax } from '../nn/ops/reduce.ts';
import { concat } from '../nn/ops/shape.ts';
import type { Value } from '../nn/value.ts';
import { fixed } from '../nn/value.ts';
import type { Weights } from '../nn/weights.ts';
import { MINI_CODE } from './mini-face.ts';

/** Phones of American English as CMU writes them, and silence. */
export const PHONES: readonly string[] =
  'pau aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh'.split(
    ' ',
  );

/** Sizes of the network that listens. */
export interface MiniSoundConfig {
  width: number;
  /** One residual block for each, before and after the phones; the reach of its convolution in rows. */
  ears: readonly number[];
  lips: readonly number[];
}

/**
 * Rows of 20 ms on each side that a row depends on. A piece of sound gives the numbers of the whole when it has as
 * many rows of context more than are wanted.
 */
export const MINI_SOUND_CONTEXT = 40;

/** The sizes that ship. */
const MINI_SOUND: MiniSoundConfig = { width: 160, ears: [1, 2, 4, 8, 4, 2], lips: [1, 2, 4, 8] };

/** Mel bands that the encoder takes. */
export const MINI_BANDS = 80;

/** What is heard in each row. */
export interface MiniSoundOutput {
  /** What the ears make of the sound, [B, width, T]. */
  readonly heard: Value;
  /** Phone scores before the softmax, [B, phones, T]. */
  readonly phones: Value;
  /** Lip codes and, last, the opening of the lips, [B, 9, T]. */
  readonly codes: Value;
}

/**
 * mel: [B, 80, 2 T] (100 rows a second, levelled) → phone scores and lip codes, 50 rows a second; row t is the
 * sound around mel rows 2 t and 2 t + 1.
 */
export function miniSound(w: Weights, mel: Value, config: MiniSoundConfig = MINI_SOUND): MiniSoundOutput {
  const { width, ears, lips } = config;
  let h = gelu(conv1d(w.at('conv_in', 0), mel, { out: width, kernel: 5, padding: 2 }));
  h = gelu(conv1d(w.at('conv_in', 1), h, { out: width, kernel: 4, stride: 2, padding: 1 })); // [B, width, T]
  for (const [i, dilation] of ears.entries()) h = residual(w.at('ears', i), h, dilation);
  const heard = h;
  const phones = conv1d(w.at('phones'), heard, { out: PHONES.length, kernel: 1 });
  h = conv1d(w.at('mix'), concat([heard, softmax(phones, 1)], 1), { out: width, kernel: 1 });
  for (const [i, dilation] of lips.entries()) h = residual(w.at('lips', i), h, dilation);
  return { heard, phones, codes: conv1d(w.at('codes'), h, { out: MINI_CODE + 1, kernel: 1 }) };
}

/** x + W₂ gelu(W₁ ∗ gelu(x)): a wide look along time, then a mix of channels. */
function residual(w: Weights, x: Value, dilation: number): Value {
  const out = fixed(x, 1);
  const h = conv1d(w.at(0), gelu(x), { out, kernel: 3, dilation, padding: dilation });
  return add(x, conv1d(w.at(2), gelu(h), { out, kernel: 1 }));
}
