/**
 * Sounds for the training of mini's sound encoder, as raw log-mel columns in memory, and the batches made of them.
 */
import { readFile } from 'node:fs/promises';
import { levelled, soundLevel } from '../../src/sound/levelled-mel.ts';
import { LogMelStream, MEL_BANDS } from '../../src/sound/mel.ts';
import { TAUGHT } from './taught.ts';

/** A sound with what is known about it. Rows are 50 a second, columns 100. */
export interface Utterance {
  /** Where it comes from: weights of the losses and of the sampling depend on it. */
  readonly corpus: string;
  /** Raw log10 mel powers, [n, 80]. */
  readonly columns: Float32Array;
  readonly level: number;
  /** Phone of each row, −1 where unknown. */
  readonly phones: Int16Array;
  /** Lip codes and opening of each row, [rows, 9], or none. */
  readonly codes: Float32Array | undefined;
  /** What the teacher hears every 40 ms, [n, 96], or none. */
  readonly embedding?: Float32Array | undefined;
}

/** Raw log-mel columns of samples at 16 kHz. */
export function columnsOf(samples: Float32Array): Float32Array {
  const stream = new LogMelStream();
  const [head, tail] = [stream.push(samples), stream.end()];
  const columns = new Float32Array(head.length + tail.length);
  columns.set(head);
  columns.set(tail, head.length);
  return columns;
}

/** Samples of a 16-bit mono WAV file of 16 kHz with a plain 44-byte header, as flite writes it. */
export async function readPlainWav(path: string): Promise<Float32Array> {
  const bytes = await readFile(path);
  const samples = new Int16Array(Uint8Array.from(bytes.subarray(44, bytes.length & ~1)).buffer);
  return Float32Array.from(samples, (sample) => sample / 32768);
}

/** Uniform numbers in 0 … 1 from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A room, a distance and a noise: the samples as another microphone might have heard them. */
export function throughRoom(samples: Float32Array, random: () => number): Float32Array {
  const echoed = Float32Array.from(samples);
  if (random() < 0.6) {
    const taps = Array.from({ length: 12 }, () => ({
      delay: Math.floor(16000 * (0.002 + 0.06 * random())),
      gain: (random() - 0.5) * 0.7,
    }));
    for (const { delay, gain } of taps) {
      const decayed = gain * Math.exp(-delay / 600);
      for (let i = delay; i < samples.length; i++) echoed[i]! += decayed * samples[i - delay]!;
    }
  }
  let power = 0;
  for (const sample of echoed) power += sample * sample;
  const noise = Math.sqrt(power / samples.length) * 10 ** (-(14 + 36 * random()) / 20);
  const colour = random();
  let previous = 0;
  for (let i = 0; i < echoed.length; i++) {
    previous = colour * previous + (1 - colour * 0.7) * (random() * 2 - 1);
    echoed[i]! += noise * 1.7 * previous;
  }
  return echoed;
}

/**
 * One batch: mel [B, 80, 2 T]; phones one-hot-able [B, T] (−1 unknown); codes [B, 9, T] and what the teacher hears
 * [B, 96, T], each with a weight a row [B, T].
 */
export interface SoundBatch {
  readonly mel: Float32Array;
  readonly phones: Int16Array;
  readonly codes: Float32Array;
  readonly codeWeight: Float32Array;
  readonly taught: Float32Array;
  readonly taughtWeight: Float32Array;
}

/** Draws windows of `rows` rows with another tempo, throat, loudness, tone and noise each time. */
export function drawBatch(
  pick: () => Utterance,
  { batch, rows, random }: { batch: number; rows: number; random: () => number },
): SoundBatch {
  const columns = 2 * rows;
  const result: SoundBatch = {
    mel: new Float32Array(batch * MEL_BANDS * columns),
    phones: new Int16Array(batch * rows).fill(-1),
    codes: new Float32Array(batch * 9 * rows),
    codeWeight: new Float32Array(batch * rows),
    taught: new Float32Array(batch * TAUGHT * rows),
    taughtWeight: new Float32Array(batch * rows),
  };
  for (let b = 0; b < batch; b++) draw(pick(), b, { columns, rows, random, result });
  return result;
}

