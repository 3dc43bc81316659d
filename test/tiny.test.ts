// Each main promise once, small. Runs before everything else.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { dub, MuseTalkError, openVideo } from '../src/index.ts';
import {
  expectedWeights,
  frozenTensors,
  gradients,
  input,
  linear,
  openCheckpoint,
  runGraph,
  sumAll,
  Weights,
} from '../src/nn/index.ts';
import { readFrame } from './dub-cases.ts';
import { scratch, wav } from './media-fixtures.ts';
import { readPng } from './png.ts';
import { fixturePath } from './shared.ts';
import { ROOT, sourcesUnder } from './sources.ts';

const PORTRAIT = join(ROOT, 'test', 'fixtures', 'astronaut.jpg');
const MODELS = fixturePath('dub', 'models');

test('importing the library does nothing', () => {
  const programs = /^src\/cli\/main\.ts$|-worker\.ts$|^src\/server\/work\/child\.ts$/;
  const files = sourcesUnder('src').filter((file) => !programs.test(file));
  const script = `
    const { readdirSync } = await import('node:fs');
    for (const file of ${JSON.stringify(files)}) await import('./' + file);
    const left = process.getActiveResourcesInfo().filter((name) => !/^(TTY|Pipe)Wrap$/.test(name));
    console.log(JSON.stringify(left));`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', script];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  assert.deepEqual([status, stderr, stdout.trim()], [0, '', '[]']);
});

test('a network is a function, and its gradient is more graph', async () => {
  const x = input('x', [1, 2]);
  const network = (w: Weights) => linear(w.at('layer'), x, { out: 1 });
  assert.deepEqual([...expectedWeights(network).keys()], ['layer.weight', 'layer.bias']);

  const floats = (shape: number[], ...data: number[]) =>
    ({ dtype: 'float32', shape, data: Float32Array.from(data) }) as const;
  const layer = new Map([
    ['layer.weight', floats([1, 2], 3, 5)],
    ['layer.bias', floats([1], 7)],
  ]);
  const y = network(new Weights(frozenTensors(layer)));
  const [dx] = gradients(sumAll(y), [x]);
  const results = await runGraph({ y, dx: dx! }, { x: floats([1, 2], 10, 100) });
  assert.deepEqual([...results.y!.data], [3 * 10 + 5 * 100 + 7]);
  assert.deepEqual([...results.dx!.data], [3, 5]);
});

test('a checkpoint of the original is read without running it', async () => {
  const checkpoint = await openCheckpoint(join(MODELS, 'musetalkV15', 'unet.pth'));
  const { shape } = checkpoint.entries.get('conv_in.weight')!;
  assert.deepEqual([shape[1], shape[2], shape[3]], [8, 3, 3]);
  await checkpoint.close();
});

test('a portrait says a sound: as many frames as it lasts, and only the face changes', async (t) => {
  const folder = await scratch(t);
  const sound = join(folder, 'speech.wav');
  const samples = Buffer.alloc(2 * 16000 * 0.4);
  for (let i = 0; i < samples.length / 2; i++)
    samples.writeInt16LE(Math.round(9000 * Math.sin(i / 9)), 2 * i);
  await writeFile(sound, wav(samples));

  const [output, frames] = [join(folder, 'out.mp4'), join(folder, 'frames')];
  const { frameCount, duration } = await dub({
    ...{ video: PORTRAIT, sound, output, frames, silence: 'model', preset: 'ultrafast' },
    ...{ models: MODELS, model: 'musetalk-1.5', faceModel: 'builtin' },
  });
  assert.deepEqual([frameCount, duration], [10, 0.4]);
  assert.equal((await readdir(frames)).length, 10);
  assert.equal((await openVideo(output)).frameCount, 10);

  const [before, after] = [await readPng(PORTRAIT), await readFrame(frames, 5)];
  const changed = Array.from(before.data.keys()).filter((i) => before.data[i] !== after.data[i]);
  const rows = changed.map((i) => Math.floor(i / 3 / before.width));
  assert.ok(changed.length > 500, 'the mouth is drawn anew');
  assert.ok(Math.min(...rows) > 70 && Math.max(...rows) < 120, 'nothing else is touched');
});

test('what goes wrong is said in a sentence, with the remedy', async () => {
  await assert.rejects(
    dub({ video: 'nowhere.mp4', sound: 'nowhere.wav', output: join(ROOT, 'never.mp4') }),
    (error) =>
      error instanceof MuseTalkError && error.code === 'NOT_FOUND' && /nowhere\.mp4/.test(error.message),
  );
});
