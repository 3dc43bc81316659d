import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type FloatTensor, tensor } from '../core/tensor.ts';
import { image } from '../image/image.ts';
import { findSyncNet, smallSyncNet, writeSyncNet } from '../lips/sync-files.ts';
import { openSyncJudge, type SyncJudge } from '../lips/sync-judge.ts';
import type { Frame, SoundSource, VideoSource } from '../media/source.ts';
import { SYNC_FRAMES, SYNC_MEL_ROWS, syncNet } from '../networks/syncnet.ts';
import { seededTensors, seededUniform } from '../nn/seeded-weights.ts';
import { input } from '../nn/value.ts';
import { expectedWeights } from '../nn/weights.ts';
import type { SeenFace } from './seen-faces.ts';
import { askSyncNet } from './sync-net.ts';

const SIZE = 16;
const FACE: SeenFace = {
  box: { x1: 8, y1: 8, x2: 40, y2: 40 },
  mouth: { x1: 18, y1: 28, x2: 30, y2: 34 },
  opening: 0,
  movement: 0,
};

/** How open a mouth is at a tick of 25 fps, 0 … 1, unlike at any other time. */
function openness(tick: number): number {
  return (seededUniform(5, tick) + 1) / 2;
}

/** A video whose lower faces are as bright as the mouth is open. */
function film(rate: number, seconds: number): VideoSource {
  const frameCount = Math.round(rate * seconds);
  async function* frames(start = 0, end = frameCount): AsyncGenerator<Frame, void, undefined> {
    for (let index = start; index < end; index++) {
      const picture = image(48, 48, 3);
      picture.data.fill(255 * openness(Math.floor((index * 25) / rate)), 48 * 3 * 24);
      yield { ...picture, channels: 3, index, time: index / rate };
    }
  }
  return { fps: { num: rate, den: 1 }, frameCount, frames } as VideoSource;
}

/** A noise as loud as the mouth is open, `late` ticks after it. */
function sound(seconds: number, late: number): SoundSource {
  const sampleCount = 16000 * seconds;
  async function* samples(start = 0, end = sampleCount) {
    const piece = new Float32Array(end - start);
    for (let i = 0; i < piece.length; i++)
      piece[i] = seededUniform(9, i + start) * 10 ** (2 * openness(Math.floor((i + start) / 640) - late) - 3);
    yield piece;
  }
  return { sampleCount, samples } as SoundSource;
}

/** A judge that reads brightness and loudness, so that the truth is known. */
const plain: SyncJudge = {
  size: SIZE,
  see: async ({ data }) =>
    unit(1, (_, k) => {
      const area = data.length / (3 * SYNC_FRAMES);
      return data[3 * k * area + area / 2]!;
    }),
  hear: async ({ data, shape: [count] }) =>
    unit(count!, (b, k) => {
      const column = Math.round(3.2 * (k + 0.5));
      let sum = 0;
      for (let band = 0; band < 80; band++) sum += data[(b * 80 + band) * SYNC_MEL_ROWS + column]!;
      return sum;
    }),
  close: async () => {},
};

/** 16 numbers around their mean, of length 1, for each of `count`. */
function unit(count: number, value: (b: number, k: number) => number): FloatTensor {
  const vectors = tensor([count, SYNC_FRAMES]);
  for (let b = 0; b < count; b++) {
    const row = vectors.data.subarray(b * SYNC_FRAMES, (b + 1) * SYNC_FRAMES);
    for (let k = 0; k < SYNC_FRAMES; k++) row[k] = value(b, k);
    const mean = row.reduce((sum, x) => sum + x, 0) / SYNC_FRAMES;
    const length = Math.hypot(...row.map((x) => x - mean)) + 1e-9;
    for (let k = 0; k < SYNC_FRAMES; k++) row[k] = (row[k]! - mean) / length;
  }
  return vectors;
}

for (const [rate, late] of [
  [25, 0],
  [25, 3],
  [50, -4],
] as const)
  test(`at ${rate} fps, a sound that comes ${late} frames late is told as that`, async () => {
    const video = film(rate, 3);
    const faces = Array(video.frameCount).fill(FACE);
    const said = await askSyncNet(plain, { video, faces, sound: sound(3, late) });
    assert.equal(said.offset, late / 25);
    assert.ok(said.confidence > 0.4, `${said.confidence}`);
    assert.equal(said.windows, 12);
    assert.equal(said.curve.length, 31);
  });

test('windows keep away from cuts and from frames without a face', async () => {
  const video = film(25, 2);
  const faces: (SeenFace | null)[] = Array(50).fill(FACE);
  faces[20] = null;
  faces[30] = { ...FACE, movement: Number.NaN };
  const said = await askSyncNet(plain, { video, faces, sound: sound(2, 0) });
  assert.equal(said.windows, 2, 'frames 0 … 19 and 30 … 49 have room for one start each');
  const none = await askSyncNet(plain, { video, faces: Array(50).fill(null), sound: sound(2, 0) });
  assert.deepEqual(none, { offset: null, confidence: 0, curve: [], windows: 0 });
});

test('a sync net of our own is found in the models folder, and sees and hears unit vectors', async (t) => {
  const models = await mkdtemp(join(tmpdir(), 'musetalk sync '));
  t.after(() => rm(models, { recursive: true, force: true }));
  assert.equal(await findSyncNet(models), undefined);
  const size = 32;
  const config = smallSyncNet(size);
  const shapes = expectedWeights((w) =>
    syncNet(w, input('frames', [1, 48, size / 2, size]), input('mel', [1, 1, 80, 52]), config),
  );
  await mkdir(join(models, 'syncnet'));
  await writeSyncNet(join(models, 'syncnet'), { size, config }, seededTensors(shapes));
  const judge = await openSyncJudge((await findSyncNet(models))!);
  try {
    assert.equal(judge.size, size);
    const seen = await judge.see(noise([2, 48, size / 2, size]));
    const heard = await judge.hear(noise([3, 1, 80, 52]));
    assert.deepEqual(
      [seen.shape, heard.shape],
      [
        [2, 256],
        [3, 256],
      ],
    );
    for (const vectors of [seen, heard])
      assert.ok(Math.abs(Math.hypot(...vectors.data.subarray(0, 256)) - 1) < 1e-4);
    assert.notDeepEqual(heard.data.subarray(0, 256), heard.data.subarray(256, 512));
  } finally {
    await judge.close();
  }
});

function noise(shape: readonly number[]): FloatTensor {
  const numbers = tensor(shape);
  for (let i = 0; i < numbers.data.length; i++) numbers.data[i] = seededUniform(1, i);
  return numbers;
}
