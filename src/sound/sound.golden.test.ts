// Recorded from MuseTalk's own sound code (librosa, transformers' WhisperFeatureExtractor): manifest `sound`.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { readFloats, readNpy } from '../../test/npy.ts';
import type { GoldenCase } from '../../test/shared.ts';
import { golden } from '../../test/shared.ts';
import { goldenSignal, readWav, soundOf } from '../../test/sound.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import type { Encode } from './features.ts';
import { conditions } from './features.ts';
import { BLOCK_COLUMNS, BLOCK_SAMPLES, logMel, logMelOfBlock, MEL_BANDS, melFilters } from './mel.ts';
import { feature2chunks, slicedFeature, slicedFeatureSparse, whisperChunks } from './upstream-windows.ts';
import type { FrameWindow } from './windows.ts';
import { windowOfFrame } from './windows.ts';

const { folder, cases } = golden('sound');
const file = (name: string | string[] | undefined) => join(folder, name as string);
const each = (prefix: string, run: (c: GoldenCase) => void) => {
  for (const c of cases) if (c.name.startsWith(prefix)) test(`${c.name} agrees with upstream`, () => run(c));
};

test('there are golden cases of sound', () => {
  assert.ok(cases.length >= 60, `${cases.length} cases`);
});

each('mel_filters', ({ outputs, tolerance }) => {
  expectClose(melFilters(), readFloats(file(outputs.filters)), tolerance);
});

each('mel_silence', ({ params, tolerance }) => {
  const silence = new Float32Array(4000);
  for (const [mel, value] of [
    [logMel(silence), params.value_10],
    [logMelOfBlock(silence), params.value_15],
  ] as const) {
    expectClose(mel, { data: mel.data.map(() => value) }, tolerance);
  }
});

for (const name of ['mel_speech', 'mel_odd_length']) {
  each(name, ({ inputs, outputs, params, tolerance }) => {
    const [start, end] = params.slice ?? [];
    const samples = readWav(file(inputs.wav)).slice(start, end);
    expectClose(logMel(samples), readFloats(file(outputs.mel_10)), tolerance, '1.0');

    const head = readFloats(file(outputs.mel_15_head));
    const block = logMelOfBlock(samples);
    assert.deepEqual(block.shape, [1, MEL_BANDS, BLOCK_COLUMNS]);
    const columns = Array.from({ length: BLOCK_COLUMNS }, (_, t) => t);
    const stored = columns.slice(0, head.shape[1]);
    const tail = columnsOf(block, columns.slice(stored.length));
    expectClose(columnsOf(block, stored), head, tolerance, '1.5');
    expectClose(tail, { data: tail.data.map(() => params.tail_value) }, tolerance, 'silence after the sound');
  });
}

each('mel_65s', ({ outputs, params, tolerance }) => {
  const samples = goldenSignal(1_040_000);
  assert.deepEqual(
    [...samples.subarray(0, 12)].map((x) => x * 32768),
    params.s16_first,
  );
  assert.equal(
    samples.reduce((sum, x) => sum + x * 32768, 0),
    params.s16_sum,
  );
  const whole = logMel(samples);
  expectClose(every25(whole, 6500), readFloats(file(outputs.mel_10_every25)), tolerance, '1.0');
  expectClose({ data: [maximumOf(whole)] }, { data: [params.max_10] }, tolerance, 'maximum of the whole');

  for (const k of [0, 1, 2]) {
    const block = logMelOfBlock(samples.subarray(k * BLOCK_SAMPLES, (k + 1) * BLOCK_SAMPLES));
    expectClose({ data: [maximumOf(block)] }, { data: [params.max_15[k]] }, tolerance, `maximum ${k}`);
    const stored = outputs[`mel_15_seg${k}_every25`];
    if (stored) expectClose(every25(block, BLOCK_COLUMNS), readFloats(file(stored)), tolerance, `block ${k}`);
  }
});

each('chunks10_n', ({ outputs, params }) => {
  const { n_features, fps, n_chunks } = params;
  const windows = [...feature2chunks(n_features, fps)];
  assert.equal(windows.length, n_chunks);
  expectWindows(windows, outputs.dense!);
  if (outputs.sparse)
    expectWindows(
      windows.map((_, frame) => slicedFeatureSparse(frame, n_features, fps)),
      outputs.sparse,
    );
});

each('chunks10_asym', ({ outputs, params }) => {
  const { n_features, fps, audio_feat_length } = params;
  const [before, after] = audio_feat_length;
  const frames = Array.from({ length: 27 }, (_, i) => i);
  const sides = { before, after };
  expectWindows(
    frames.map((frame) => slicedFeature(frame, n_features, fps, sides)),
    outputs.dense!,
  );
  expectWindows(
    frames.map((frame) => slicedFeatureSparse(frame, n_features, fps, sides)),
    outputs.sparse!,
  );
  expectWindows(
    frames.map((frame) => windowOfFrame(frame, { rows: n_features, fps, ends: 'repeat', ...sides })),
    outputs.dense!,
  );
});

for (const { name, params, outputs } of cases) {
  if (name !== 'chunk10_layout') continue;
  test(`${name} agrees with upstream`, async () => {
    const encode: Encode = async () => {
      const states = tensor([1, BLOCK_COLUMNS / 2, 5, 1]);
      for (const i of states.data.keys()) states.data[i] = Math.floor(i / 5) * 100 + (i % 5);
      return states;
    };
    const sound = soundOf(new Float32Array(params.n_features * 320));
    const frames: FloatTensor[] = [];
    for await (const frame of conditions(encode, sound, { version: '1.0', fps: params.fps }))
      frames.push(frame);
    expectClose({ data: frames[params.frame]!.data }, readNpy(file(outputs.rows)), 'exact');
  });
}

each('windows15_', ({ outputs, params }) => {
  const { n_samples, fps, left, right, num_frames, fails_at_frame } = params;
  const windows: FrameWindow[] = [];
  const collect = () => {
    for (const window of whisperChunks(n_samples, fps, { before: left, after: right })) windows.push(window);
  };
  if (outputs.windows) {
    collect();
    assert.equal(windows.length, num_frames);
    // Recorded with 0 for a row of zeros and v for row v − 1.
    expectWindows(
      windows.map((window) => window.map((row) => row + 1)),
      outputs.windows,
    );
  } else if (fails_at_frame === null) {
    assert.throws(collect, { code: 'NO_SOUND' });
  } else {
    assert.throws(collect, { code: 'BAD_OPTION', facts: { frame: fails_at_frame, frames: num_frames, fps } });
    assert.equal(windows.length, fails_at_frame);
  }
});

function expectWindows(windows: readonly FrameWindow[], name: string | string[]): void {
  const expected = readNpy(file(name));
  assert.deepEqual([windows.length, windows[0]?.length], [...expected.shape]);
  expectClose({ data: windows.flatMap((window) => [...window]) }, expected, 'exact');
}

function columnsOf(mel: FloatTensor, columns: readonly number[]): FloatTensor {
  const width = mel.shape.at(-1)!;
  const chosen = tensor([MEL_BANDS, columns.length]);
  for (let band = 0; band < MEL_BANDS; band++) {
    for (const [i, t] of columns.entries())
      chosen.data[band * columns.length + i] = mel.data[band * width + t]!;
  }
  return chosen;
}

function every25(mel: FloatTensor, count: number): FloatTensor {
  return columnsOf(
    mel,
    Array.from({ length: Math.ceil(count / 25) }, (_, i) => 25 * i),
  );
}

function maximumOf(mel: FloatTensor): number {
  return mel.data.reduce((a, b) => Math.max(a, b));
}
