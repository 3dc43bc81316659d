// The big networks at full size, with seeded weights, against diffusers 0.30.2, transformers and upstream's copy of
// OpenAI's Whisper in float32 (manifest: networks/*_full*). They take minutes and gigabytes, so they only run when
// MUSETALK_FULL=1 asks for them beside MUSETALK_GOLDEN=full.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { readBgr } from '../../test/bgr.ts';
import { expectClose } from '../../test/close.ts';
import { readFloats, readNpy } from '../../test/npy.ts';
import { writeSeededCheckpoint } from '../../test/seeded-checkpoint.ts';
import { namedShapes, readJson, seededWeights } from '../../test/seeded-network.ts';
import { golden } from '../../test/shared.ts';
import { float16ToFloat32 } from '../core/float16.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { gather, slice, transpose } from '../nn/ops/shape.ts';
import { loadGraph, runGraph } from '../nn/session.ts';
import { input } from '../nn/value.ts';
import { frozen } from '../nn/weights/frozen.ts';
import { openCheckpoint } from '../nn/weights/open-checkpoint.ts';
import { expectedWeights, Weights } from '../nn/weights.ts';
import { faceToLatents, latentsToFace } from './faces.ts';
import { signedPicture, unitPicture } from './pictures.ts';
import { MUSETALK_UNET, readUnetConfig, unet } from './unet.ts';
import { readVaeConfig, SD_VAE, unscaled, vaeDecoder, vaeEncoder, vaeName } from './vae.ts';
import {
  WHISPER_TINY,
  whisperConfigOf,
  whisperEncoder,
  whisperName,
  whisperStates,
} from './whisper-encoder.ts';

const data = golden('networks');
const read = (file: string | string[] | undefined) => readFloats(join(data.folder, String(file)));
const rgb = (file: string | string[] | undefined) => readBgr(join(data.folder, String(file)));
const cases = (name: string) =>
  process.env.MUSETALK_FULL === '1' ? data.cases.filter((recorded) => recorded.name === name) : [];

/** Memory of this process at its highest, in bytes. */
const peakMemory = () => process.resourceUsage().maxRSS * 1024;

// First, because the peak of memory is the process's.
for (const recorded of cases('unet_full')) {
  const { name, what, inputs, outputs, tolerance } = recorded;

  test(`${name}: ${what}`, async () => {
    const shapes = namedShapes(readJson(data, inputs.names));
    const latents = input('latents', ['B', 8, 32, 32]);
    const condition = input('condition', ['B', 50, 384]);
    const build = (w: Weights) => unet(w, latents, condition);
    assert.deepEqual(readUnetConfig(readJson(data, inputs.config)), MUSETALK_UNET);
    assert.deepEqual(new Map([...expectedWeights(build)].sort()), new Map([...shapes].sort()));

    const { path, cacheFolder, remove } = await writeSeededCheckpoint(build);
    try {
      const checkpoint = await openCheckpoint(path);
      const session = await loadGraph({ sample: build(new Weights(frozen(checkpoint))) }, { cacheFolder });
      const results = await session.run({ latents: read(inputs.latents), condition: read(inputs.condition) });
      expectClose(results.sample!, read(outputs.sample), tolerance);
      await session.close();
      await checkpoint.close();
    } finally {
      await remove();
    }
    assert.ok(peakMemory() < 6e9, `the UNet took ${(peakMemory() / 1e9).toFixed(1)} GB`);
  });
}

for (const recorded of cases('vae_full_encode')) {
  const { name, what, inputs, outputs, tolerance } = recorded;

  test(`${name}: ${what}`, async () => {
    const shapes = readJson<Record<string, number[]>>(data, inputs.names);
    assert.deepEqual(readVaeConfig(readJson(data, inputs.config)), { ...SD_VAE, ...blockTypes(4) });
    const w = seededWeights(recorded, shapes, vaeName);
    const noise = read(inputs.noise);
    const both = input('noise', noise.shape);
    const bytes = input('picture', ['B', 256, 256, 3], 'uint8');
    const mode = faceToLatents(w, bytes);
    const sampled = faceToLatents(w, bytes, SD_VAE, {
      masked: slice(both, 0, 0, 1),
      reference: slice(both, 0, 1, 2),
    });
    const moments = vaeEncoder(w, signedPicture(unitPicture(bytes)));
    const results = await runGraph({ mode, sampled, moments }, { picture: rgb(inputs.picture_bgr), noise });
    expectClose(results.mode!, read(outputs.latents_mode), tolerance, 'most likely');
    expectClose(results.sampled!, read(outputs.latents_sampled), tolerance, 'drawn');
    expectClose(results.moments!, read(outputs.moments_ref), tolerance, 'moments');
  });
}

