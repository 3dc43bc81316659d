import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { children, collect, make, moving, scratch, tone, x264 } from '../../test/media-fixtures.ts';
import { openVideo } from './open-video.ts';
import { probe } from './probe.ts';
import type { Frame, VideoSource } from './source.ts';

const limit = { timeout: 60_000 };

/** A video whose frame i has a luma of 16 + 4i, so that a frame says its own number; keyframes every 10 frames. */
async function numbered(t: TestContext, name: string, ...more: string[]): Promise<string> {
  const grey = ['-f', 'lavfi', '-i', 'nullsrc=s=64x48:r=25:d=2,format=yuv420p,geq=lum=16+4*N:cb=128:cr=128'];
  return make(join(await scratch(t), name), ...grey, ...more);
}

const lossless = ['-c:v', 'libx264', '-qp', '0', '-pix_fmt', 'yuv420p', '-g', '10', '-bf', '2'];

/** The number that a frame of `numbered` shows: luma 16 + 4i is grey (16 + 4i − 16) · 255 / 219. */
function numberOf(frame: Frame): number {
  return Math.round(((frame.data[3 * (24 * 64 + 32)]! / 255) * 219) / 4);
}

async function numbers(source: VideoSource, start?: number, end?: number): Promise<number[]> {
  return (await collect(source.frames(start, end))).map(numberOf);
}

const upTo = (end: number, start = 0) => Array.from({ length: end - start }, (_, i) => start + i);

for (const name of ['a.mp4', 'a.mkv', 'a.mov', 'a.avi', 'a.ts', 'a.mpg', 'a.flv']) {
  test(`every frame of ${name} comes once, in order, at its time, from any frame on`, limit, async (t) => {
    const codec = name === 'a.mpg' ? ['-c:v', 'mpeg2video', '-q:v', '2', '-g', '10', '-bf', '2'] : lossless;
    const video = await openVideo(await numbered(t, name, ...codec));
    assert.equal(video.frameCount, 50);
    assert.deepEqual(video.fps, { num: 25, den: 1 });
    const frames = await collect(video.frames());
    assert.deepEqual(frames.map(numberOf), upTo(50));
    assert.deepEqual(
      frames.map(({ index }) => index),
      upTo(50),
    );
    assert.ok(Math.abs(frames[49]!.time - 1.96) < 1e-9);
    for (const start of [1, 9, 10, 11, 29, 37, 49])
      assert.deepEqual(await numbers(video, start, start + 5), upTo(Math.min(50, start + 5), start));
    assert.deepEqual(await numbers(video, 20, 20), []);
    assert.deepEqual(await numbers(video, 48, 1000), [48, 49]);
    assert.deepEqual(children(), []);
  });
}

test(
  'a later start gives the same bytes as reading through, with B-frames and open groups',
  limit,
  async (t) => {
    const open = [
      '-c:v',
      'libx264',
      '-pix_fmt',
      'yuv420p',
      '-g',
      '12',
      '-bf',
      '3',
      '-x264-params',
      'open-gop=1:b-pyramid=2',
    ];
    for (const name of ['open.mp4', 'open.mkv']) {
      const video = await openVideo(
        await make(join(await scratch(t), name), ...moving({ seconds: 3 }), ...tone({ seconds: 3 }), ...open),
      );
      const all = await collect(video.frames());
      assert.equal(all.length, 75);
      for (const start of [11, 12, 13, 24, 47, 60, 74]) {
        const part = await collect(video.frames(start, start + 3));
        assert.deepEqual(
          part.map(({ index }) => index),
          upTo(Math.min(75, start + 3), start),
        );
        for (const frame of part)
          assert.ok(
            Buffer.from(frame.data).equals(all[frame.index]!.data),
            `${name} from ${start}: frame ${frame.index}`,
          );
      }
    }
  },
);

