import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SeededOptions } from '../src/nn/seeded-weights.ts';
import { seededTensor } from '../src/nn/seeded-weights.ts';
import { writeSafetensors } from '../src/nn/weights/write-safetensors.ts';
import type { Weights } from '../src/nn/weights.ts';
import { expectedWeights } from '../src/nn/weights.ts';

export interface SeededCheckpoint {
  readonly path: string;
  /** For graphs that point into the file; goes with it. */
  readonly cacheFolder: string;
  /** Deletes the file and the cache. */
  remove(): Promise<void>;
}

/**
 * A checkpoint of a network with seeded weights in a temporary folder, written one tensor at a time: the UNet's
 * takes 3.4 GB of disk and half a minute, and next to no memory.
 */
export async function writeSeededCheckpoint(
  build: (w: Weights) => unknown,
  options: SeededOptions = {},
): Promise<SeededCheckpoint> {
  const folder = await mkdtemp(join(tmpdir(), 'musetalk-seeded-'));
  const path = join(folder, 'weights.safetensors');
  const tensors = Array.from(expectedWeights(build), ([name, shape]) => ({
    name,
    tensor: { dtype: 'float32', shape, load: async () => seededTensor(name, shape, options) } as const,
  }));
  await writeSafetensors(path, tensors);
  return { path, cacheFolder: join(folder, 'cache'), remove: () => rm(folder, { recursive: true }) };
}
