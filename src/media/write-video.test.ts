import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  children,
  collect,
  colourOf,
  colours,
  make,
  moving,
  scratch,
  tone,
  wav,
  x264,
} from '../../test/media-fixtures.ts';
import type { Image } from '../image/image.ts';
import { requireEncoder } from './encoder.ts';
import { joinSegments } from './join-segments.ts';
import { openVideo } from './open-video.ts';
import type { VideoEncoder } from './output.ts';
import { probe } from './probe.ts';
import { readWholeSound } from './read-sound.ts';
import { padToEven, writeSegment } from './write-segment.ts';
import { writeVideo } from './write-video.ts';

const limit = { timeout: 120_000 };
const size = { width: 64, height: 48, fps: { num: 25, den: 1 }, preset: 'ultrafast' };

/** Largest difference of the middle pixel of each frame from the colour that went in. */
async function worstColour(path: string): Promise<number> {
  const video = await openVideo(path);
  const frames = await collect(video.frames());
  return Math.max(
    ...frames.flatMap(({ data, width, height, index }) => {
      const at = 3 * (Math.floor(height / 2) * width + Math.floor(width / 2));
      return colourOf(index).map((c, i) => Math.abs(c - data[at + i]!));
    }),
  );
}

async function has(encoder: VideoEncoder | 'libopus'): Promise<boolean> {
  return requireEncoder(encoder, undefined).then(
    () => true,
    () => false,
  );
}

test('frames go through encoding and decoding with their colour, count and tags', limit, async (t) => {
  const folder = await scratch(t);
  const untagged = { primaries: undefined, transfer: undefined };
  const cases = [
    ['a.mp4', undefined],
    ['b.mp4', { space: 'bt709', primaries: 'bt709', transfer: 'bt709', range: 'pc' }],
    ['c.mov', { space: 'smpte170m', ...untagged, range: 'tv' }],
    ['d.mkv', { space: 'bt470bg', primaries: 'bt470bg', transfer: 'bt709', range: 'tv' }],
    ['e.mp4', { space: 'bt2020nc', primaries: 'bt2020', transfer: 'arib-std-b67', range: 'tv' }],
  ] as const;
  for (const [name, color] of cases) {
    const path = join(folder, name);
    const written = await writeVideo(path, colours(25), { ...size, color, crf: 4 });
    assert.deepEqual(written, { path, frameCount: 25, duration: 1 });
    const worst = await worstColour(path);
    assert.ok(worst <= 2, `${name}: ${worst} steps`);
    const { video } = await probe(path);
    assert.deepEqual(
      video!.color,
      color ?? { space: 'bt709', primaries: 'bt709', transfer: 'bt709', range: 'tv' },
    );
    assert.equal(video!.pixelFormat.replace('yuvj', 'yuv'), 'yuv420p');
  }
  assert.deepEqual((await readdir(folder)).sort(), cases.map(([name]) => name).sort());
});

test('each kind of output takes the encoders that belong to it', limit, async (t) => {
  const folder = await scratch(t);
  const source = await make(join(folder, 'sound.wav'), ...tone({ seconds: 1 }));
  for (const [name, encoder] of [
    ['a.webm', 'libvpx-vp9'],
    ['b.mkv', 'libvpx-vp9'],
    ['c.mp4', 'libx265'],
    ['d.mov', 'libx265'],
  ] as const) {
    if (!(await has(encoder)) || (name === 'a.webm' && !(await has('libopus')))) continue;
    const path = join(folder, name);
    await writeVideo(path, colours(25), { ...size, encoder, crf: 4, sound: { path: source } });
    assert.ok((await worstColour(path)) <= 3, name);
    assert.equal((await openVideo(path)).frameCount, 25);
    assert.ok(Math.abs((await readWholeSound(path)).length / 16000 - 1) < 0.05, name);
  }
  await assert.rejects(writeVideo(join(folder, 'x.webm'), colours(1), { ...size, encoder: 'libx264' }), {
    code: 'BAD_OPTION',
  });
  await assert.rejects(writeVideo(join(folder, 'x.gif'), colours(1), size), {
    code: 'BAD_OPTION',
    message: /\.gif/,
  });
  await assert.rejects(writeVideo(join(folder, 'x'), colours(1), size), { code: 'BAD_OPTION' });
  for (const bad of [{ crf: -1 }, { crf: Number.NaN }, { preset: 'fast; rm' }, { width: 0 }])
    await assert.rejects(writeVideo(join(folder, 'x.mp4'), colours(1), { ...size, ...bad }), {
      code: 'BAD_OPTION',
    });
});

