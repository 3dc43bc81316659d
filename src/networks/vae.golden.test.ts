// Recorded from AutoencoderKL of diffusers 0.30.2 and upstream's own pre- and post-processing, float32
// (manifest: networks/vae_*).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { readBgr } from '../../test/bgr.ts';
import { expectClose } from '../../test/close.ts';
import { readFloats } from '../../test/npy.ts';
import { namedShapes, readJson, seededWeights } from '../../test/seeded-network.ts';
import { golden } from '../../test/shared.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { slice } from '../nn/ops/shape.ts';
import { runGraph } from '../nn/session.ts';
import { input } from '../nn/value.ts';
import { expectedWeights } from '../nn/weights.ts';
import { faceToLatents, latentsToFace } from './faces.ts';
import { maskedLowerHalf, signedPicture, unitPicture } from './pictures.ts';
import { readVaeConfig, unscaled, vaeDecoder, vaeEncoder, vaeName } from './vae.ts';

const data = golden('networks');
const read = (file: string | string[] | undefined) => readFloats(join(data.folder, String(file)));
const rgb = (file: string | string[] | undefined) => readBgr(join(data.folder, String(file)));
const find = (name: string) => data.cases.filter((recorded) => recorded.name === name);

for (const recorded of find('vae_tiny_encode')) {
  const { name, inputs, outputs, tolerance } = recorded;
  const config = readVaeConfig(readJson(data, inputs.config));
  const shapes = readJson<Record<string, number[]>>(data, inputs.names);
  const w = seededWeights(recorded, shapes, vaeName);
  const picture = rgb(inputs.picture_bgr);
  const bytes = input('picture', ['B', ...picture.shape.slice(1)], 'uint8');

  test(`${name}: a picture becomes the same floats, whole and with its lower half blacked`, async () => {
    const whole = unitPicture(bytes);
    const results = await runGraph(
      { ref: signedPicture(whole), masked: signedPicture(maskedLowerHalf(whole)) },
      { picture },
    );
    expectClose(results.ref!, read(outputs.pixels_ref), 'exact');
    expectClose(results.masked!, read(outputs.pixels_masked), 'exact');
  });

  test(`${name}: moments agree`, async () => {
    const whole = unitPicture(bytes);
    const results = await runGraph(
      {
        ref: vaeEncoder(w, signedPicture(whole), config),
        masked: vaeEncoder(w, signedPicture(maskedLowerHalf(whole)), config),
      },
      { picture },
    );
    expectClose(results.ref!, read(outputs.moments_ref), tolerance);
    expectClose(results.masked!, read(outputs.moments_masked), tolerance);
  });

  test(`${name}: a face becomes the UNet's latents, most likely and drawn`, async () => {
    const noise = read(inputs.noise); // [2, 4, h, w]: masked, reference
    const both = input('noise', noise.shape);
    const mode = faceToLatents(w, bytes, config);
    const sampled = faceToLatents(w, bytes, config, {
      masked: slice(both, 0, 0, 1),
      reference: slice(both, 0, 1, 2),
    });
    const results = await runGraph({ mode, sampled }, { picture, noise });
    expectClose(results.mode!, read(outputs.latents_mode), tolerance);
    expectClose(results.sampled!, read(outputs.latents_sampled), tolerance);
  });

  test(`${name}: the networks ask for exactly the tensors of the checkpoint`, () => {
    const asked = expectedWeights((scope) => {
      vaeEncoder(scope, input('x', ['B', 3, 64, 64]), config);
      vaeDecoder(scope, input('z', ['B', 4, 16, 16]), config);
    });
    assert.deepEqual(new Map([...asked].sort()), new Map([...namedShapes(shapes, vaeName)].sort()));
  });
}

for (const recorded of find('vae_tiny_decode')) {
  const { name, inputs, outputs, tolerance } = recorded;
  const config = readVaeConfig(readJson(data, inputs.config));
  const w = seededWeights(recorded, readJson(data, inputs.names), vaeName);

  test(`${name}: latents become the same picture, as floats and as bytes`, async () => {
    const latent = read(inputs.latent);
    const z = input('latent', ['B', ...latent.shape.slice(1)]);
    const results = await runGraph(
      { sample: vaeDecoder(w, unscaled(z, config), config), face: latentsToFace(w, z, config) },
      { latent },
    );
    expectClose(results.sample!, read(outputs.sample), tolerance);
    // A byte may differ by one where the fraction is near a half.
    expectClose(results.face!, rgb(outputs.picture_bgr), { abs: 1, rel: 0 });
    const expected = rgb(outputs.picture_bgr).data;
    const different = expected.filter((byte, i) => byte !== results.face!.data[i]).length;
    assert.ok(different <= expected.length / 1000, `${different} bytes of ${expected.length} differ`);
  });
}

for (const recorded of find('vae_eps')) {
  const { name, what, inputs, outputs, tolerance } = recorded;

  test(`${name}: ${what}`, async () => {
    const config = readVaeConfig(readJson(data, inputs.config));
    const w = seededWeights(recorded, readJson(data, inputs.names), vaeName);
    const feeds: Record<string, FloatTensor> = {
      pixels: read(inputs.pixels),
      latent: read(inputs.latent_unscaled),
    };
    const results = await runGraph(
      {
        moments: vaeEncoder(w, input('pixels', ['B', ...feeds.pixels!.shape.slice(1)]), config),
        sample: vaeDecoder(w, input('latent', ['B', ...feeds.latent!.shape.slice(1)]), config),
      },
      feeds,
    );
    expectClose(results.moments!, read(outputs.moments), tolerance);
    expectClose(results.sample!, read(outputs.sample), tolerance);
  });
}
