import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect, make, moving, scratch, x264 } from '../../test/media-fixtures.ts';
import { openVideo } from './open-video.ts';
import type { Frame } from './source.ts';
import { writeSegment } from './write-segment.ts';

const limit = { timeout: 120_000 };

/** FFmpeg's arguments for a stream in a matrix and a range. */
const tagged = (space: string, range: string) => {
  const matrix = `scale=out_color_matrix=${space}:out_range=${range}`;
  const tags = ['-colorspace', space, '-color_range', range];
  return ['-vf', `${matrix},format=${range === 'pc' ? 'yuvj420p' : 'yuv420p'}`, ...tags, ...x264.slice(0, 4)];
};

test('planes go through a file untouched, whatever their matrix and range', limit, async (t) => {
  const folder = await scratch(t);
  const cases = [
    ['bt709', 'tv'],
    ['smpte170m', 'tv'],
    ['bt709', 'pc'],
    ['smpte170m', 'pc'],
  ] as const;
  for (const [space, range] of cases) {
    const name = `${space} ${range}`;
    const source = await make(
      join(folder, `${name}.mp4`),
      ...moving({ size: '96x64', seconds: 0.4 }),
      ...tagged(space, range),
    );
    const video = await openVideo(source);
    assert.equal(video.color.space, space);
    assert.equal(video.color.range, range);
    const path = join(folder, `${name} again.mp4`);
    const { fps, width, height, color } = video;
    await writeSegment(path, video.planes!(), { fps, width, height, color, crf: 0, planar: true });
    const again = await openVideo(path);
    assert.deepEqual(again.color, color, name);
    const [before, after] = [await collect(video.planes!()), await collect(again.planes!())];
    assert.equal(after.length, 10);
    for (const [i, { data }] of after.entries()) assert.deepEqual(data, before[i]!.data, `${name}, ${i}`);
  }
});

test('planes are there only where a video stores its pictures so', limit, async (t) => {
  const folder = await scratch(t);
  const formats = [
    ['yuv420p', '64x48', true],
    ['yuv420p', '63x48', false],
    ['yuv444p', '64x48', false],
    ['yuv420p10le', '64x48', false],
  ] as const;
  for (const [format, size, planar] of formats) {
    const cut = `format=${format},crop=${size.replace('x', ':')}:exact=1`;
    const encode = ['-vf', cut, '-c:v', 'ffv1', '-pix_fmt', format];
    const path = await make(join(folder, `${format} ${size}.mkv`), ...moving({ seconds: 0.2 }), ...encode);
    assert.equal((await openVideo(path)).planes !== undefined, planar, `${format}, ${size}`);
  }
});

test('planes are read from any frame on, with the numbers and times of the frames', limit, async (t) => {
  const path = await make(join(await scratch(t), 'a.mp4'), ...moving({ seconds: 1 }), ...x264, '-g', '10');
  const video = await openVideo(path, { fps: 50 }); // each frame is shown twice
  const [frames, planes] = [await collect(video.frames(13, 18)), await collect(video.planes!(13, 18))];
  assert.deepEqual(
    planes.map(({ index, time }) => [index, time]),
    frames.map(({ index, time }) => [index, time]),
  );
  const whole = await collect(video.planes!());
  for (const { index, data } of planes) assert.deepEqual(data, whole[index]!.data);
});

test('near colours are within a few steps of the exact ones', limit, async (t) => {
  const smooth = ['-f', 'lavfi', '-i', 'gradients=s=96x64:d=0.2:seed=3'];
  const path = await make(join(await scratch(t), 'a.mp4'), ...smooth, ...x264);
  const video = await openVideo(path);
  const near = await collect(video.frames(0, undefined, { colors: 'near' }));
  for (const exact of await collect(video.frames())) assertNear(near[exact.index]!, exact);
});

function assertNear(near: Frame, exact: Frame) {
  const worst = exact.data.reduce((most, v, i) => Math.max(most, Math.abs(v - near.data[i]!)), 0);
  assert.ok(worst > 0 && worst <= 12, `they differ by ${worst}`);
}
