import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { scratch } from '../../test/media-fixtures.ts';
import type { MuseTalkError } from '../core/errors.ts';
import { locateMuseTalk, modelsFolderOf } from './model-store.ts';

async function folderWith(root: string, ...names: string[]): Promise<string> {
  for (const name of names) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), '');
  }
  return root;
}

const SHARED = [
  'sd-vae/config.json',
  'sd-vae/diffusion_pytorch_model.bin',
  'whisper/tiny.pt',
  'whisper/pytorch_model.bin',
  'whisper/config.json',
];
const V15 = ['musetalkV15/unet.pth', 'musetalkV15/musetalk.json'];
const V10 = ['musetalk/pytorch_model.bin', 'musetalk/musetalk.json'];

test('each version takes its own UNet and its own file of Whisper', async (t) => {
  const models = await folderWith(await scratch(t), ...SHARED, ...V15, ...V10);
  const newer = await locateMuseTalk({ model: 'musetalk-1.5', models });
  assert.equal(newer.version, '1.5');
  assert.equal(newer.unet.weights, join(models, 'musetalkV15/unet.pth'));
  assert.equal(newer.whisper.weights, join(models, 'whisper/pytorch_model.bin'));
  const older = await locateMuseTalk({ model: 'musetalk-1.0', models });
  assert.equal(older.unet.weights, join(models, 'musetalk/pytorch_model.bin'));
  assert.equal(older.whisper.weights, join(models, 'whisper/tiny.pt'));
});

test('other names and other spellings of folders are taken too', async (t) => {
  const models = await folderWith(
    await scratch(t),
    'musetalkV15/unet.safetensors',
    'musetalk/config.json',
    'sd-vae-ft-mse/config.json',
    'sd-vae-ft-mse/diffusion_pytorch_model.safetensors',
    'whisper/model.safetensors',
    'taesd_decoder.safetensors',
  );
  const files = await locateMuseTalk({ model: 'v15', models, tiny: true });
  assert.equal(files.unet.config, join(models, 'musetalk/config.json'));
  assert.equal(files.whisper.config, undefined);
  assert.equal(files.taesd, join(models, 'taesd_decoder.safetensors'));
});

test('a folder may be named instead of a model: a whole one, or one with a UNet of its own', async (t) => {
  const models = await folderWith(await scratch(t), ...SHARED, ...V15);
  assert.equal((await locateMuseTalk({ model: models })).unet.weights, join(models, 'musetalkV15/unet.pth'));
  assert.equal(await modelsFolderOf({ model: models }), models);
  const own = await folderWith(await scratch(t), 'unet.safetensors');
  const files = await locateMuseTalk({ model: own, models });
  assert.equal(files.unet.weights, join(own, 'unet.safetensors'));
  assert.equal(files.unet.config, join(models, 'musetalkV15/musetalk.json'));
  assert.equal(await modelsFolderOf({ model: own, models }), models);
});

test('what is missing is listed exactly', async (t) => {
  const models = await folderWith(await scratch(t), ...V15, 'sd-vae/config.json');
  await assert.rejects(
    locateMuseTalk({ model: 'musetalk-1.5', models, tiny: true }),
    (error: MuseTalkError) => {
      assert.equal(error.code, 'MODEL_MISSING');
      const missing = (error.facts.missing as { what: string }[]).map(({ what }) => what);
      assert.deepEqual(missing, ['the autoencoder', "Whisper's encoder", 'the tiny decoder']);
      assert.match(error.message, /sd-vae\/diffusion_pytorch_model\.bin/);
      return true;
    },
  );
});

test('folders and models that do not exist are named', async (t) => {
  const root = await scratch(t);
  await assert.rejects(locateMuseTalk({ model: 'musetalk-2.0', models: root }), { code: 'NOT_FOUND' });
  await assert.rejects(locateMuseTalk({ model: 'musetalk-1.5', models: join(root, 'no') }), {
    code: 'NOT_FOUND',
  });
});
