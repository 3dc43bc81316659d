import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { colouredClip, FACE, hum } from '../../test/coloured-clip.ts';
import { readFrame } from '../../test/dub-cases.ts';
import { colourOf, make, moving, scratch, tone, x264 } from '../../test/media-fixtures.ts';
import { plainModel } from '../../test/plain-model.ts';
import type { MuseTalkError } from '../core/errors.ts';
import type { FaceFinder } from '../face/finder.ts';
import { openVideo } from '../media/open-video.ts';
import { dub } from './dub.ts';
import { resumeFolder } from './work-folder.ts';

async function material(t: TestContext, like?: Parameters<typeof colouredClip>[1]) {
  const { root, output, ...clip } = await colouredClip(t, like);
  return { root, options: { ...clip, output, silence: 'model' } as const, output };
}

/** What the drawn face of a finished frame says: its source by colour, and its condition. */
async function told(folder: string, number: number): Promise<number[]> {
  const { data, width } = await readFrame(folder, number);
  const middle = (24 * width + 32) * 3;
  return [...data.subarray(middle, middle + 3)];
}

const source = (frame: number) => colourOf(frame);

test('every frame has the face of its source frame and its own condition, there and back', async (t) => {
  const { root, options } = await material(t, { frames: 6, seconds: 0.8 });
  const frames = join(root, 'frames');
  const report = await dub({ ...options, frames, batchSize: 3 }, { model: plainModel() });
  assert.equal(report.frameCount, 20);
  assert.equal(report.duration, 0.8);
  const cycle = [0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 0, 0, 1, 2, 3, 4, 5, 5, 4];
  for (const [i, from] of cycle.entries()) {
    assert.deepEqual(await told(frames, i), [...source(from).slice(0, 2), i], `frame ${i}`);
    const { data } = await readFrame(frames, i);
    assert.deepEqual([...data.subarray(0, 3)], source(from), `surroundings of frame ${i}`);
  }
});

test('frames without a face pass through untouched and keep their place', async (t) => {
  const faceless = [0, 3, 4];
  const { root, options } = await material(t, { frames: 6, seconds: 0.4, faceless });
  const frames = join(root, 'frames');
  const report = await dub({ ...options, frames, batchSize: 4 }, { model: plainModel() });
  assert.equal(report.withoutFace, 3);
  for (const [i, from] of [0, 1, 2, 3, 4, 5, 5, 4, 3, 2].entries()) {
    const expected = faceless.includes(from) ? source(from) : [...source(from).slice(0, 2), i];
    assert.deepEqual(await told(frames, i), expected, `frame ${i}`);
  }
});

test('a video without any face is refused, and nothing is left', async (t) => {
  const { root, options } = await material(t, { faceless: [0, 1, 2, 3, 4, 5] });
  const before = await readdir(root);
  await assert.rejects(dub(options, { model: plainModel() }), { code: 'NO_FACE' });
  assert.deepEqual(await readdir(root), before);
});

test('an abort leaves nothing, whenever it comes', async (t) => {
  const { root, options } = await material(t, { frames: 40, seconds: 4 });
  const before = await readdir(root);
  for (const [stage, done] of [
    ['load', 0],
    ['prepare', 17],
    ['draw', 1],
    ['draw', 60],
    ['write', 0],
  ] as const) {
    const controller = new AbortController();
    const reason = new Error(`stop at ${stage} ${done}`);
    await assert.rejects(
      dub(
        { ...options, frames: join(root, 'frames') },
        {
          model: plainModel(),
          signal: controller.signal,
          onProgress: (progress) => {
            if (progress.stage === stage && progress.done >= done) controller.abort(reason);
          },
        },
      ),
      reason,
    );
    assert.deepEqual(await readdir(root), before, reason.message);
  }
});

