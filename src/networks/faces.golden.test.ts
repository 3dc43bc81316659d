// One frame through upstream's chain with small networks (manifest: networks/frame_tiny), and upstream's
// positional encoding (networks/pe).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { readBgr } from '../../test/bgr.ts';
import { expectClose } from '../../test/close.ts';
import { readFloats } from '../../test/npy.ts';
import { readJson, seededWeights } from '../../test/seeded-network.ts';
import { golden } from '../../test/shared.ts';
import { fnv1a, seededUniform } from '../nn/seeded-weights.ts';
import { runGraph } from '../nn/session.ts';
import { input } from '../nn/value.ts';
import { faceToLatents, latentsToFace } from './faces.ts';
import { positionalEncoding, withPositions } from './positional-encoding.ts';
import { readUnetConfig, unet } from './unet.ts';
import { readVaeConfig, unscaled, vaeDecoder, vaeName } from './vae.ts';

const data = golden('networks');
const read = (file: string | string[] | undefined) => readFloats(join(data.folder, String(file)));
const rgb = (file: string | string[] | undefined) => readBgr(join(data.folder, String(file)));

for (const recorded of data.cases.filter(({ name }) => name === 'frame_tiny')) {
  const { name, what, inputs, outputs, tolerance } = recorded;

  test(`${name}: ${what}`, async () => {
    const vae = readVaeConfig(readJson(data, inputs.vae_config));
    const vaeWeights = seededWeights(recorded, readJson(data, inputs.vae_names), vaeName);
    const unetWeights = seededWeights(recorded, readJson(data, inputs.unet_names));
    const face = rgb(inputs.picture_bgr);
    const sound = read(inputs.condition);

    const latents = faceToLatents(vaeWeights, input('face', ['B', ...face.shape.slice(1)], 'uint8'), vae);
    const condition = withPositions(input('condition', ['B', ...sound.shape.slice(1)]));
    const pred = unet(unetWeights, latents, condition, readUnetConfig(readJson(data, inputs.unet_config)));
    const sample = vaeDecoder(vaeWeights, unscaled(pred, vae), vae);
    const picture = latentsToFace(vaeWeights, pred, vae);

    const results = await runGraph({ latents, pred, sample, picture }, { face, condition: sound });
    for (const part of ['latents', 'pred', 'sample']) {
      expectClose(results[part]!, read(outputs[part]), tolerance, part);
    }
    const expected = rgb(outputs.picture_bgr);
    expectClose(results.picture!, expected, { abs: 1, rel: 0 }, 'bytes');
    const different = expected.data.filter((byte, i) => byte !== results.picture!.data[i]).length;
    assert.ok(different <= expected.data.length / 1000, `${different} bytes differ`);
  });
}

for (const { name, params, outputs, tolerance } of data.cases.filter((c) => c.name === 'pe')) {
  test(`${name}: the table agrees and is added to the condition`, async () => {
    const table = positionalEncoding(params.rows, params.d_model);
    expectClose({ data: table.data }, { data: read(outputs.table).data }, tolerance);

    const shape = [1, params.rows, params.d_model];
    const numbers = Float32Array.from(table.data, (_, i) => seededUniform(fnv1a('input.pe'), i));
    const results = await runGraph(
      { y: withPositions(input('x', ['B', ...shape.slice(1)])) },
      { x: { dtype: 'float32', shape, data: numbers } },
    );
    expectClose({ data: results.y!.data }, { data: read(outputs.applied_first_frame).data }, tolerance);
  });
}
