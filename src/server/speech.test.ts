// Real dubs with mini through the service: lengths by sync mode, parts with sounds of their own, who speaks, the report.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { make, scratch } from '../../test/media-fixtures.ts';
import { type Json, type TestService, testService } from '../../test/service.ts';
import { openVideo } from '../media/open-video.ts';
import type { Frame } from '../media/source.ts';
import { reportSchema } from '../report/result.ts';

const CLIP = fileURLToPath(new URL('../../test/fixtures/grid/briz6n.mp4', import.meta.url));
/** All modes and ways to choose a face; one of each otherwise. */
const FULL = process.env.MUSETALK_FULL === '1';
const RUNNER = new URL('./work/dub-worker.ts', import.meta.url).href;

/** A video of 0.8 s, and sounds of 0.48 s and 1.2 s. */
async function material(t: TestContext) {
  const root = await scratch(t);
  const cut = async (name: string, ...args: string[]) =>
    make(join(root, name), '-ss', '1', '-i', CLIP, ...args);
  const video = await cut('v.mp4', '-frames:v', '20', '-an', '-c:v', 'libx264', '-crf', '12');
  return {
    ...{ root, video: await readFile(video) },
    short: await readFile(await cut('short.wav', '-vn', '-t', '0.48')),
    long: await readFile(await cut('long.wav', '-vn', '-t', '1.2')),
  };
}

async function finished(service: TestService, request: object): Promise<Json> {
  const { id } = await service.post(201, '/v1/dubs', request);
  const dub = await service.ended(id);
  assert.equal(dub.status, 'COMPLETED', JSON.stringify(dub.error));
  return dub;
}

async function framesOf(service: TestService, root: string, dub: Json): Promise<Frame[]> {
  const path = join(root, `${dub.id}.mp4`);
  await writeFile(path, Buffer.from(await (await service.ask(dub.outputUrl)).arrayBuffer()));
  const frames: Frame[] = [];
  for await (const frame of (await openVideo(path)).frames()) frames.push(frame);
  return frames;
}

/** The mean difference of two pictures, and the largest of a block of 16 × 16 pixels. */
function difference(a: Frame, b: Frame): { mean: number; worst: number } {
  let sum = 0;
  const blocks = new Map<number, number>();
  for (let i = 0; i < a.data.length; i++) {
    const apart = Math.abs(a.data[i]! - b.data[i]!);
    const pixel = Math.floor(i / 3);
    const block = Math.floor(pixel / a.width / 16) * 1000 + Math.floor((pixel % a.width) / 16);
    sum += apart;
    blocks.set(block, (blocks.get(block) ?? 0) + apart / (16 * 16 * 3));
  }
  return { mean: sum / a.data.length, worst: Math.max(...blocks.values()) };
}

const small = { workers: 1, threads: 1, lease: 30 };

test('real dubs are as long as their mode says, and frames outside of parts that speak stay', async (t) => {
  const { root, ...files } = await material(t);
  const service = await testService(t, { ...small, report: 'off' }, { runner: RUNNER });
  const video = await service.upload(files.video);
  const sounds = { short: await service.upload(files.short), long: await service.upload(files.long) };
  const options = { model: 'mini' };

  // The video has 20 frames; the sounds last 12 and 30.
  const wanted = [
    ...[['bounce', 'long', 30] as const, ['loop', 'long', 30] as const, ['remap', 'short', 12] as const],
    ...[['cut_off', 'long', 20] as const, ['cut_off', 'short', 12] as const],
    ...[['silence', 'long', 30] as const, ['silence', 'short', 20] as const],
  ];
  for (const [mode, name, frames] of FULL ? wanted : wanted.slice(1, 3)) {
    const dub = await finished(service, {
      ...{ video, sound: sounds[name], options: { ...options, sync_mode: mode } },
    });
    assert.ok(Math.abs(dub.result.frames - frames) <= 1, `${mode} ${name}: ${dub.result.frames}`);
    assert.ok(Math.abs(dub.outputDuration - dub.result.frames / 25) < 1e-6);
  }

  // One part speaks: outside of it every frame is the source's.
  const segments = [{ startTime: 0.24, endTime: 0.56, audioInput: { refId: 'a', startTime: 0.1 } }];
  const input = [
    { type: 'video', upload: video },
    { type: 'audio', upload: sounds.long, refId: 'a' },
  ];
  const part = await finished(service, { input, segments, options: { ...options, crf: 8 } });
  const source: Frame[] = [];
  await writeFile(join(root, 'source.mp4'), files.video);
  for await (const frame of (await openVideo(join(root, 'source.mp4'))).frames()) source.push(frame);
  const made = await framesOf(service, root, part);
  assert.equal(made.length, 20);
  const apart = made.map((frame, i) => difference(frame, source[i]!));
  const within = (i: number) => (i + 0.5) / 25 >= 0.24 && (i + 0.5) / 25 < 0.56;
  const outside = apart.filter((_, i) => !within(i));
  const inside = apart.filter((_, i) => within(i));
  t.diagnostic(`outside ${JSON.stringify(outside.at(-1))}, inside ${JSON.stringify(inside[4])}`);
  const worst = Math.max(...outside.map((one) => one.worst));
  assert.ok(worst < 3, `a block outside the part changed by ${worst}`);
  assert.ok(inside.some((one) => one.worst > 3 * worst));
});

