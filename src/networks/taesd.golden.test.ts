// Recorded from the published TAESD program in PyTorch 2.13 (manifest: taesd).
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Tensor } from '../../src/core/tensor.ts';
import { expectClose } from '../../test/close.ts';
import { readFloats, readNpy } from '../../test/npy.ts';
import { namedShapes, readJson, seededWeights } from '../../test/seeded-network.ts';
import { golden, sharedPath } from '../../test/shared.ts';
import { clip } from '../nn/ops/arithmetic.ts';
import { loadGraph, runGraph } from '../nn/session.ts';
import { input } from '../nn/value.ts';
import { frozen } from '../nn/weights/frozen.ts';
import { openCheckpoint } from '../nn/weights/open-checkpoint.ts';
import { expectedWeights, Weights } from '../nn/weights.ts';
import { unitPicture } from './pictures.ts';
import { taesdDecoder, taesdEncoder } from './taesd.ts';

const data = golden('taesd');
const read = (file: string | string[] | undefined) => readFloats(join(data.folder, String(file)));

/** A recorded picture [H, W, 3] of bytes as [1, H, W, 3]. */
function recordedPicture(file: string | string[] | undefined): Tensor<'uint8'> {
  const { shape, data: bytes } = readNpy(join(data.folder, String(file))) as Tensor<'uint8'>;
  return { dtype: 'uint8', shape: [1, ...shape], data: bytes };
}

for (const recorded of data.cases.filter(({ name }) => name === 'taesd_wr1')) {
  const { name, what, inputs, outputs, tolerance } = recorded;
  const shapes = readJson<Record<'encoder' | 'decoder', Record<string, number[]>>>(data, outputs.names);

  test(`${name}: ${what}`, async () => {
    const feeds = { picture: recordedPicture(inputs.picture_rgb), latent: read(inputs.latent) };
    const picture = unitPicture(input('picture', ['B', ...feeds.picture.shape.slice(1)], 'uint8'));
    const latent = input('latent', ['B', ...feeds.latent.shape.slice(1)]);
    const results = await runGraph(
      {
        latents: taesdEncoder(seededWeights(recorded, shapes.encoder), picture),
        decoded: taesdDecoder(seededWeights(recorded, shapes.decoder), latent),
      },
      feeds,
    );
    expectClose(results.latents!, read(outputs.latent), tolerance);
    expectClose(results.decoded!, read(outputs.picture), tolerance);
  });

  test(`${name}: the networks ask for exactly the tensors of the files`, () => {
    const encoder = expectedWeights((w) => taesdEncoder(w, input('x', ['B', 3, 64, 64])));
    const decoder = expectedWeights((w) => taesdDecoder(w, input('z', ['B', 4, 8, 8])));
    assert.deepEqual(new Map([...encoder].sort()), new Map([...namedShapes(shapes.encoder)].sort()));
    assert.deepEqual(new Map([...decoder].sort()), new Map([...namedShapes(shapes.decoder)].sort()));
  });
}

for (const { name, what, inputs, outputs, tolerance } of data.cases.filter((c) => c.name === 'taef2_real')) {
  const files = ['encoder', 'decoder'].map((part) => sharedPath('models', `taef2_${part}.pth`));

  test(`${name}: ${what}`, { skip: files.includes(undefined) }, async () => {
    const [encoder, decoder] = await Promise.all(files.map((file) => openCheckpoint(file!)));
    const picture = recordedPicture(inputs.picture_rgb);
    const x = unitPicture(input('picture', ['B', ...picture.shape.slice(1)], 'uint8'));
    const latents = taesdEncoder(new Weights(frozen(encoder!)), x, { latentChannels: 32, pool: true });
    const decoded = clip(taesdDecoder(new Weights(frozen(decoder!)), latents, { pool: true }), 0, 1);
    const cacheFolder = await mkdtemp(join(tmpdir(), 'musetalk-taef2-'));
    try {
      const session = await loadGraph({ latents, decoded }, { cacheFolder });
      const results = await session.run({ picture });
      expectClose(results.latents!, read(outputs.latent), tolerance);
      expectClose(results.decoded!, read(outputs.picture), tolerance);
      await session.close();
    } finally {
      await rm(cacheFolder, { recursive: true });
      await Promise.all([encoder!.close(), decoder!.close()]);
    }
  });
}