test('odd sizes are padded by one pixel that repeats the edge', limit, async (t) => {
  const path = join(await scratch(t), 'odd.mp4');
  await writeVideo(path, colours(5, 63, 47), { ...size, width: 63, height: 47, crf: 4 });
  const video = await openVideo(path);
  assert.deepEqual([video.width, video.height], [64, 48]);
  const [frame] = await collect(video.frames(0, 1));
  const corner = [...frame!.data.subarray(-3)];
  assert.ok(
    corner.every((v, c) => Math.abs(v - colourOf(0)[c]!) <= 2),
    `${corner}`,
  );
  const tiny = padToEven({ width: 1, height: 1, channels: 3, data: Uint8Array.of(1, 2, 3) });
  assert.deepEqual([...tiny], [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]);
});

test('the shape of pixels and a rate of fractions are kept', limit, async (t) => {
  const path = join(await scratch(t), 'a.mp4');
  const fps = { num: 30000, den: 1001 };
  await writeVideo(path, colours(40), { ...size, fps, pixelAspect: { num: 16, den: 15 } });
  const video = await openVideo(path);
  assert.deepEqual([video.fps, video.pixelAspect, video.frameCount], [fps, { num: 16, den: 15 }, 40]);
});

test('sound is copied where it fits, else encoded once, and ends with the pictures', limit, async (t) => {
  const folder = await scratch(t);
  const aac = await make(join(folder, 'a.m4a'), ...tone(), '-c:a', 'aac');
  const short = await make(join(folder, 'short.wav'), ...tone({ seconds: 0.5 }));
  const mp3 = await make(join(folder, 'a.mp3'), ...tone(), '-c:a', 'libmp3lame');
  const both = await make(
    join(folder, 'both.mp4'),
    ...moving({ size: '320x240' }),
    ...tone(),
    ...x264,
    '-c:a',
    'aac',
  );
  const cases: [name: string, sound: { path: string; start?: number; duration?: number }, copied: boolean][] =
    [
      ['a.mp4', { path: aac }, true],
      ['b.mov', { path: aac }, true],
      ['c.mkv', { path: aac }, true],
      ['d.mp4', { path: short }, false],
      ['e.mp4', { path: mp3 }, false],
      ['f.mp4', { path: both }, true],
      ['g.mp4', { path: aac, start: 0.5 }, false],
      ['h.mp4', { path: aac, duration: 0.25 }, false],
      ['i.mp4', { path: aac, start: 5 }, false],
    ];
  for (const [name, sound, copied] of cases) {
    const path = join(folder, name);
    await writeVideo(path, colours(25), { ...size, sound });
    const found = await probe(path);
    assert.deepEqual(
      [found.video?.width, found.video?.height],
      [64, 48],
      'never the pictures of the sound file',
    );
    const heard = await readWholeSound(path);
    assert.ok(Math.abs(heard.length / 16000 - 1) < 0.045, `${name}: ${heard.length / 16000} s`);
    const bytes = await packetBytes(path);
    assert.equal(
      (await packetBytes(sound.path)).subarray(0, 2000).equals(bytes.subarray(0, 2000)),
      copied,
      `${name}: copied`,
    );
    const loud = heard.filter((v) => Math.abs(v) > 0.02).length / 16000;
    const expected = name === 'd.mp4' ? 0.5 : name === 'h.mp4' ? 0.25 : name === 'i.mp4' ? 0 : 1;
    assert.ok(Math.abs(loud - expected) < 0.12, `${name}: ${loud} s of tone`);
  }
  const mute = await make(join(folder, 'mute.mp4'), ...moving(), ...x264);
  await assert.rejects(writeVideo(join(folder, 'x.mp4'), colours(5), { ...size, sound: { path: mute } }), {
    code: 'NO_SOUND',
  });
  assert.equal(
    (await readdir(folder)).some((n) => n.startsWith('.') || n === 'x.mp4'),
    false,
  );
});