test('the face that speaks, one at a point, or boxes: that side changes; the report tells of the dub', async (t) => {
  const { root, long } = await material(t);
  const portrait = fileURLToPath(new URL('../../test/fixtures/astronaut.jpg', import.meta.url));
  const pan = "scale=-2:400,crop=288:288:x='40+30*sin(2*t)':y='20+20*sin(3*t)'";
  const path = await make(
    join(root, 'two.mp4'),
    ...['-loop', '1', '-r', '25', '-i', portrait, '-ss', '1', '-i', CLIP, '-frames:v', '25', '-crf', '12'],
    ...['-filter_complex', `[0:v]${pan}[a];[a][1:v]hstack`, '-an', '-pix_fmt', 'yuv420p'],
  );
  const source: Frame[] = [];
  for await (const frame of (await openVideo(path)).frames()) source.push(frame);
  const service = await testService(t, small, { runner: RUNNER });
  const [video, sound] = [await service.upload(await readFile(path)), await service.upload(long)];
  const changed = async (active_speaker_detection: object) => {
    const options = {
      model: 'mini',
      crf: 8,
      syncMode: 'cut_off',
      silence: 'model',
      active_speaker_detection,
    };
    const dub = await finished(service, { video, sound, options });
    const frames = await framesOf(service, root, dub);
    const worst = (from: number, to: number) =>
      Math.max(...frames.map((frame, i) => inColumns(frame, i, from, to)));
    return { dub, left: worst(0, 288), right: worst(288, 648) };
  };
  const inColumns = (frame: Frame, i: number, from: number, to: number) => {
    const cut = ({ data, width, height, ...rest }: Frame) => {
      const part = new Uint8Array((to - from) * height * 3);
      for (let y = 0; y < height; y++)
        part.set(data.subarray((y * width + from) * 3, (y * width + to) * 3), y * (to - from) * 3);
      return { ...rest, data: part, width: to - from, height } as Frame;
    };
    return difference(cut(frame), cut(source[i]!)).worst;
  };

  const speaks = await changed({ auto_detect: true });
  assert.equal(speaks.dub.options.face, 'speaking');
  const told = [{ left: speaks.left, right: speaks.right }];
  if (FULL) {
    const point = await changed({ frame_number: 12, coordinates: [140, 150] });
    assert.equal(point.dub.options.face, '140,150@12');
    const { x1, y1, x2, y2 } = { x1: 400, y1: 70, x2: 520, y2: 220 };
    const boxes = await changed({ bounding_boxes: Array(25).fill([x1, y1, x2, y2]) });
    assert.ok(point.left > 3 * point.right, 'who is at the point');
    assert.ok(boxes.right > 3 * boxes.left, 'who is in the boxes');
    told.push(point, boxes);
  }
  t.diagnostic(JSON.stringify(told.map(({ left, right }) => [left, right])));
  assert.ok(speaks.right > 3 * speaks.left, 'who speaks');

  const report = reportSchema.parse(await service.json(200, `/v1/dubs/${speaks.dub.id}/report`));
  assert.deepEqual([report.video.frames, report.video.source], [25, 'video']);
  assert.equal(speaks.dub.result.quality, report.verdict);
  const page = await service.ask(`/v1/dubs/${speaks.dub.id}/report?format=html`);
  assert.match(await page.text(), /^<!doctype html>/i);
});
