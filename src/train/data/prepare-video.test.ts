// A face that is only numbers: networks that read how far its lips are open off the brightness of the frame, so that
// lips and sound can be set apart by any time.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { scratch, wav } from '../../../test/media-fixtures.ts';
import { type Tensor, tensor } from '../../core/tensor.ts';
import type { FaceModels } from '../../face/models.ts';
import { image } from '../../image/image.ts';
import type { OpeningEars } from '../../lips/heard-opening.ts';
import { measureSync } from '../../lips/lip-lag.ts';
import { writeVideo } from '../../media/write-video.ts';
import { FACE_MESH_POINTS, FACE_MESH_SIZE } from '../../networks/face-mesh.ts';
import type { Session } from '../../nn/session.ts';
import { checkOptions } from '../../options/check.ts';
import { prepareSettings } from '../../options/train.ts';
import { prepareVideo } from './prepare-video.ts';
import { clipFile } from './prepared.ts';
import { readWav } from './wav.ts';

const FRAMES = 75;
/** Samples of a frame, at 16 kHz and 25 frames a second. */
const SAMPLES = 640;

/** How far the mouth is open, 0 … 1, in a course that is like itself at no other lag. */
function opening(frame: number): number {
  return (
    0.5 + 0.2 * Math.sin(0.9 * frame) + 0.2 * Math.sin(0.37 * frame + 1) + 0.1 * Math.sin(1.7 * frame + 2)
  );
}

const session = (run: (images: Tensor<'uint8'>) => Record<string, Tensor>): Session =>
  ({ run: async ({ images }: { images: Tensor<'uint8'> }) => run(images) }) as unknown as Session;

/** One face in the middle of each picture. */
const shortRange = session(() => {
  const regressors = tensor([1, 896, 16]);
  // Middle, size, eyes and the rest, from the first anchor at (4, 4) on, in pixels of 128.
  regressors.data.set([60, 60, 70, 70, 36, 46, 84, 46]);
  const scores = tensor([1, 896]);
  scores.data[0] = 1;
  return { regressors, scores };
});
const fullRange = session(() => ({ regressors: tensor([1, 2304, 16]), scores: tensor([1, 2304]) }));

/** Points that fill two thirds of what is looked at; lips as far apart as its middle is bright. */
const mesh = session((images) => {
  const points = tensor([1, FACE_MESH_POINTS, 3]);
  const put = (vertex: number, x: number, y: number) => points.data.set([x, y, 0], 3 * vertex);
  for (let i = 0; i < FACE_MESH_POINTS; i++) put(i, 32 + ((i * 37) % 129), 32 + ((i * 53) % 129));
  for (const [i, vertex] of [168, 6, 197, 195, 5, 4].entries()) put(vertex, 96, 70 + 5 * i);
  put(33, 50, 66);
  put(133, 75, 66);
  put(362, 117, 66);
  put(263, 142, 66);
  put(152, 96, 160);
  put(10, 96, 32);
  const middle = (FACE_MESH_SIZE / 2) * (FACE_MESH_SIZE + 1) * 3;
  for (const [upper, lower] of [
    [13, 14],
    [82, 87],
    [312, 317],
  ] as const) {
    put(upper, 96, 120);
    put(lower, 96, 120 + images.data[middle]! / 12);
  }
  return { points, presence: tensor([1], Float32Array.of(1)) };
});
const models: FaceModels = { shortRange, fullRange, mesh, close: async () => {} };

/** How loud each frame is. */
function loudness(samples: Float32Array): Float32Array {
  return Float32Array.from({ length: Math.floor(samples.length / SAMPLES) }, (_, frame) => {
    const part = samples.subarray(frame * SAMPLES, (frame + 1) * SAMPLES);
    return part.reduce((sum, value) => sum + Math.abs(value), 0) / SAMPLES;
  });
}

/** Hears a mouth as open as the sound is loud. */
const ears: OpeningEars = {
  async hear(sound) {
    const samples: number[] = [];
    for await (const piece of sound.samples()) samples.push(...piece);
    return { opening: loudness(Float32Array.from(samples)), by: 'mini' };
  },
  close: async () => {},
};

/** A video of three seconds whose sound comes `late` frames after the lips, and a folder for its clips. */
async function talk(t: TestContext, late: number) {
  const data = await scratch(t);
  const sound = join(data, 'sound.wav');
  const bytes = Buffer.alloc(2 * FRAMES * SAMPLES);
  for (let i = 0; i < FRAMES * SAMPLES; i++) {
    const loud = opening(Math.floor(i / SAMPLES) - late);
    bytes.writeInt16LE(Math.round(20000 * loud * Math.sin(0.4 * i)), 2 * i);
  }
  await writeFile(sound, wav(bytes));
  async function* frames() {
    for (let frame = 0; frame < FRAMES; frame++) {
      const picture = image(256, 192, 3);
      picture.data.fill(Math.round(20 + 200 * opening(frame)));
      yield picture;
    }
  }
  const video = join(data, 'talk.mov'); // which takes the samples as they are
  const fps = { num: 25, den: 1 };
  await writeVideo(video, frames(), {
    fps,
    width: 256,
    height: 192,
    preset: 'ultrafast',
    sound: { path: sound },
  });
  return { data, video, name: 'talk', speaker: 'one' };
}

const settings = (changed: { shiftSound?: boolean } = {}) => checkOptions(prepareSettings, changed);

test('a clip whose sound is on the lips is kept as it is', { timeout: 120_000 }, async (t) => {
  const task = await talk(t, 1);
  const { clips, left } = await prepareVideo(task, { models, ears, settings: settings() });
  assert.deepEqual(left, []);
  assert.equal(clips.length, 1);
  assert.equal(clips[0]!.frames, FRAMES);
  assert.equal(clips[0]!.shifted, undefined);
});

test('a clip whose sound is off the lips is left out with its offset, and its files go', {
  timeout: 120_000,
}, async (t) => {
  for (const [late, which] of [
    [6, 'after'],
    [-5, 'before'],
  ] as const) {
    const task = await talk(t, late);
    const seconds = (Math.abs(late) / 25).toFixed(2).slice(0, 3);
    await assert.rejects(prepareVideo(task, { models, ears, settings: settings() }), {
      code: 'WRONG_FILE',
      message: new RegExp(`its sound comes ${seconds}\\d s ${which} the lips`),
    });
    for (const ending of ['pictures', 'crops', 'json', 'wav'] as const)
      assert.ok(!existsSync(clipFile(task.data, 'talk', ending)), ending);
  }
});

test('with --shift-sound the sound of such a clip is moved to the lips', { timeout: 120_000 }, async (t) => {
  for (const late of [6, -5]) {
    const task = await talk(t, late);
    const shifting = { models, ears, settings: settings({ shiftSound: true }) };
    const { clips, left } = await prepareVideo(task, shifting);
    assert.match(left[0]!, /and was moved/);
    assert.ok(Math.abs(clips[0]!.shifted! - late / 25) < 0.02, `moved by ${clips[0]!.shifted} s`);
    const samples = await readWav(clipFile(task.data, 'talk', 'wav'));
    assert.equal(samples.length, FRAMES * SAMPLES);
    const seen = Array.from({ length: FRAMES }, (_, frame) => opening(frame));
    const { offset } = measureSync(seen, loudness(samples), { fps: 25, by: 'mini' });
    assert.ok(Math.abs(offset!) < 0.02, `the sound is still ${offset} s off`);
  }
});
