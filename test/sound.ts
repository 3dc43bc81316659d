import { readFileSync } from 'node:fs';
import { fnv1a, seededUniform } from '../src/nn/seeded-weights.ts';
import type { Sound } from '../src/sound/mel-blocks.ts';

/** A sound held in memory, given in pieces of `piece` samples. */
export function soundOf(samples: Float32Array<ArrayBuffer>, piece = 4096): Sound {
  return {
    sampleCount: samples.length,
    async *samples(start = 0, end = samples.length) {
      for (let i = start; i < end; i += piece) yield samples.slice(i, Math.min(i + piece, end));
    },
  };
}

/** The samples of a mono 16-bit WAV file, −1 … 1. */
export function readWav(path: string): Float32Array<ArrayBuffer> {
  const bytes = readFileSync(path);
  const data = bytes.indexOf('data', 12, 'latin1');
  const length = bytes.readUInt32LE(data + 4) / 2;
  return Float32Array.from({ length }, (_, i) => bytes.readInt16LE(data + 8 + 2 * i) / 32768);
}

/**
 * The first `count` samples of the signal of 65 s of the golden cases: a saw-tooth whose strength and pitch
 * change every 50 ms, and noise.
 */
export function goldenSignal(count: number): Float32Array<ArrayBuffer> {
  const [noise, strength, pitch] = ['noise', 'env', 'period'].map((name) => fnv1a(`sound.65s.${name}`));
  return Float32Array.from({ length: count }, (_, i) => {
    const block = Math.floor(i / 800);
    const env = Math.abs(seededUniform(strength!, block));
    const period = 40 + Math.floor((seededUniform(pitch!, block) + 1) * 60);
    const saw = ((i % period) / period) * 2 - 1;
    return Math.trunc(32767 * (0.25 * env * saw + 0.05 * env * seededUniform(noise!, i))) / 32768;
  });
}
