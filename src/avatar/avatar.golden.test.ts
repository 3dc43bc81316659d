import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { layOut, pictureDifference, readBoxes } from '../../test/dub-cases.ts';
import { readFloats } from '../../test/npy.ts';
import { readPng } from '../../test/png.ts';
import { golden } from '../../test/shared.ts';
import type { FloatTensor } from '../core/tensor.ts';
import type { LipModel } from '../lips/lip-model.ts';
import { openLipModel } from '../lips/open-model.ts';
import { openVideo } from '../media/open-video.ts';
import { readSound } from '../media/read-sound.ts';
import type { Frame, VideoSource } from '../media/source.ts';
import { checkOptions } from '../options/check.ts';
import { dubSettings } from '../options/dub.ts';
import { framesInOrder } from './frames-in-order.ts';
import { toAndFro } from './order.ts';
import { parsingFolder } from './parsing-folder.ts';
import { type Avatar, prepareAvatar } from './prepare.ts';
import { type Step, speak } from './speak.ts';
import { openUpstreamAvatar } from './upstream-avatar.ts';

// A realtime avatar that upstream 1.5's own class prepared and used, with the tiny networks of the dubs.
const { folder, cases } = golden('avatar');
const [prepared, used] = ['prepare', 'use'].map((name) => cases.find((c) => c.name === name));
const skip = !prepared || !used;

const root = mkdtempSync(join(tmpdir(), 'avatar-golden-'));
let model: LipModel;
let video: VideoSource;

before(async () => {
  if (skip) return;
  const dub = join(folder, '..', 'dub');
  const laid = layOut(root, folder, {
    ...prepared,
    inputs: { ...prepared.inputs, video: prepared.inputs.source!, sound: '' },
  });
  const settings = checkOptions(dubSettings, { models: join(dub, 'models'), model: 'musetalk-1.5' });
  const openParse = () => parsingFolder(laid.parsing);
  // Upstream: the realtime program blurs masks twice as wide as the offline one.
  model = await openLipModel(settings, { openParse, blur: 0.1, cacheFolder: join(root, 'cache') });
  video = await openVideo(laid.video, { fps: 25 });
});
after(async () => {
  await model?.close();
  rmSync(root, { recursive: true });
});

test('an avatar is prepared as upstream does', { skip }, async () => {
  const { inputs, outputs, tolerance } = prepared!;
  const coords = readBoxes(join(folder, inputs.boxes as string));
  const avatar = await prepareAvatar(model, video, { folder: join(root, 'prepared'), faces: { coords } });
  const boxes = readBoxes(join(folder, outputs.coords as string));
  const latents = readFloats(join(folder, outputs.latents as string));
  const size = latents.data.length / boxes.length;
  for (let frame = 0; frame < video.frameCount; frame++) {
    const face = (await avatar.face(frame))!;
    assert.deepEqual(face.box, boxes[frame]);
    expectClose(
      face.latents,
      { data: latents.data.subarray(frame * size, (frame + 1) * size) },
      tolerance,
      `latents ${frame}`,
    );
  }
  await compareUse(avatar);
  await avatar.close();
});

test("upstream's avatar folders are read and used as they are", { skip }, async () => {
  const avatar = await openUpstreamAvatar(join(folder, dirname(used!.inputs.avatar as string)));
  assert.equal(avatar.info.version, 'v15');
  assert.equal(avatar.frameCount, video.frameCount);
  await compareUse(avatar);
});

async function compareUse(avatar: Avatar): Promise<void> {
  const { outputs, params, tolerances } = used!;
  const sound = await readSound(join(folder, '..', 'dub', 'speech.wav'));
  const frames = params.windows as number;
  const heard = model.conditions(sound, { fps: video.fps, frames });
  async function* steps(): AsyncGenerator<Step> {
    const order = Array.from({ length: frames }, (_, i) => toAndFro(i, avatar.frameCount));
    let index = 0;
    for await (const frame of framesInOrder(avatar.video, order)) {
      const condition = (await heard.next()).value as FloatTensor;
      yield { index: index++, frame, condition, rest: 0, donor: -1 };
    }
  }
  const { abs, mean_abs } = tolerances!.frames as { abs: number; mean_abs: number };
  const expected = new Map(
    [outputs.frames!].flat().map((file) => [Number.parseInt(basename(file), 10), file]),
  );
  let count = 0;
  for await (const { image, index } of speak(model, avatar, steps(), { batchSize: params.batch_size })) {
    count++;
    const file = expected.get(index); // upstream loses the last frame
    if (file === undefined) continue;
    const { max, mean } = pictureDifference(image as Frame, await readPng(join(folder, file)));
    assert.ok(max <= abs && mean <= mean_abs, `frame ${index} differs by up to ${max}, ${mean} in the mean`);
  }
  assert.equal(count, frames);
}