test('a variable rate becomes a constant one of known length, or keeps its times', limit, async (t) => {
  // Frames 0 … 9, then every third one: holes of 120 ms.
  const path = await numbered(
    t,
    'vfr.mp4',
    '-vf',
    "select='lt(n,10)+not(mod(n,3))'",
    '-vsync',
    '0',
    ...lossless,
  );
  const kept = [...upTo(10), ...upTo(50, 10).filter((n) => n % 3 === 0)];
  const source = await openVideo(path, { timing: 'source' });
  assert.equal(source.frameCount, kept.length);
  assert.deepEqual(await numbers(source), kept);
  for (const [i, time] of source.timestamps!.entries()) assert.ok(Math.abs(time - kept[i]! / 25) < 1e-3);

  const steady = await openVideo(path, { fps: 25 });
  const shown = upTo(steady.frameCount).map((i) => kept.findLast((n) => n <= i)!);
  assert.deepEqual(await numbers(steady), shown);
  assert.deepEqual(await numbers(steady, 13, 31), shown.slice(13, 31));
  assert.match(steady.warnings.join(), /variable frame rate/);

  const usual = await openVideo(path);
  assert.equal((await collect(usual.frames())).length, usual.frameCount);
  assert.ok(Math.abs(usual.duration - source.duration) < 0.05);
});