const SILENT_LOG = -7;

function draw(
  sound: Utterance,
  b: number,
  {
    columns,
    rows,
    random,
    result,
  }: { columns: number; rows: number; random: () => number; result: SoundBatch },
): void {
  const total = sound.columns.length / MEL_BANDS;
  const tempo = Math.exp((random() - 0.5) * 0.3);
  const throat = Math.exp((random() - 0.5) * 0.3);
  const gain = (random() - 0.5) * 0.5;
  const [tilt, bend] = [(random() - 0.5) * 0.9, (random() - 0.5) * 0.9];
  const floor = random() < 0.6 ? -(1.2 + 2.8 * random()) : -9;
  const span = columns * tempo;
  const start = total <= span ? -Math.floor(random() * (span - total)) : random() * (total - span);
  const noiseShape = (random() - 0.5) * 2;
  for (let t = 0; t < columns; t++) {
    const at = start + t * tempo;
    const [i, f] = [Math.floor(at), at - Math.floor(at)];
    const jitter = 1 + 0.15 * (random() - 0.5);
    for (let band = 0; band < MEL_BANDS; band++) {
      const u = Math.min(band * throat, MEL_BANDS - 1.001);
      const value = (1 - f) * bandAt(sound, total, i, u) + f * bandAt(sound, total, i + 1, u) - sound.level;
      const x = band / MEL_BANDS - 0.5;
      const toned = value + gain + tilt * x + bend * (x * x * 4 - 0.5);
      const noise = 10 ** ((floor + noiseShape * x) * jitter);
      result.mel[(b * MEL_BANDS + band) * columns + t] = levelled(Math.log10(10 ** toned + noise));
    }
  }
  const known = sound.phones.length;
  for (let t = 0; t < rows; t++) {
    const at = (start + (2 * t + 0.5) * tempo) / 2;
    const i = Math.round(at);
    const inside = i >= 0 && i < known;
    result.phones[b * rows + t] = inside ? sound.phones[i]! : 0;
    if (inside && sound.embedding) drawTaught(sound.embedding, at, b * TAUGHT * rows + t, b * rows + t);
    if (!sound.codes) continue;
    result.codeWeight[b * rows + t] = 1;
    if (!inside) continue;
    for (let c = 0; c < 9; c++) result.codes[(b * 9 + c) * rows + t] = sound.codes[i * 9 + c]!;
  }

  /** The teacher's number k is about the middle of row 2 k + 0.5. */
  function drawTaught(embedding: Float32Array, row: number, to: number, weightAt: number): void {
    const last = embedding.length / TAUGHT - 1;
    const k = Math.min(Math.max(row / 2 - 0.25, 0), last - 0.001);
    if (last < 1) return;
    const [i, f] = [Math.floor(k), k - Math.floor(k)];
    result.taughtWeight[weightAt] = 1;
    for (let c = 0; c < TAUGHT; c++) {
      result.taught[to + c * rows] =
        (1 - f) * embedding[i * TAUGHT + c]! + f * embedding[(i + 1) * TAUGHT + c]!;
    }
  }
}

function bandAt(sound: Utterance, total: number, t: number, u: number): number {
  if (t < 0 || t >= total) return sound.level + SILENT_LOG;
  const [i, f] = [Math.floor(u), u - Math.floor(u)];
  const row = t * MEL_BANDS;
  return (1 - f) * sound.columns[row + i]! + f * sound.columns[row + Math.min(i + 1, MEL_BANDS - 1)]!;
}

/** The utterance of some samples, with its phones given as [class, end in seconds]. */
export function utterance(
  corpus: string,
  samples: Float32Array,
  segments: readonly (readonly [phone: number, end: number])[] | undefined,
): Utterance {
  const columns = columnsOf(samples);
  const rows = Math.floor(columns.length / MEL_BANDS / 2);
  const phones = new Int16Array(rows).fill(-1);
  let s = 0;
  for (let row = 0; segments && row < rows; row++) {
    while (s < segments.length - 1 && segments[s]![1] < (row + 0.5) / 50) s++;
    phones[row] = segments[s]![0];
  }
  return { corpus, columns, level: soundLevel(columns), phones, codes: undefined };
}