test('an error while drawing leaves nothing, and pictures that were there before stay', async (t) => {
  const { root, options } = await material(t);
  const frames = join(root, 'frames');
  await mkdir(frames);
  await writeFile(join(frames, 'note.txt'), 'mine');
  const before = await readdir(root);
  const model = plainModel({
    beforeBatch: (batch) => {
      if (batch === 2) throw new Error('broken');
    },
  });
  await assert.rejects(dub({ ...options, frames }, { model }), /broken/);
  assert.deepEqual(await readdir(root), before);
  assert.deepEqual(await readdir(frames), ['note.txt']);
});

test('what cannot work is said before any work is done', async (t) => {
  const { options, output } = await material(t);
  const model = plainModel();
  const code = (code: MuseTalkError['code']) => ({ code });
  await writeFile(output, 'mine');
  await assert.rejects(dub(options, { model }), code('CANNOT_WRITE'));
  assert.equal(await readFile(output, 'utf8'), 'mine');
  await assert.rejects(dub({ ...options, output: `${output}.txt` }, { model }), code('BAD_OPTION'));
  await assert.rejects(dub({ ...options, output: '/nowhere/out.mp4' }, { model }), code('CANNOT_WRITE'));
  await assert.rejects(dub({ ...options, batchSize: 0 }, { model }), code('BAD_OPTION'));
  await assert.rejects(
    dub({ ...options, overwrite: true, coords: `${output}.no` }, { model }),
    code('NOT_FOUND'),
  );
  assert.equal(model.drawn.length, 0);
});

test('the sound and the video may differ in length', async (t) => {
  const { options, root } = await material(t, { frames: 30, seconds: 2 });
  const cases = [
    ['bounce', 50],
    ['loop', 50],
    ['cut_off', 30],
    ['silence', 50],
    ['remap', 50],
  ] as const;
  for (const [syncMode, count] of cases) {
    const output = join(root, `${syncMode}.mp4`);
    const report = await dub({ ...options, syncMode, output }, { model: plainModel() });
    assert.equal(report.frameCount, count, syncMode);
    assert.equal((await openVideo(output)).frameCount, count, syncMode);
  }
});

test('frames and sound stay together at every rate, for a constant and for a variable one', async (t) => {
  const root = await scratch(t);
  const sound = await make(join(root, 'sound.wav'), ...tone({ seconds: 3.3, rate: 16000 }));
  const rates = ['24000/1001', '24', '25', '30000/1001', '30', '50', '60'];
  const videos = await Promise.all(
    rates.map((rate) =>
      make(join(root, `${rate.replace('/', '-')}.mp4`), ...moving({ rate, seconds: 1 }), ...x264),
    ),
  );
  const variable = ['-vf', "select='not(mod(n\\,3))+not(mod(n\\,5))'", '-fps_mode', 'vfr'];
  videos.push(
    await make(join(root, 'variable.mp4'), ...moving({ rate: '30', seconds: 2 }), ...variable, ...x264),
  );
  for (const video of videos) {
    const { fps, frameCount } = await openVideo(video);
    const coords = join(root, 'coords.json');
    await writeFile(coords, JSON.stringify(Array(frameCount).fill(Object.values(FACE))));
    const output = video.replace('.mp4', '-dubbed.mp4');
    const report = await dub({ video, sound, coords, output, silence: 'model' }, { model: plainModel() });
    const result = await openVideo(output);
    assert.equal(report.frameCount, Math.round((3.3 * fps.num) / fps.den), video);
    assert.equal(result.frameCount, report.frameCount, video);
    assert.deepEqual(result.fps, fps, video);
    assert.ok(Math.abs(report.duration - 3.3) <= fps.den / fps.num / 2 + 1e-9, video);
  }
});