/** The encoded bytes of the sound stream. */
async function packetBytes(path: string): Promise<Buffer> {
  const { sound } = await probe(path);
  const out = `${path}.packets`;
  await make(out, '-i', path, '-map', `0:${sound!.index}`, '-c', 'copy', '-f', 'data');
  const bytes = await readFile(out);
  await rm(out);
  return bytes;
}

test('the tone stands where it stood, to a few milliseconds, copied or encoded', limit, async (t) => {
  const folder = await scratch(t);
  const beep = ['-f', 'lavfi', '-i', 'aevalsrc=if(gte(t\\,0.5)\\,0.5*sin(2*PI*440*t)\\,0):s=48000:d=2'];
  const onset = (s: Float32Array) => s.findIndex((v) => Math.abs(v) > 0.05) / 16000;
  for (const [source, ...codec] of [
    ['a.m4a', '-c:a', 'aac'],
    ['a.wav'],
    ['a.mp3', '-c:a', 'libmp3lame'],
    ['a.mkv', '-c:a', 'aac'],
  ] as const) {
    const path = await make(join(folder, source), ...beep, ...codec);
    const before = onset(await readWholeSound(path));
    for (const name of ['out.mp4', 'out.mkv']) {
      await writeVideo(join(folder, name), colours(50), { ...size, sound: { path }, overwrite: true });
      const after = onset(await readWholeSound(join(folder, name)));
      assert.ok(Math.abs(after - before) < 0.004, `${source} in ${name}: ${before} became ${after}`);
    }
  }
});

test('many channels and samples that are no numbers do not stop the writing', limit, async (t) => {
  const folder = await scratch(t);
  const many = join(folder, '16.wav');
  await writeFile(many, wav(Buffer.from(new Int16Array(16 * 16000).fill(4000).buffer), { channels: 16 }));
  const broken = join(folder, 'nan.wav');
  const values = new Float32Array(16000).fill(0.1);
  values.fill(Number.NaN, 4000, 4100);
  await writeFile(broken, wav(Buffer.from(values.buffer), { format: 3, bits: 32 }));
  for (const [i, path] of [many, broken].entries())
    await writeVideo(join(folder, `${i}.mp4`), colours(10), { ...size, sound: { path } });
});

test('segments join to the very frames that they hold, whatever their lengths', limit, async (t) => {
  const folder = await scratch(t);
  const all = await collect(
    (await openVideo(await make(join(folder, 'in.mp4'), ...moving({ seconds: 4 }), ...x264))).frames(),
  );
  const options = { ...size, preset: 'medium', fps: { num: 30000, den: 1001 } };
  const segments = [];
  let at = 0;
  for (const [i, length] of [30, 1, 2, 3, 30, 17, 17].entries()) {
    segments.push(
      await writeSegment(join(folder, `part it's ${i}.mp4`), each(all.slice(at, at + length)), options),
    );
    at += length;
  }
  const parts: Buffer[] = [];
  for (const { path } of segments)
    for (const f of await collect((await openVideo(path)).frames())) parts.push(Buffer.from(f.data));
  const sound = await make(join(folder, 'a.m4a'), ...tone({ seconds: 5 }), '-c:a', 'aac');
  for (const name of ['joined.mp4', 'joined.mkv', 'joined.mov']) {
    const output = join(folder, name);
    const written = await joinSegments(output, segments, { fps: options.fps, sound: { path: sound } });
    assert.equal(written.frameCount, 100);
    const joined = await openVideo(output);
    assert.deepEqual([joined.frameCount, joined.fps], [100, options.fps]);
    const frames = await collect(joined.frames());
    for (const [i, frame] of frames.entries()) assert.ok(parts[i]!.equals(frame.data), `${name}: frame ${i}`);
  }
});

