// Whole trainings on faces that are drawn here, with the networks at their own size where they are small.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { drawnFaces } from '../../test/prepared-faces.ts';
import { MuseTalkError } from '../core/errors.ts';
import { openLipModel } from '../lips/open-model.ts';
import { readVaeConfig, vaeDecoder, vaeEncoder } from '../networks/vae.ts';
import { whisperEncoder } from '../networks/whisper-encoder.ts';
import { seededTensor } from '../nn/seeded-weights.ts';
import { input } from '../nn/value.ts';
import { writeSafetensors } from '../nn/weights/write-safetensors.ts';
import { expectedWeights, type Weights } from '../nn/weights.ts';
import { checkOptions } from '../options/check.ts';
import { dubSettings } from '../options/dub.ts';
import type { TrainConfig } from '../options/train.ts';
import { readMiniBundle } from './mini/bundle.ts';
import type { TrainProgress } from './run.ts';
import { train } from './train.ts';

const root = await mkdtemp(join(tmpdir(), 'musetalk-training-'));
after(() => rm(root, { recursive: true }));
const data = await drawnFaces(join(root, 'data'), 3);
const run = { threads: 1, spinning: false, cacheFolder: join(root, 'cache') };
const often = { logEvery: 1, saveEvery: 4, heldBack: 0.3 };

/** Trains, and gives what was told of each part. */
async function trained(config: TrainConfig, output: string) {
  const told: TrainProgress[] = [];
  const notes: string[] = [];
  const report = await train(
    { config: { data, ...often, ...config }, output },
    { ...run, onProgress: (progress) => told.push(progress), onNote: (note) => notes.push(note) },
  );
  const lossesOf = (part: string, name: string) =>
    told.filter((progress) => progress.part === part).map(({ values }) => values[name]!);
  const heldBack = async (part: string, name: string): Promise<number[]> => {
    const log = (await readFile(join(output, 'run', part, 'log.jsonl'), 'utf8')).trim().split('\n');
    return log.flatMap((line) => JSON.parse(line).validation?.[name] ?? []);
  };
  return { report, notes, told, lossesOf, heldBack };
}

const mean = (numbers: readonly number[]) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
const opened = (model: string, models?: string) =>
  openLipModel(checkOptions(dubSettings, { model, ...(models && { models }) }), run);

