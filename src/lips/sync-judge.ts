/** A sync net that is ready to run: it sees mouths and hears sounds, each as a vector, alike where they belong together. */
import type { FloatTensor } from '../core/tensor.ts';
import { SYNC_FRAMES, SYNC_MEL_ROWS, syncNet } from '../networks/syncnet.ts';
import { cacheFolder } from '../nn/folders.ts';
import { loadNetwork } from '../nn/load-network.ts';
import { Engine } from '../nn/session.ts';
import { input } from '../nn/value.ts';
import type { SyncNetFile } from './sync-files.ts';

interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/** Sees and hears; its vectors have length 1. */
export interface SyncJudge {
  /** Side of the faces whose lower halves are seen. */
  readonly size: number;
  /** Lower halves of 16 frames of 25 fps, RGB in −1 … 1, frame by frame: [B, 48, size / 2, size] → [B, N] */
  see(frames: FloatTensor, options?: Abortable): Promise<FloatTensor>;
  /** Mel of the same time: [B, 1, 80, 52] → [B, N] */
  hear(mel: FloatTensor, options?: Abortable): Promise<FloatTensor>;
  close(): Promise<void>;
}

/** Loads both halves of a sync net. @throws MuseTalkError BAD_WEIGHTS, WRONG_FILE, BAD_FILE or ENGINE. */
export async function openSyncJudge({ size, config, weights }: SyncNetFile): Promise<SyncJudge> {
  const engine = new Engine();
  const frames = input('frames', ['B', 3 * SYNC_FRAMES, size / 2, size]);
  const mel = input('mel', ['B', 1, 80, SYNC_MEL_ROWS]);
  const load = (half: 'seen' | 'heard') =>
    loadNetwork(engine, weights, {
      match: { network: 'a sync net' },
      build: (w) => ({ vector: syncNet(w, frames, mel, config)[half] }),
      loading: { cacheFolder: cacheFolder() },
    });
  try {
    const eyes = await load('seen');
    const ears = await load('heard');
    return {
      size,
      see: async (seen, run) => (await eyes.run({ frames: seen }, run)).vector as FloatTensor,
      hear: async (heard, run) => (await ears.run({ mel: heard }, run)).vector as FloatTensor,
      close: () => engine.close(),
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}
