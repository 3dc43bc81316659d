import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { goldenSignal, soundOf } from '../../test/sound.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import type { ConditionOptions, Encode } from './features.ts';
import { conditions, FADE_ROWS, features } from './features.ts';
import { logMel, logMelOfBlock } from './mel.ts';
import type { MelBlock, Sound } from './mel-blocks.ts';
import { BLOCK_ROWS, blockStarts, melBlocks } from './mel-blocks.ts';

const signal65s = goldenSignal(1_040_000);

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

/** An encoder that hears 2 s about each row and nothing else: two layers of three numbers. */
const localEncoder: Encode = async (mel) => {
  const energy = new Float64Array(3001);
  for (let t = 0; t < 3000; t++) {
    let sum = 0;
    for (let band = 0; band < 80; band++) sum += mel.data[band * 3000 + t]!;
    energy[t + 1] = energy[t]! + sum / 80;
  }
  const states = tensor([1, BLOCK_ROWS, 2, 3]);
  for (let row = 0; row < BLOCK_ROWS; row++) {
    const [from, to] = [Math.max(0, 2 * row - 100), Math.min(3000, 2 * row + 102)];
    const mean = (energy[to]! - energy[from]!) / (to - from);
    for (let i = 0; i < 6; i++) states.data[row * 6 + i] = mean * (i + 1);
  }
  return states;
};

/** An encoder whose every row tells its place in the block and the block's mean, as global attention does. */
const globalEncoder: Encode = async (mel) => {
  const mean = mel.data.reduce((sum, x) => sum + x, 0) / mel.data.length;
  const states = tensor([1, BLOCK_ROWS, 1, 1]);
  return tensor(
    states.shape,
    states.data.map((_, row) => mean * 5 + row / BLOCK_ROWS),
  );
};

test('blocks overlap, and the last one ends with the sound', () => {
  assert.deepEqual(blockStarts(1), [0]);
  assert.deepEqual(blockStarts(1500), [0]);
  assert.deepEqual(blockStarts(1501), [0, 1]);
  assert.deepEqual(blockStarts(3250), [0, 1200, 1750]);
  assert.deepEqual(blockStarts(3000, 'upstream'), [0, 1500]);
  assert.deepEqual(blockStarts(3250, 'upstream'), [0, 1500, 3000]);
});

for (const version of ['1.0', '1.5'] as const) {
  test(`${version}: a sound of one block has upstream's spectrogram to the last bit`, async () => {
    for (const count of [16077, 479_990, 480_000]) {
      const samples = signal65s.slice(0, count);
      const [right, ...others] = await all(melBlocks(soundOf(samples), { version }));
      const [literal] = await all(melBlocks(soundOf(samples), { version, compat: 'upstream' }));
      assert.equal(others.length, 0);
      assert.deepEqual([right!.start, right!.rows], [literal!.start, literal!.rows]);
      expectClose(right!.mel, literal!.mel, 'exact', `${count} samples`);
    }
  });

  test(`${version}: rows are those of one endless block where the encoder hears 2 s`, async () => {
    const sound = soundOf(signal65s, 50_000);
    const rows = await all(features(localEncoder, sound, { version }));
    assert.equal(rows.length, 3250);
    const whole = logMel(signal65s);
    for (const row of [50, 1100, 1325, 1349, 1350, 1374, 1400, 1475, 1525, 1900, 2225, 2250, 2300, 3199]) {
      let sum = 0;
      for (let t = 2 * row - 100; t < 2 * row + 102; t++) {
        for (let band = 0; band < 80; band++) sum += whole.data[band * whole.shape[1]! + t]!;
      }
      const expected = sum / (80 * 202);
      const actual = rows[row]!.data[0]!;
      assert.ok(Math.abs(actual - expected) < 1e-5, `row ${row}: ${actual} for ${expected}`);
      assert.deepEqual(rows[row]!.shape, [2, 3]);
    }
  });

  test(`${version}: joins make no step even where rows tell their place in the block`, async () => {
    const step = async (compat: 'right' | 'upstream') => {
      const rows = await all(features(globalEncoder, soundOf(signal65s), { version, compat }));
      return Math.max(...rows.slice(1).map((row, i) => Math.abs(row.data[0]! - rows[i]!.data[0]!)));
    };
    const [right, upstream] = [await step('right'), await step('upstream')];
    // Upstream falls from the end of a block to the beginning of the next at once; the fade takes a second.
    assert.ok(upstream > 0.9, `upstream ${upstream}`);
    assert.ok(right < 0.05, `right ${right}`);
  });
}

