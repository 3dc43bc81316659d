/** Sync nets on disk: upstream's in one file; our own as `syncnet.json` with their sizes, and `syncnet.safetensors`. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MuseTalkError } from '../core/errors.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { findNetwork } from '../models/inventory.ts';
import { networkOf } from '../models/manifest.ts';
import { readConfig } from '../networks/network-config.ts';
import { STABLE_SYNCNET, type SyncNetConfig } from '../networks/syncnet.ts';
import { writeSafetensors } from '../nn/weights/write-safetensors.ts';

const factor = z.union([z.int().min(1), z.tuple([z.int().min(1), z.int().min(1)])]);
const encoder = z.object({
  block_out_channels: z.array(z.int().min(32)).min(1).max(12),
  downsample_factors: z.array(factor).min(1).max(12),
});

const syncFile = z.object({
  format: z.literal(1),
  /** Side of the pictures whose lower halves are seen. */
  size: z.int().min(32).max(512),
  audio_encoder: encoder,
  visual_encoder: encoder,
});

/** A sync net on disk: its sizes, and where its weights are. */
export interface SyncNetFile {
  /** Side of the faces whose lower halves it sees. */
  readonly size: number;
  readonly config: SyncNetConfig;
  readonly weights: string;
}

const CONFIG = 'syncnet.json';
const WEIGHTS = 'syncnet.safetensors';

/** Numbers that both encoders end in. */
const WIDTH = 256;

/**
 * Sizes for pictures of `size` pixels a side, a power of two: LatentSync's shape with a seventieth of its weights,
 * for processors: 5.2 M at 128 pixels.
 */
export function smallSyncNet(size: number): SyncNetConfig {
  // The lower half is twice as wide as high: one step along x alone, then squares down to a single position.
  const halvings = Math.log2(size / 2);
  const widths = Array.from({ length: halvings }, (_, i) => Math.min(32 * 2 ** Math.floor((i + 1) / 2), 128));
  return {
    visual_encoder: {
      block_out_channels: [32, ...widths.slice(0, -1), WIDTH],
      downsample_factors: [[1, 2], ...widths.map(() => 2)],
    },
    audio_encoder: {
      block_out_channels: [32, 32, 64, 64, 128, 128, WIDTH],
      downsample_factors: [[2, 1], 2, 2, 1, 2, 2, [2, 3]],
    },
  };
}

/**
 * The sync net of a models folder: upstream's, else one of our own in `syncnet`, else undefined.
 *
 * @throws MuseTalkError WRONG_FILE when the sizes of our own are none.
 */
export async function findSyncNet(models: string): Promise<SyncNetFile | undefined> {
  const { files } = await findNetwork(models, networkOf('syncnet'));
  const there = files.find(({ state }) => state === 'present' || state === 'other');
  if (there) return { size: 256, config: STABLE_SYNCNET, weights: there.path };
  return findOwnSyncNet(join(models, 'syncnet'));
}

/** A sync net of our own in a folder, if there is one. @throws MuseTalkError WRONG_FILE when its sizes are none. */
export async function findOwnSyncNet(folder: string): Promise<SyncNetFile | undefined> {
  const path = join(folder, CONFIG);
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { size, audio_encoder, visual_encoder } = readConfig(syncFile, parsed(text, path), 'sync net');
  return { size, config: { audio_encoder, visual_encoder }, weights: join(folder, WEIGHTS) };
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MuseTalkError('WRONG_FILE', `${path} is not JSON`, { facts: { path }, cause });
  }
}

/** Writes a sync net into a folder that exists. */
export async function writeSyncNet(
  folder: string,
  { size, config }: Omit<SyncNetFile, 'weights'>,
  tensors: ReadonlyMap<string, FloatTensor>,
): Promise<void> {
  await writeSafetensors(
    join(folder, WEIGHTS),
    Array.from(tensors, ([name, tensor]) => ({ name, tensor })),
    { format: 'pt' },
  );
  const path = join(folder, CONFIG);
  await writeFile(`${path}.part`, `${JSON.stringify({ format: 1, size, ...config }, null, 2)}\n`);
  await rename(`${path}.part`, path);
}