test('source and result can be shown beside each other', async (t) => {
  const { root, options, output } = await material(t, { frames: 2, seconds: 0.08 });
  const frames = join(root, 'frames');
  await dub({ ...options, frames, sideBySide: true }, { model: plainModel() });
  const picture = await readFrame(frames, 1);
  const at = (x: number) => [
    ...picture.data.subarray((24 * picture.width + x) * 3, (24 * picture.width + x) * 3 + 3),
  ];
  assert.equal(picture.width, 128);
  assert.deepEqual(at(32), source(1));
  assert.deepEqual(at(64 + 32), [...source(1).slice(0, 2), 1]);
  assert.equal((await openVideo(output)).width, 128);
});

test('in silence the mouth is shut: its own where that is shut, else a lent one', async (t) => {
  const { root, options } = await material(t, { frames: 50, seconds: 2 });
  const sound = join(root, 'half.wav');
  await writeFile(sound, Buffer.concat([hum(1).subarray(0, 44 + 32000), Buffer.alloc(32000)]));
  const fixed = await readFile(sound);
  fixed.writeUInt32LE(fixed.length - 8, 4);
  fixed.writeUInt32LE(fixed.length - 44, 40);
  await writeFile(sound, fixed);
  // Frames with an odd number have their mouths open.
  const finder: FaceFinder = {
    kind: 'builtin',
    async *find(frames) {
      for await (const { index } of frames) {
        yield {
          index,
          cut: index === 0,
          faces: 1,
          face: { landmarks: [], box: FACE, score: (index % 2) / 10 },
        };
      }
    },
    close: async () => {},
  };
  const { coords, ...rest } = options;
  const frames = join(root, 'frames');
  await dub({ ...rest, sound, frames, silence: 'close' }, { model: plainModel(), finder });
  assert.deepEqual(await told(frames, 10), [...source(10).slice(0, 2), 10], 'speaks');
  assert.deepEqual(await told(frames, 40), source(40), 'shut by itself');
  const [, , blue] = await told(frames, 41);
  assert.equal(blue, 255, 'lent');
  await dub({ ...rest, sound, frames, silence: 'keep', overwrite: true }, { model: plainModel(), finder });
  assert.deepEqual(await told(frames, 41), source(41), 'kept');
});

test('a run that was cut off goes on where it was and gives the same bytes', async (t) => {
  const { root, options, output } = await material(t, { frames: 40, seconds: 8 });
  const whole = join(root, 'whole.mp4');
  await dub({ ...options, output: whole, resume: true }, { model: plainModel() });
  const frames = join(root, 'frames');
  for (const stopAt of [0, 3, 14, 24]) {
    const failing = plainModel({
      beforeBatch: (batch) => {
        if (batch === stopAt) throw new Error('power cut');
      },
    });
    const cutOff = dub({ ...options, frames, resume: true, overwrite: true }, { model: failing });
    await assert.rejects(cutOff, /power cut/);
    assert.ok((await readdir(root)).includes('out.mp4.resume'));
    const model = plainModel();
    await dub({ ...options, frames, resume: true, overwrite: true }, { model });
    assert.deepEqual(await readFile(output), await readFile(whole), `stopped at batch ${stopAt}`);
    assert.ok(model.drawn.length <= 25 - Math.floor(stopAt / 7) * 7, 'finished segments are not drawn again');
    assert.equal((await readdir(frames)).length, 200);
    assert.ok(!(await readdir(root)).includes('out.mp4.resume'), 'the work folder is removed at the end');
  }
});

test('a run with other options does not continue an earlier one', async (t) => {
  const { options, output } = await material(t, { frames: 10, seconds: 4 });
  const failing = plainModel({
    beforeBatch: (batch) => {
      if (batch === 9) throw new Error('power cut');
    },
  });
  await assert.rejects(dub({ ...options, resume: true }, { model: failing }), /power cut/);
  assert.ok((await readdir(resumeFolder(output))).includes('segments'));
  const model = plainModel();
  await dub({ ...options, resume: true, crf: 30 }, { model });
  assert.equal(
    model.drawn.reduce((sum, count) => sum + count, 0),
    100,
  );
});