test('the range is counted from the loudest place of the whole sound, not of each block', async () => {
  const samples = new Float32Array(1_040_000);
  samples.set(signal65s.subarray(0, 16_000), 1_000_000);
  const sound = soundOf(samples);
  const least = ({ mel }: MelBlock) => mel.data.reduce((a, b) => Math.min(a, b));
  const right = (await all(melBlocks(sound, { version: '1.5' }))).map(least);
  assert.deepEqual(right, [right[0], right[0], right[0]]);
  assert.ok(right[0]! > -1.4, `${right[0]}`);
  const literal = (await all(melBlocks(sound, { version: '1.5', compat: 'upstream' }))).map(least);
  assert.equal(literal[0], -1.5);
  assert.notEqual(literal[2], -1.5);
});

test('upstream: 1.5 cuts the sound itself every 30 seconds, 1.0 the spectrogram', async () => {
  const blocks = await all(melBlocks(soundOf(signal65s), { version: '1.5', compat: 'upstream' }));
  assert.deepEqual(
    blocks.map(({ start, rows }) => [start, rows]),
    [
      [0, 1500],
      [1500, 1500],
      [3000, 250],
    ],
  );
  expectClose(blocks[2]!.mel, logMelOfBlock(signal65s.subarray(960_000)), 'exact');

  const [, , last] = await all(melBlocks(soundOf(signal65s), { version: '1.0', compat: 'upstream' }));
  const whole = logMel(signal65s);
  for (const band of [0, 40, 79]) {
    assert.equal(last!.mel.data[band * 3000 + 499], whole.data[band * 6500 + 6499]);
    assert.equal(last!.mel.data[band * 3000 + 500], 0);
  }
});

test('a condition is its window row by row, the layers counting fastest', async () => {
  const encode: Encode = async () => {
    const states = tensor([1, BLOCK_ROWS, 5, 1]);
    return tensor(
      states.shape,
      states.data.map((_, i) => Math.floor(i / 5) * 100 + (i % 5)),
    );
  };
  const frames = await all(
    conditions(encode, soundOf(signal65s.slice(0, 6400)), { version: '1.0', fps: 25 }),
  );
  assert.equal(frames.length, 10);
  assert.deepEqual(frames[3]!.shape, [50, 1]);
  assert.deepEqual([...frames[3]!.data.subarray(0, 7)], [200, 201, 202, 203, 204, 300, 301]);
});

test('the number of frames is the one asked for, or follows from the length', async () => {
  const sound = soundOf(signal65s.slice(0, 19_200));
  const count = async (options: ConditionOptions) =>
    (await all(conditions(localEncoder, sound, options))).length;
  const fps = { num: 30000, den: 1001 };
  assert.equal(await count({ version: '1.5', fps }), 36);
  assert.equal(await count({ version: '1.5', fps, frames: 'floor' }), 35);
  assert.equal(await count({ version: '1.5', fps, frames: 50 }), 50);
  assert.equal(await count({ version: '1.5', fps, compat: 'upstream' }), 34);
  assert.equal(await count({ version: '1.0', fps: 25 }), 30);
  assert.equal(await count({ version: '1.0', fps: 25, compat: 'upstream' }), 32);
  assert.equal(await count({ version: '1.5', fps: 60 }), 72);
});