test('a frame that is shown twice may be drawn on', limit, async (t) => {
  const video = await openVideo(await numbered(t, 'a.mp4', ...lossless), { fps: 50 });
  const seen: number[] = [];
  for await (const frame of video.frames(0, 10)) {
    seen.push(numberOf(frame));
    frame.data.fill(255);
  }
  assert.deepEqual(seen, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
});

test('a telephone held upright: the picture is turned and so is its size', limit, async (t) => {
  const folder = await scratch(t);
  const halves = [
    '-f',
    'lavfi',
    '-i',
    'color=red:s=64x48:r=25:d=1,drawbox=x=0:y=0:w=32:h=48:color=blue:t=fill',
  ];
  const flat = await make(join(folder, 'flat.mp4'), ...halves, ...x264);
  for (const [rotation, blue] of [
    [90, [24, 10]],
    [180, [48, 24]],
    [270, [24, 54]],
  ] as const) {
    const path = join(folder, `${rotation}.mp4`);
    await writeFile(path, turned(await readFile(flat), rotation));
    const video = await openVideo(path);
    const sideways = rotation !== 180;
    assert.deepEqual([video.width, video.height], sideways ? [48, 64] : [64, 48]);
    const [frame] = await collect(video.frames(0, 1));
    const [x, y] = blue;
    const at = 3 * (y * video.width + x);
    assert.ok(frame!.data[at + 2]! > 200 && frame!.data[at]! < 60, `${rotation}: blue at ${x},${y}`);
  }
});

/** The MP4 with the matrix of its only track header set to a turn clockwise. */
function turned(file: Buffer, rotation: 90 | 180 | 270): Buffer {
  const matrix = { 90: [0, 1, -1, 0], 180: [-1, 0, 0, -1], 270: [0, -1, 1, 0] }[rotation];
  const at = file.indexOf('tkhd') + 4 + 40;
  for (const [i, offset] of [0, 4, 12, 16].entries()) file.writeInt32BE(matrix[i]! * 65536, at + offset);
  return file;
}

test('odd sizes, old pixel shapes and many bits are kept or said', limit, async (t) => {
  const folder = await scratch(t);
  const odd = await openVideo(
    await make(
      join(folder, 'odd.mkv'),
      '-f',
      'lavfi',
      '-i',
      'testsrc=s=63x47:d=0.2',
      '-c:v',
      'ffv1',
      '-pix_fmt',
      'yuv420p10le',
    ),
  );
  assert.deepEqual([odd.width, odd.height], [63, 47]);
  assert.match(odd.warnings.join(), /10 bits/);
  const [frame] = await collect(odd.frames(0, 1));
  assert.equal(frame!.data.length, 63 * 47 * 3);

  const wide = await openVideo(
    await make(join(folder, 'wide.mp4'), ...moving(), '-vf', 'setsar=16/15', ...x264),
  );
  assert.deepEqual(wide.pixelAspect, { num: 16, den: 15 });
});

test('a transparent video is laid over black, and said', limit, async (t) => {
  const half = ['-f', 'lavfi', '-i', 'color=0xff8040@0.5:s=32x32:r=25:d=1,format=rgba'];
  const video = await openVideo(
    await make(join(await scratch(t), 'alpha.mov'), ...half, '-c:v', 'qtrle', '-pix_fmt', 'argb'),
  );
  assert.match(video.warnings.join(), /transparent/);
  const [frame] = await collect(video.frames(0, 1));
  for (const [c, expected] of [128, 64, 32].entries())
    assert.ok(Math.abs(frame!.data[c]! - expected) <= 2, `${frame!.data.slice(0, 3)}`);
});

test('colours are decoded by their tags, and by size where there are none', limit, async (t) => {
  const folder = await scratch(t);
  const colour = [32, 192, 64] as const;
  const cases: [size: string, matrix: string, tags: string[], space: string, range?: string][] = [
    ['64x48', 'bt709', ['-colorspace', 'bt709', '-color_range', 'tv'], 'bt709'],
    ['64x48', 'smpte170m', ['-colorspace', 'smpte170m'], 'smpte170m'],
    ['64x48', 'smpte170m', [], 'smpte170m'],
    ['1280x720', 'bt709', [], 'bt709'],
    ['64x48', 'bt709', ['-colorspace', 'bt709', '-color_range', 'pc'], 'bt709', 'pc'],
    [
      '64x48',
      'bt2020',
      ['-colorspace', 'bt2020nc', '-color_trc', 'smpte2084', '-color_primaries', 'bt2020'],
      'bt2020nc',
    ],
  ];
  for (const [i, [size, matrix, tags, space, range = 'tv']] of cases.entries()) {
    const source = ['-f', 'lavfi', '-i', `color=0x20c040:s=${size}:r=25:d=0.2,format=gbrp`];
    const filter = `scale=out_color_matrix=${matrix}:out_range=${range}:flags=accurate_rnd,format=yuv444p`;
    const path = await make(
      join(folder, `${i}.mkv`),
      ...source,
      '-vf',
      filter,
      '-c:v',
      'libx264',
      '-qp',
      '0',
      ...tags,
    );
    const video = await openVideo(path);
    assert.equal(video.color.space, space);
    assert.equal(video.color.range, range);
    const [frame] = await collect(video.frames(0, 1));
    const pixel = [...frame!.data.subarray(0, 3)];
    assert.ok(
      pixel.every((v, c) => Math.abs(v - colour[c]!) <= 2),
      `${matrix} ${tags}: ${pixel}`,
    );
    assert.equal(/HDR/.test(video.warnings.join()), tags.includes('smpte2084'));
  }
});

test('a GIF is a video', limit, async (t) => {
  const video = await openVideo(
    await make(join(await scratch(t), 'a.gif'), ...moving({ rate: '10', seconds: 1 })),
  );
  assert.equal(video.frameCount, 10);
  assert.deepEqual(video.fps, { num: 10, den: 1 });
  assert.equal((await collect(video.frames())).length, 10);
});

test('names that look like options, addresses or patterns are only names', limit, async (t) => {
  const folder = await scratch(t);
  const plain = await make(join(folder, 'plain.mp4'), ...moving({ seconds: 0.2 }), ...x264);
  for (const name of [
    '-i.mp4',
    '--.mp4',
    'pipe:0',
    'http:x.mp4',
    '%03d.mp4',
    'a|b;$(c) `d`.mp4',
    '*?.mp4',
    '视频 é.mp4',
    'no ending',
    'concat:a',
  ]) {
    await copyFile(plain, join(folder, name));
    const video = await openVideo(join(folder, name));
    assert.equal((await collect(video.frames())).length, 5, name);
  }
});

test('damaged files give an error or the frames that are there', limit, async (t) => {
  const folder = await scratch(t);
  const whole = await readFile(
    await make(join(folder, 'whole.mp4'), ...moving(), ...tone(), ...x264, '-movflags', '+faststart'),
  );
  const late = await readFile(await make(join(folder, 'late.mp4'), ...moving(), ...x264));
  const noMoov = join(folder, 'no moov.mp4');
  await writeFile(noMoov, late.subarray(0, late.length - 1500));
  await assert.rejects(openVideo(noMoov), { code: 'BAD_FILE', message: /moov atom not found|Invalid data/ });

  const cut = join(folder, 'cut.mp4');
  await writeFile(cut, whole.subarray(0, Math.floor(whole.length * 0.6)));
  const video = await openVideo(cut);
  assert.ok(video.frameCount > 5 && video.frameCount < 50);
  assert.equal((await collect(video.frames())).length, video.frameCount);

  const headerOnly = join(folder, 'header.mp4');
  await writeFile(headerOnly, whole.subarray(0, whole.indexOf('mdat') + 8));
  await assert.rejects(openVideo(headerOnly), { code: 'BAD_FILE' });

  const noise = join(folder, 'noise.mkv');
  await writeFile(noise, Buffer.concat([Buffer.from('1a45dfa3', 'hex'), Buffer.alloc(9000, 3)]));
  await assert.rejects(openVideo(noise), { code: 'BAD_FILE' });
  assert.deepEqual(children(), []);
});

test('a file without pictures is no video', limit, async (t) => {
  const path = await make(join(await scratch(t), 'sound.m4a'), ...tone());
  await assert.rejects(openVideo(path), { code: 'WRONG_FILE', message: /no pictures/ });
});

test('limits are checked before a picture is decoded', limit, async (t) => {
  const folder = await scratch(t);
  const path = await make(join(folder, 'a.mp4'), ...moving(), ...tone(), ...x264);
  const refused = { code: 'TOO_LARGE' };
  await assert.rejects(openVideo(path, { limits: { pixels: 64 * 48 - 1 } }), refused);
  await assert.rejects(openVideo(path, { limits: { frames: 49 } }), refused);
  await assert.rejects(openVideo(path, { limits: { totalPixels: 64 * 48 * 49 } }), refused);
  await assert.rejects(openVideo(path, { limits: { duration: 1.9 } }), refused);
  await assert.rejects(openVideo(path, { limits: { streams: 1 } }), refused);
  await assert.rejects(openVideo(path, { fps: 100, limits: { frames: 60 } }), refused);

  const long = await make(join(folder, 'endless.gif'), ...moving({ size: '4x4', rate: '100', seconds: 5 }));
  await assert.rejects(openVideo(long, { limits: { frames: 100 } }), refused);

  const huge = await readFile(path);
  const entry = huge.indexOf('avc1', huge.indexOf('stsd'));
  huge.writeUInt16BE(65535, entry + 28);
  huge.writeUInt16BE(65535, entry + 30);
  await writeFile(join(folder, 'huge.mp4'), huge);
  const opened = await openVideo(join(folder, 'huge.mp4')).catch((error: { code: string }) => error.code);
  // The codec's own header may say better; nothing else may be believed.
  if (typeof opened === 'string') assert.match(opened, /TOO_LARGE|BAD_FILE/);
  else assert.deepEqual([opened.width, opened.height], [64, 48]);
});

test('an abort ends opening and reading', limit, async (t) => {
  const path = await make(
    join(await scratch(t), 'a.mp4'),
    ...moving({ size: '640x480', seconds: 4 }),
    ...x264,
  );
  await assert.rejects(openVideo(path, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  const control = new AbortController();
  const video = await openVideo(path, { signal: control.signal });
  let seen = 0;
  await assert.rejects(
    async () => {
      for await (const _ of video.frames()) if (++seen === 5) control.abort();
    },
    { name: 'AbortError' },
  );
  assert.ok(seen < 10);
  for await (const _ of (await openVideo(path)).frames()) break;
  assert.deepEqual(children(), []);
});

test('cover art is no video stream, and the header tells of sound', limit, async (t) => {
  const folder = await scratch(t);
  const cover = await make(join(folder, 'cover.png'), ...moving({ seconds: 0.04 }), '-frames:v', '1');
  const song = await make(
    join(folder, 'song.mp3'),
    ...tone(),
    '-i',
    cover,
    '-map',
    '0',
    '-map',
    '1',
    '-c:v',
    'copy',
    '-disposition:v',
    'attached_pic',
  );
  const found = await probe(song);
  assert.equal(found.video, undefined);
  assert.deepEqual([found.sound?.codec, found.sound?.rate, found.sound?.channels], ['mp3', 44100, 1]);
});
