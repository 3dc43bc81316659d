import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findNetwork, takeInventory, verifyNetwork } from './inventory.ts';
import { networkOf } from './manifest.ts';

async function folderWith(t: TestContext, files: Readonly<Record<string, number>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'musetalk models '));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), Buffer.alloc(bytes));
  }
  return folder;
}

test('a folder that does not exist holds nothing, and every set says what it lacks', async () => {
  const { networks, sets } = await takeInventory('/no/such/folder');
  assert.ok(networks.every(({ ready }) => !ready));
  const set = sets.find((one) => one.set.name === 'official-faces')!;
  assert.deepEqual(set.missing, [
    's3fd/s3fd-619a316812.pth',
    'dwpose/dw-ll_ucoco_384.pth',
    'face-parse-bisent/79999_iter.pth',
  ]);
});

test('files are present by their size, other in another size or under another name, partial while they come', async (t) => {
  const folder = await folderWith(t, {
    'sd-vae/config.json': 547,
    'sd-vae-ft-mse/diffusion_pytorch_model.safetensors': 10,
    'whisper/pytorch_model.bin.part': 20,
    'dwpose/dw-ll_ucoco_384.pth': 5,
  });
  const states = async (name: string) =>
    (await findNetwork(folder, networkOf(name))).files.map(({ state, bytes }) => [state, bytes]);
  assert.deepEqual(await states('sd-vae'), [
    ['present', 547],
    ['other', 10],
  ]);
  assert.deepEqual(await states('whisper-tiny'), [
    ['missing', 0],
    ['partial', 20],
  ]);
  assert.deepEqual(await states('dwpose'), [['other', 5]]);
  assert.equal((await findNetwork(folder, networkOf('sd-vae'))).ready, true);
  assert.equal((await findNetwork(folder, networkOf('whisper-tiny'))).ready, false);
});

test('a file under its published name must have the published hash; another format cannot be judged', async (t) => {
  const folder = await folderWith(t, {
    'sd-vae/config.json': 547,
    'sd-vae-ft-mse/diffusion_pytorch_model.safetensors': 10,
  });
  const verdicts: string[] = [];
  const found = await findNetwork(folder, networkOf('sd-vae'));
  for await (const { verdict } of verifyNetwork(found)) verdicts.push(verdict);
  assert.deepEqual(verdicts, ['wrong', 'unknown']);
});