test('frames past the sound hear zeros in 1.5 and its last row in 1.0', async () => {
  const sound = soundOf(signal65s.slice(0, 19_200));
  const last = async (version: '1.0' | '1.5') =>
    (await all(conditions(localEncoder, sound, { version, fps: 25, frames: 100 }))).at(-1)!.data;
  assert.deepEqual([...(await last('1.5'))], new Array(60).fill(0));
  const repeated = await last('1.0');
  assert.notEqual(repeated[0], 0);
  assert.equal(repeated[0], repeated[9 * 6]);
});

test('a sound of a few samples still gives its frame, none is an error', async () => {
  for (const version of ['1.0', '1.5'] as const) {
    for (const count of [1, 100, 700]) {
      const sound = soundOf(signal65s.slice(0, count));
      const frames = await all(conditions(localEncoder, sound, { version, fps: 25, frames: 'ceil' }));
      assert.equal(frames.length, Math.ceil(count / 640));
      assert.equal(
        frames.findIndex(({ data }) => !data.every(Number.isFinite)),
        -1,
      );
    }
    await assert.rejects(all(conditions(localEncoder, soundOf(new Float32Array(0)), { version, fps: 25 })), {
      code: 'NO_SOUND',
    });
  }
});

test('upstream: what is too short for it is an error instead of the end of the process', async () => {
  const run = (version: '1.0' | '1.5', count: number, fps: number) =>
    all(conditions(localEncoder, soundOf(signal65s.slice(0, count)), { version, fps, compat: 'upstream' }));
  await assert.rejects(run('1.0', 319, 25), { code: 'NO_SOUND' });
  await assert.rejects(run('1.5', 639, 25), { code: 'NO_SOUND' });
  await assert.rejects(run('1.5', 1279, 25), { code: 'BAD_OPTION', facts: { frame: 0, frames: 1, fps: 25 } });
  await assert.rejects(run('1.5', 51_200, 50), { code: 'BAD_OPTION', message: /frame 159 of 160/ });
});

test('a long sound is read piece by piece: two blocks ahead of the frame at most', async () => {
  const piece = new Float32Array(16_000).fill(0.1);
  const minutes = 2;
  let [passes, read] = [0, 0];
  const sound: Sound = {
    sampleCount: minutes * 60 * 16_000,
    async *samples() {
      passes++;
      read = 0;
      for (let i = 0; i < minutes * 60; i++) {
        read += piece.length;
        yield piece;
      }
    },
  };
  const encode: Encode = async () => tensor([1, BLOCK_ROWS, 1, 1]);
  let frame = 0;
  for await (const condition of conditions(encode, sound, { version: '1.0', fps: 25 })) {
    assert.equal(condition.shape[0], 10);
    assert.ok(read / 16_000 - frame / 25 < 62, `${read / 16_000} s read at frame ${frame}`);
    frame++;
  }
  assert.equal(frame, minutes * 60 * 25);
  assert.equal(passes, 2);
});

test('leaving the loop ends the reading of the sound', async () => {
  let ended = 0;
  const source = soundOf(signal65s.slice(0, 40_000));
  const sound: Sound = {
    sampleCount: source.sampleCount,
    async *samples() {
      try {
        yield* source.samples();
      } finally {
        ended++;
      }
    },
  };
  for await (const _ of conditions(localEncoder, sound, { version: '1.5', fps: 25 })) break;
  assert.equal(ended, 2);
});

test('an abort passes through with its own reason', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const encode: Encode = async (mel: FloatTensor) => {
    controller.abort(reason);
    return localEncoder(mel);
  };
  await assert.rejects(
    all(
      features(encode, soundOf(signal65s.slice(0, 500_000)), { version: '1.5', signal: controller.signal }),
    ),
    reason,
  );
});

test('a fade fits into the overlap', () => {
  const [first, second] = blockStarts(2700) as [number, number];
  assert.ok(first + BLOCK_ROWS - second >= FADE_ROWS + 2 * 100);
});
