import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { collect, scratch } from '../../test/media-fixtures.ts';
import { noise } from '../../test/noise.ts';
import { writeSeededCheckpoint } from '../../test/seeded-checkpoint.ts';
import { fixturePath } from '../../test/shared.ts';
import { soundOf } from '../../test/sound.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { latentsToFaceTiny } from '../networks/faces.ts';
import { input } from '../nn/value.ts';
import { stack, unstack } from './lip-model.ts';
import { locateMuseTalk } from './model-store.ts';
import { type MuseTalkOptions, openMuseTalk } from './musetalk.ts';

// The tiny networks of the recorded dubs.
const MODELS = fixturePath('dub', 'models');
const person = { reference: undefined, setting: undefined, lipSpread: undefined };
const frames = [0, 1, 2].map((index) => ({ ...noise(120, 100, 3, index), index }));
const box = { x1: 20, y1: 10, x2: 90, y2: 80 };

async function open(options: MuseTalkOptions = {}) {
  const files = await locateMuseTalk({ model: 'musetalk-1.5', models: MODELS });
  const model = await openMuseTalk(files, { cacheFolder: cache, ...options });
  after(() => model.close());
  const crops = frames.map((frame) => ({ ...model.crop(frame, box), index: frame.index }));
  return { model, crops };
}

const {
  path: tiny,
  cacheFolder: cache,
  remove,
} = await writeSeededCheckpoint((w) => latentsToFaceTiny(w, input('latents', ['B', 4, 32, 32])));
after(remove);

test('sampled latents follow from the seed and the frame, and lie about the mean', async () => {
  const [mean, one, other] = await Promise.all([
    open(),
    open({ latents: 'sample', seed: 1 }),
    open({ latents: 'sample', seed: 2 }),
  ]);
  const latents = async ({ model, crops }: typeof mean, from = 0) =>
    unstack((await model.prepare(crops.slice(from))) as FloatTensor);
  const [middle, drawn, again] = [await latents(mean), await latents(one), await latents(one, 2)];
  assert.deepEqual(drawn[2], again[0]);
  assert.notDeepEqual(drawn[2]!.data, (await latents(other))[2]!.data);
  assert.notDeepEqual(drawn[2]!.data, middle[2]!.data);
});

test('the tiny decoder draws faces of the same size', async () => {
  const files = await locateMuseTalk({ model: 'musetalk-1.5', models: MODELS });
  const model = await openMuseTalk({ ...files, taesd: tiny }, { cacheFolder: cache, decoder: 'taesd' });
  after(() => model.close());
  const latents = await model.prepare([{ ...model.crop(frames[0]!, box), index: 0 }]);
  const [face] = await model.recall(latents);
  assert.deepEqual([face!.width, face!.height, face!.channels], [256, 256, 3]);
  assert.ok(new Set(face!.data).size > 50, 'a picture, not a colour');
});

test('numbers that are not finite are an error and no black mouth', async () => {
  const { model, crops } = await open();
  const latents = (await model.prepare(crops)) as FloatTensor;
  const [condition] = await collect(heard(model, 1));
  const broken = { ...condition!, data: condition!.data.map((value, i) => (i === 7 ? Number.NaN : value)) };
  const [first] = unstack(latents);
  await assert.rejects(model.generate({ latents: stack([first!]), conditions: stack([broken]), person }), {
    code: 'ENGINE',
  });
});

test('there are conditions for as many frames as are asked for, past the end of the sound', async () => {
  const { model } = await open();
  const conditions = await collect(heard(model, 20));
  assert.equal(conditions.length, 20);
  assert.ok(conditions.at(-1)!.data.every((value) => value === 0));
});

async function* heard(model: Awaited<ReturnType<typeof open>>['model'], count: number) {
  const sound = soundOf(Float32Array.from({ length: 4000 }, (_, i) => Math.sin(i / 3) / 2));
  yield* model.conditions(sound, { fps: { num: 25, den: 1 }, frames: count });
}

test('boxes are cut to the picture once, or as upstream does it', async () => {
  const { model } = await open({ extraMargin: 12 });
  const picture = { width: 120, height: 100 };
  assert.deepEqual(model.boxOf(box, picture), { ...box, y2: 92 });
  const over = { x1: -5, y1: 40, x2: 130, y2: 95 };
  assert.deepEqual(model.boxOf(over, picture), { x1: 0, y1: 40, x2: 120, y2: 100 });
  assert.equal(model.boxOf({ x1: 130, y1: 0, x2: 160, y2: 50 }, picture), null);
  const { model: literal } = await open({ compat: 'upstream' });
  assert.deepEqual(literal.boxOf(over, picture), { ...over, y2: 100 });
});

test('networks that do not belong together are told apart when they are loaded', async (t) => {
  const models = join(await scratch(t), 'models');
  await cp(MODELS, models, { recursive: true });
  const path = join(models, 'musetalkV15', 'musetalk.json');
  const config = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...config, cross_attention_dim: 384 }));
  const files = await locateMuseTalk({ model: 'musetalk-1.5', models });
  await assert.rejects(openMuseTalk(files, { cacheFolder: cache }), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'BAD_WEIGHTS');
    assert.match(error.message, /384.*32/);
    return true;
  });
  await writeFile(path, '<html>');
  await assert.rejects(openMuseTalk(files, { cacheFolder: cache }), { code: 'WRONG_FILE' });
});
