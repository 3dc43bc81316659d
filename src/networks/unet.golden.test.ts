// Recorded from UNet2DConditionModel of diffusers 0.30.2 in float32 (manifest: networks/unet_*).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { readFloats } from '../../test/npy.ts';
import { namedShapes, readJson, seededWeights } from '../../test/seeded-network.ts';
import { golden } from '../../test/shared.ts';
import { runGraph } from '../nn/session.ts';
import { input } from '../nn/value.ts';
import { expectedWeights } from '../nn/weights.ts';
import { readUnetConfig, timestepSinusoid, unet } from './unet.ts';

const data = golden('networks');

for (const recorded of data.cases.filter(({ name }) => /^unet_(tiny|eps)/.test(name))) {
  const { name, what, params, inputs, outputs, tolerance } = recorded;
  const config = readUnetConfig(readJson(data, inputs.config));
  const shapes = readJson<Record<string, number[]>>(data, inputs.names);
  const feeds = {
    latents: readFloats(join(data.folder, String(inputs.latents))),
    condition: readFloats(join(data.folder, String(inputs.condition))),
  };
  const latents = input('latents', ['B', ...feeds.latents.shape.slice(1)]);
  const condition = input('condition', ['B', ...feeds.condition.shape.slice(1)]);
  const { timestep = 0 } = params;

  test(`${name}: ${what}`, async () => {
    const sample = unet(seededWeights(recorded, shapes), latents, condition, config, { timestep });
    const results = await runGraph({ sample }, feeds);
    expectClose(results.sample!, readFloats(join(data.folder, String(outputs.sample))), tolerance);
  });

  test(`${name}: the network asks for exactly the tensors of the checkpoint`, () => {
    const asked = expectedWeights((w) => unet(w, latents, condition, config));
    assert.deepEqual(new Map([...asked].sort()), new Map([...namedShapes(shapes)].sort()));
  });

  if (outputs.time_proj) {
    test(`${name}: the sinusoid of the timestep agrees`, () => {
      const expected = readFloats(join(data.folder, String(outputs.time_proj)));
      expectClose({ data: timestepSinusoid(timestep, config) }, { data: expected.data }, tolerance);
    });
  }
}