test('mini learns to hear and to draw, its folder is a model, and a person is learned from there', async () => {
  const output = join(root, 'mini');
  const config = {
    updates: 40,
    sharpen: 2,
    sound: 16,
    batch: 4,
    warmUp: 4,
    rate: 6e-4,
    validateEvery: 12,
    saveEvery: 50,
  } as const;
  const { report, told, lossesOf, heldBack } = await trained({ train: 'mini', ...config }, output);
  assert.deepEqual(report.updates, { sound: 16, picture: 40, sharpen: 2 });
  assert.equal(report.finished, true);
  for (const [part, name, window] of [
    ['sound', 'codes', 4],
    ['picture', 'picture', 8],
  ] as const) {
    const losses = lossesOf(part, name);
    assert.ok(mean(losses.slice(-window)) < 0.9 * mean(losses.slice(0, window)), `${part}: ${losses}`);
  }
  const pixels = await heldBack('picture', 'pixels'); // of a face that is not learned from
  assert.ok(pixels.at(-1)! < 0.9 * pixels[0]!, `picture: ${pixels}`);
  assert.ok(told.every(({ samplesPerSecond, secondsLeft }) => samplesPerSecond > 0 && secondsLeft >= 0));

  const model = await opened(output);
  assert.equal(model.name, 'mini');
  await model.close();
  const html = await readFile(report.report, 'utf8');
  assert.match(html, /<polyline points="\d/);
  assert.match(html, /src="data:image\/jpeg;base64,/);
  assert.doesNotMatch(html, /https?:|<script|src="(?!data:)/);

  const tuned = join(root, 'tuned');
  const again = await trained({ from: output, sharpen: 3, batch: 2, warmUp: 0 }, tuned);
  assert.deepEqual(again.report.updates, { sharpen: 3 });
  const [before, now] = [await readMiniBundle(output), await readMiniBundle(tuned)];
  assert.deepEqual(now.sound, before.sound);
  assert.deepEqual(now.components, before.components);
  assert.notDeepEqual(now.face, before.face);

  const other = train({ config: { data, ...often, from: output, sharpen: 4, batch: 2 }, output: tuned }, run);
  await assert.rejects(other, (error: MuseTalkError) => {
    assert.equal(error.code, 'CONFLICT');
    assert.match(error.message, /another (?:warmUp|sharpen)/);
    return true;
  });
});

test('a bundle that does not say what its codes mean cannot be trained on', async () => {
  const bundle = join(root, 'mute');
  await mkdir(bundle);
  await writeFile(join(bundle, 'mini.json'), '{"format":1,"reach":0.05,"gain":1.2}');
  const weight = seededTensor('weight', [2]);
  await writeSafetensors(join(bundle, 'mini.safetensors'), [{ name: 'face.x', tensor: weight }]);
  await assert.rejects(train({ config: { data, from: bundle }, output: join(root, 'no') }, run), {
    code: 'BAD_WEIGHTS',
    message: /does not say what its lip codes mean/,
  });
});

test('a sync net is trained on the same data', async () => {
  const output = join(root, 'sync');
  const { report, lossesOf } = await trained(
    { train: 'sync', updates: 6, batch: 2, crop: { size: 32 }, warmUp: 1, rate: 1e-3, validateEvery: 6 },
    output,
  );
  assert.deepEqual(report.updates, { sync: 6 });
  assert.ok(lossesOf('sync', 'sync').every(Number.isFinite));
  assert.deepEqual((await readdir(output)).sort(), [
    ...['report.html', 'run', 'syncnet.json', 'syncnet.safetensors', 'training.json'],
  ]);
});

/** A models folder with small frozen networks of random weights. */
async function smallModels(): Promise<string> {
  const models = join(root, 'models');
  const vaeJson = { block_out_channels: [8, 8, 8, 8], layers_per_block: 1, norm_num_groups: 4 };
  const vae = readVaeConfig(vaeJson);
  const whisper = { mels: 80, positions: 1500, width: 64, layers: 4, heads: 1, mlp: 64 };
  const unetJson = {
    ...{ block_out_channels: [8, 8], layers_per_block: 1, cross_attention_dim: 64, norm_num_groups: 4 },
    ...{ attention_head_dim: 2, down_block_types: ['CrossAttnDownBlock2D', 'DownBlock2D'] },
    up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D'],
  };
  await writeNetwork(join(models, 'sd-vae'), 'diffusion_pytorch_model.safetensors', '', (w) => {
    vaeEncoder(w, input('x', [1, 3, 64, 64]), vae);
    vaeDecoder(w, input('z', [1, 4, 8, 8]), vae);
  });
  await writeNetwork(join(models, 'whisper'), 'model.safetensors', 'model.encoder.', (w) =>
    whisperEncoder(w, input('mel', [1, 80, 3000]), whisper, { version: '1.5' }),
  );
  await writeFile(join(models, 'sd-vae', 'config.json'), JSON.stringify(vaeJson));
  await mkdir(join(models, 'musetalkV15'));
  await writeFile(join(models, 'musetalkV15', 'musetalk.json'), JSON.stringify(unetJson));
  return models;
}

async function writeNetwork(
  folder: string,
  file: string,
  prefix: string,
  build: (w: Weights) => unknown,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const tensors = Array.from(expectedWeights(build), ([name, shape]) => ({
    name: prefix + name,
    tensor: seededTensor(name, shape),
  }));
  await writeSafetensors(join(folder, file), tensors);
}

test('the UNet learns from prepared clips, and its folder is a model beside the frozen networks', async () => {
  const models = await smallModels();
  const output = join(root, 'unet');
  const config = {
    models,
    crop: { size: 64 },
    minFace: 0,
    rate: 2e-3,
    updates: 8,
    batch: 2,
    warmUp: 1,
  } as const;
  const { report, notes, lossesOf } = await trained(
    { train: 'musetalk-1.5-first', ...config, validateEvery: 4 },
    output,
  );
  assert.deepEqual(report.updates, { unet: 8 });
  assert.equal(notes.length, 1);
  assert.match(notes[0]!, /perceptual loss is off: VGG19 is not in .*models pull vgg19/);
  const losses = lossesOf('unet', 'pixels');
  assert.ok(mean(losses.slice(-3)) < mean(losses.slice(0, 3)), `${losses}`);
  assert.match(await readFile(report.report, 'utf8'), /masked, reference, prediction, target/);
  const files = await readdir(join(data, 'clips'));
  // What frozen networks say is asked once, as the crops do not change.
  assert.ok(files.some((name) => /^face-\d\.latents-/.test(name)));
  assert.ok(files.some((name) => /^face-\d\.heard-.*-0\./.test(name)));
  const model = await opened(output, models);
  assert.equal(model.name, 'musetalk-1.5');
  await model.close();

  const changed = { mirror: 0.5, colour: 0.2, shift: 0.02, scale: 0.02, sound: 1 };
  const old = join(root, 'old');
  const second = await trained(
    { train: 'musetalk-1.0', ...config, updates: 2, accumulate: 2, augment: changed },
    old,
  );
  assert.deepEqual(second.notes, []);
  assert.ok(second.lossesOf('unet', 'latentError').every(Number.isFinite));
  const earlier = await opened(old, models);
  assert.equal(earlier.name, 'musetalk-1.0');
  await earlier.close();
});

test('a run without what it needs says what to do', async () => {
  const output = join(root, 'none');
  await assert.rejects(train({ output }, run), {
    code: 'BAD_OPTION',
    message: /nothing is named to learn from/,
  });
  await assert.rejects(train({ config: { data: join(root, 'nowhere') }, output }, run), {
    code: 'NOT_FOUND',
    hint: /train prepare/,
  });
  const config = { data, train: 'musetalk-1.5-first', models: join(root, 'nothing') } as const;
  await assert.rejects(train({ config, output }, run), (error: unknown) => {
    assert.ok(error instanceof MuseTalkError && error.code === 'MODEL_MISSING');
    assert.match(error.message, /sd-vae and whisper-tiny/);
    return true;
  });
});
