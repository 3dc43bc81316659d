// Recorded from transformers' WhisperEncoder and from upstream's copy of OpenAI's, float32
// (manifest: networks/whisper_*).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { readFloats } from '../../test/npy.ts';
import { namedShapes, readJson, seededWeights } from '../../test/seeded-network.ts';
import { golden } from '../../test/shared.ts';
import { transpose } from '../nn/ops/shape.ts';
import { runGraph } from '../nn/session.ts';
import { input } from '../nn/value.ts';
import { expectedWeights } from '../nn/weights.ts';
import { whisperConfigOf, whisperEncoder, whisperName, whisperStates } from './whisper-encoder.ts';

const data = golden('networks');

for (const recorded of data.cases.filter(({ name }) => name.startsWith('whisper_tiny_tiny'))) {
  const { name, what, params, inputs, outputs, tolerance } = recorded;
  const shapes = readJson<Record<string, number[]>>(data, inputs.names);
  const expected = (output: string) => readFloats(join(data.folder, String(outputs[output])));
  const named = namedShapes(shapes, whisperName);
  const config = {
    ...whisperConfigOf((tensor) => named.get(tensor))!,
    heads: params.heads ?? params.n_audio_head, // narrower heads than any published Whisper
  };
  const mel = input('mel', ['B', config.mels, 2 * config.positions]);
  const feeds = { mel: readFloats(join(data.folder, String(inputs.mel))) };

  test(`${name}: ${what}`, async () => {
    const w = seededWeights(recorded, shapes, whisperName);
    const version = outputs.hidden_states ? '1.5' : '1.0';
    // Recorded as [B, states, T, C].
    const stacked = transpose(whisperEncoder(w, mel, config, { version }), [0, 2, 1, 3]);
    const normed = whisperStates(w, mel, config).at(-1)!;
    const results = await runGraph({ stacked, normed }, feeds);
    expectClose(
      results.stacked!,
      expected(outputs.hidden_states ? 'hidden_states' : 'embeddings'),
      tolerance,
    );
    if (outputs.encoder_output) expectClose(results.normed!, expected('encoder_output'), tolerance);
  });

  test(`${name}: the network asks for exactly the tensors of the checkpoint`, () => {
    const asked = expectedWeights((w) => whisperEncoder(w, mel, config));
    assert.deepEqual(new Map([...asked].sort()), new Map([...named].sort()));
  });
}