test(
  'the same frames give the same bytes, so a run that was cut off ends as an undisturbed one',
  limit,
  async (t) => {
    const folder = await scratch(t);
    const all = await collect(
      (
        await openVideo(
          await make(join(folder, 'in.mp4'), ...moving({ size: '192x144', seconds: 2 }), ...x264),
        )
      ).frames(),
    );
    const options = { ...size, width: 192, height: 144, preset: 'medium' };
    async function run(name: string): Promise<Buffer> {
      await mkdir(join(folder, name));
      const segments = [];
      for (const [i, start] of [0, 20, 40].entries())
        segments.push(
          await writeSegment(join(folder, name, `${i}.mp4`), each(all.slice(start, start + 20)), options),
        );
      await joinSegments(join(folder, `${name}.mp4`), segments, options);
      return readFile(join(folder, `${name}.mp4`));
    }
    const [first, second] = [await run('first'), await run('second')];
    assert.ok(first.equals(second));
  },
);

async function* each(frames: readonly Image[]): AsyncGenerator<Image> {
  yield* frames;
}

test('an error or an abort half way leaves nothing', limit, async (t) => {
  const folder = await scratch(t);
  const output = join(folder, 'a.mp4');
  const reason = new Error('the networks gave up');
  const failing = (async function* () {
    yield* colours(5);
    throw reason;
  })();
  await assert.rejects(writeVideo(output, failing, size), reason);

  const control = new AbortController();
  const endless = (async function* () {
    for (let i = 0; ; i++) {
      yield* colours(1);
      if (i === 20) control.abort();
    }
  })();
  await assert.rejects(writeVideo(output, endless, { ...size, signal: control.signal }), {
    name: 'AbortError',
  });
  await assert.rejects(writeVideo(output, colours(0), size), { code: 'CANNOT_WRITE', message: /no frame/ });
  await assert.rejects(writeVideo(output, colours(3, 32, 32), size), /frame 0 is 32×32×3/);
  assert.deepEqual(await readdir(folder), []);
  assert.deepEqual(children(), []);
});

test('places that cannot be written to are named', limit, async (t) => {
  const folder = await scratch(t);
  const there = join(folder, 'there.mp4');
  await writeFile(there, 'precious');
  await assert.rejects(writeVideo(there, colours(2), size), {
    code: 'CANNOT_WRITE',
    message: /exists already/,
  });
  assert.equal(await readFile(there, 'utf8'), 'precious');
  await writeVideo(there, colours(2), { ...size, overwrite: true });
  assert.equal((await openVideo(there)).frameCount, 2);
  await assert.rejects(writeVideo(join(folder, 'no', 'a.mp4'), colours(2), size), {
    code: 'CANNOT_WRITE',
    message: /folder does not exist/,
  });
  await mkdir(join(folder, 'b.mp4'));
  await assert.rejects(writeVideo(join(folder, 'b.mp4'), colours(2), { ...size, overwrite: true }), {
    message: /is a folder/,
  });
  if (process.getuid?.() === 0) return t.diagnostic('no check of permissions: root may write anywhere');
  await mkdir(join(folder, 'locked'));
  await chmod(join(folder, 'locked'), 0o500);
  await assert.rejects(writeVideo(join(folder, 'locked', 'a.mp4'), colours(2), size), {
    code: 'CANNOT_WRITE',
    message: /permission/,
  });
});

test('a full disk and a read-only one are named, and nothing is left', limit, async (t) => {
  const folder = await scratch(t);
  const disk = join(folder, 'disk');
  await mkdir(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', disk], { stdio: 'ignore' });
  } catch {
    return t.skip('needs the right to mount a small disk');
  }
  try {
    const noisy = await openVideo(
      await make(
        join(folder, 'noise.mp4'),
        '-f',
        'lavfi',
        '-i',
        'nullsrc=s=320x240:r=25:d=2,geq=random(1)*255:128:128',
        ...x264,
      ),
    );
    const options = { ...size, width: 320, height: 240 };
    const full = { code: 'CANNOT_WRITE', message: /the disk is full/ };
    await assert.rejects(writeVideo(join(disk, 'a.mp4'), noisy.frames(), options), full);
    assert.deepEqual(await readdir(disk), []);
    const parts = [await writeSegment(join(folder, 'part.mp4'), noisy.frames(), options)];
    await assert.rejects(joinSegments(join(disk, 'a.mp4'), parts, options), full);
    assert.deepEqual(await readdir(disk), []);
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    await assert.rejects(writeVideo(join(disk, 'a.mp4'), noisy.frames(), options), {
      code: 'CANNOT_WRITE',
      message: /read-only/,
    });
  } finally {
    execFileSync('umount', ['-l', disk]);
  }
});