for (const recorded of cases('vae_full_decode')) {
  const { name, what, inputs, outputs, tolerance } = recorded;

  test(`${name}: ${what}`, async () => {
    const w = seededWeights(recorded, readJson(data, inputs.names), vaeName);
    const latents = input('latents', ['B', 4, 32, 32]);
    const sample = vaeDecoder(w, unscaled(latents));
    const crop = slice(slice(sample, 2, 96, 160), 3, 96, 160);
    const results = await runGraph(
      { sample, crop, picture: latentsToFace(w, latents) },
      { latents: read(inputs.latent) },
    );
    expectClose(results.crop!, read(outputs.sample_crop), tolerance, 'crop');
    const { shape, data: halves } = readNpy(join(data.folder, String(outputs.sample_f16)));
    const whole = { shape, data: float16ToFloat32(halves as Uint16Array) };
    assert.notEqual(tolerance, 'exact');
    const { abs, rel } = tolerance as { abs: number; rel: number };
    expectClose(results.sample!, whole, { abs, rel: rel + 1e-3 }, 'whole');

    const expected = rgb(outputs.picture_bgr);
    expectClose(results.picture!, expected, { abs: 1, rel: 0 }, 'bytes');
    const different = expected.data.filter((byte, i) => byte !== results.picture!.data[i]).length;
    assert.ok(different <= expected.data.length / 1000, `${different} bytes differ`);
  });
}

for (const recorded of [...cases('whisper_full_hf'), ...cases('whisper_full_openai')]) {
  const { name, what, params, inputs, outputs, tolerance } = recorded;

  test(`${name}: ${what}`, async () => {
    const shapes = readJson<Record<string, number[]>>(data, inputs.names);
    const named = namedShapes(shapes, whisperName);
    assert.deepEqual(
      whisperConfigOf((tensor) => named.get(tensor)),
      WHISPER_TINY,
    );
    const w = seededWeights(recorded, shapes, whisperName);
    const mel = input('mel', ['B', 80, 3000]);
    const version = outputs.hidden_states ? '1.5' : '1.0';
    // Recorded as [B, states, T, C], of some positions only.
    const stacked = transpose(whisperEncoder(w, mel, WHISPER_TINY, { version }), [0, 2, 1, 3]);
    const normed = whisperStates(w, mel).at(-1)!;
    const { stored_positions: positions } = params;
    const results = await runGraph(
      { stacked: gather(stacked, positions, 2), normed: gather(normed, positions, 1) },
      // The tail of 1.5's mel is what the logarithm makes of silence.
      { mel: version === '1.5' ? whole(inputs.mel_head, SILENT_MEL) : whole(inputs.mel, 0) },
    );
    expectClose(results.stacked!, read(outputs.hidden_states ?? outputs.embeddings), tolerance);
    if (outputs.encoder_output) expectClose(results.normed!, read(outputs.encoder_output), tolerance);
  });
}

/** `tail_value` of the case mel_speech in the topic `sound`. */
const SILENT_MEL = -0.7580561637878418;

/** The first columns of a mel [80, n], the rest to 3000 filled with one number. */
function whole(file: string | string[] | undefined, tail: number): FloatTensor {
  const { shape, data: head } = read(file);
  const mel = new Float32Array(80 * 3000).fill(tail);
  for (let band = 0; band < 80; band++) {
    mel.set(head.subarray(band * shape[1]!, (band + 1) * shape[1]!), band * 3000);
  }
  return { dtype: 'float32', shape: [1, 80, 3000], data: mel };
}

function blockTypes(levels: number): Pick<typeof SD_VAE, 'down_block_types' | 'up_block_types'> {
  return {
    down_block_types: Array(levels).fill('DownEncoderBlock2D'),
    up_block_types: Array(levels).fill('UpDecoderBlock2D'),
  };
}
