// Recorded from complete runs of MuseTalk's own functions with small seeded networks: manifest `dub`. The
// encoder is left out: what it gave is in the recording, so blocks, joins, windows and layout are compared here.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { readFloats } from '../../test/npy.ts';
import { golden } from '../../test/shared.ts';
import { readWav, soundOf } from '../../test/sound.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import type { Encode } from './features.ts';
import { conditions, frameWindows } from './features.ts';
import { BLOCK_ROWS, melBlocks } from './mel-blocks.ts';

const { folder, cases } = golden('dub');
const file = (name: string | string[] | undefined) => join(folder, name as string);

if (!cases.some(({ outputs }) => outputs.features || outputs.mel || outputs.window_column0)) {
  test('recorded runs', { skip: 'these are not committed; MUSETALK_GOLDEN=full reads them' });
}

for (const { name, inputs, outputs, params, tolerances } of cases) {
  const sound = () => soundOf(readWav(file(inputs.sound)));

  for (const compat of ['right', 'upstream'] as const) {
    if (outputs.features) {
      test(`${name}, ${compat}: features become the recorded windows`, async () => {
        const recorded = readFloats(file(outputs.features));
        const [, layers, width] = recorded.shape as [number, number, number];
        const encode: Encode = async () => {
          const states = tensor([1, BLOCK_ROWS, layers, width]);
          states.data.set(recorded.data);
          return states;
        };
        const frames: FloatTensor[] = [];
        const options = { version: params.version, fps: params.fps, compat, frames: params.windows };
        for await (const frame of conditions(encode, sound(), options)) frames.push(frame);
        assert.equal(frames.length, params.windows);

        const expected = readFloats(file(outputs.windows));
        const stored = tensor(expected.shape);
        for (const [i, frame] of params.inner_frames.entries())
          stored.data.set(frames[frame]!.data, i * frames[frame]!.data.length);
        expectClose(stored, expected, tolerances!.windows!);
      });
    }

    if (outputs.mel) {
      test(`${name}, ${compat}: the encoder is given the recorded spectrogram`, async () => {
        const expected = readFloats(file(outputs.mel));
        const { value: block } = await melBlocks(sound(), { version: params.version, compat }).next();
        const width = expected.shape[1]!;
        const head = tensor(expected.shape);
        for (let band = 0; band < 80; band++)
          head.data.set(block!.mel.data.subarray(band * 3000, band * 3000 + width), band * width);
        expectClose(head, expected, { abs: 2e-4, rel: 1e-4 });
      });
    }
  }

  if (outputs.window_column0) {
    test(`${name}: each row of features stands where the recorded windows have it`, () => {
      const recorded = readFloats(file(outputs.window_column0));
      const windows = [...frameWindows(params.samples, { version: '1.5', fps: params.fps, frames: 'floor' })];
      assert.equal(windows.length, params.windows);
      const seen = new Map<number, number>();
      for (const [frame, window] of windows.entries()) {
        for (const [i, row] of window.entries()) {
          const value = recorded.data[frame * 50 + i * 5]!;
          const known = row < 0 ? 0 : (seen.get(row) ?? value);
          assert.equal(value, known, `frame ${frame}, row ${row}`);
          seen.set(row, value);
        }
      }
      // Distinct values, so that a row in the wrong place would have been noticed.
      assert.equal(new Set(seen.values()).size, 61);
    });
  }
}
