import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { children, collect, make, moving, scratch, tone, wav, x264 } from '../../test/media-fixtures.ts';
import { readNpy } from '../../test/npy.ts';
import { fixturePath } from '../../test/shared.ts';
import { readSound, readWholeSound } from './read-sound.ts';

const limit = { timeout: 60_000 };

/** Seconds at which a sound gets loud. */
function onset(samples: Float32Array): number {
  return samples.findIndex((v) => Math.abs(v) > 0.05) / 16000;
}

/** One second of silence, then a tone of one second. */
const late = ['-f', 'lavfi', '-i', 'aevalsrc=if(gte(t\\,1)\\,0.5*sin(2*PI*440*t)\\,0):s=48000:d=2'];

test('16 kHz mono of 16 bits comes as it is, counted exactly', limit, async (t) => {
  const values = Int16Array.from({ length: 12345 }, (_, i) => ((i * 7919) % 65536) - 32768);
  const path = join(await scratch(t), 'a.wav');
  await writeFile(path, wav(Buffer.from(values.buffer)));
  for (const sixteenBit of [false, true]) {
    const sound = await readSound(path, { sixteenBit });
    assert.equal(sound.sampleCount, 12345);
    assert.equal(sound.duration, 12345 / 16000);
    const samples = await readWholeSound(path, { sixteenBit });
    assert.deepEqual(
      samples,
      Float32Array.from(values, (v) => v / 32768),
    );
    const pieces = await collect(sound.samples(1000, 9000));
    assert.deepEqual(
      pieces.flatMap((p) => [...p]),
      [...samples.subarray(1000, 9000)],
    );
  }
});

// Recorded with ffmpeg 5.1 as MuseTalk 1.0 calls it, and with librosa 0.11 as 1.5 does (manifest beside the files).
test('44.1 kHz stereo agrees with the readers of MuseTalk 1.0 and 1.5', limit, async () => {
  const { cases } = JSON.parse(await readFile(fixturePath('media', 'manifest.json'), 'utf8'));
  const path = fixturePath('media', 'stereo_44k.wav');
  const s16 = readNpy(fixturePath('media', 'stereo_44k.s16_10.npy'));
  const rounded = await readWholeSound(path, { sixteenBit: true });
  expectClose({ data: rounded.map((v) => v * 32768) }, s16, cases[0].tolerance, '1.0');
  const f32 = readNpy(fixturePath('media', 'stereo_44k.f32_15.npy'));
  const plain = await readWholeSound(path);
  expectClose({ data: plain }, f32, cases[1].tolerance, '1.5');
});

for (const [name, codec] of [
  ['a.wav', []],
  ['a.flac', []],
  ['a.m4a', ['-c:a', 'aac']],
  ['a.mp3', ['-c:a', 'libmp3lame']],
  ['a.ogg', ['-c:a', 'libvorbis']],
  ['a.opus', ['-c:a', 'libopus']],
  ['a.mkv', ['-c:a', 'aac']],
  ['a.aac', ['-c:a', 'aac']],
  ['a.aiff', []],
  ['a.caf', []],
] as const) {
  test(`the sound of ${name} is in its place`, limit, async (t) => {
    const path = await make(join(await scratch(t), name), ...late, ...codec);
    const samples = await readWholeSound(path);
    // Raw AAC carries no word of its run-in of 1024 samples, and Matroska none that older muxers wrote.
    const runIn = name === 'a.aac' || name === 'a.mkv' ? 1024 / 48000 : 0;
    assert.ok(Math.abs(onset(samples) - 1 - runIn) < 0.004, `begins at ${onset(samples)}`);
    assert.ok(Math.abs(samples.length / 16000 - 2 - runIn) < 0.05, `lasts ${samples.length / 16000}`);
  });
}

test('sound that begins after the pictures is preceded by silence', limit, async (t) => {
  const shifted = ['-itsoffset', '0.5', ...tone({ seconds: 1 })];
  const path = await make(join(await scratch(t), 'a.mp4'), ...moving(), ...shifted, ...x264, '-c:a', 'aac');
  assert.ok(Math.abs(onset(await readWholeSound(path)) - 0.5) < 0.03);
  assert.ok(onset(await readWholeSound(path, { sixteenBit: true })) < 0.03);
});

test('without a sound stream, or without a sample, there is no sound', limit, async (t) => {
  const folder = await scratch(t);
  const mute = await make(join(folder, 'mute.mp4'), ...moving({ seconds: 0.2 }), ...x264);
  await assert.rejects(readSound(mute), { code: 'NO_SOUND', message: /without a sound stream/ });
  await writeFile(join(folder, 'none.wav'), wav(Buffer.alloc(0)));
  await assert.rejects(readSound(join(folder, 'none.wav')), { code: 'NO_SOUND' });
  await writeFile(join(folder, 'picture.png'), Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'));
  await assert.rejects(readSound(join(folder, 'picture.png')), (error: { code: string }) =>
    /NO_SOUND|BAD_FILE/.test(error.code),
  );
});

test('samples that are no numbers are silent, and said', limit, async (t) => {
  const values = new Float32Array(16000).fill(0.25);
  values.set([Number.NaN, Infinity, -Infinity], 5000);
  const path = join(await scratch(t), 'nan.wav');
  await writeFile(path, wav(Buffer.from(values.buffer), { format: 3, bits: 32 }));
  const sound = await readSound(path);
  assert.match(sound.warnings.join(), /3 samples/);
  const samples = await readWholeSound(path);
  assert.deepEqual([...samples.subarray(4999, 5004)], [0.25, 0, 0, 0, 0.25]);
});

test('any number of channels and any rate become one at 16 kHz', limit, async (t) => {
  const folder = await scratch(t);
  for (const [channels, rate] of [
    [1, 8000],
    [2, 96000],
    [6, 48000],
    [8, 44100],
    [16, 16000],
    [64, 16000],
  ] as const) {
    const path = join(folder, `${channels}.wav`);
    const data = Buffer.from(new Int16Array(rate * channels).fill(8192).buffer);
    await writeFile(path, wav(data, { channels, rate }));
    const samples = await readWholeSound(path);
    assert.ok(Math.abs(samples.length - 16000) < 20, `${channels}: ${samples.length} samples`);
    const level = samples[8000]!;
    assert.ok(level > 0.1 && level < 1.01, `${channels}: ${level}`);
  }
});

test('a header that promises days is refused, and so are days that no header promises', limit, async (t) => {
  const folder = await scratch(t);
  const long = await make(join(folder, 'long.flac'), '-f', 'lavfi', '-i', 'aevalsrc=0:s=8000:d=30');
  await assert.rejects(readSound(long, { limits: { duration: 29 } }), { code: 'TOO_LARGE' });
  const raw = await make(
    join(folder, 'long.aac'),
    '-f',
    'lavfi',
    '-i',
    'aevalsrc=0:s=8000:d=30',
    '-c:a',
    'aac',
  );
  await assert.rejects(readSound(raw, { limits: { duration: 10 } }), { code: 'TOO_LARGE' });
  await assert.rejects(readSound(long, { limits: { channels: 0 } }), { code: 'TOO_LARGE' });
  assert.deepEqual(children(), []);
});

test('a sound longer than what is kept is decoded again on each pass', limit, async (t) => {
  const path = await make(join(await scratch(t), 'long.flac'), ...tone({ rate: 16000, seconds: 310 }));
  const sound = await readSound(path);
  assert.equal(sound.sampleCount, 310 * 16000);
  let count = 0;
  for await (const piece of sound.samples(16000)) count += piece.length;
  assert.equal(count, 309 * 16000);
  assert.deepEqual(children(), []);
});

test('an abort ends reading', limit, async (t) => {
  const path = await make(join(await scratch(t), 'a.wav'), ...tone());
  await assert.rejects(readSound(path, { signal: AbortSignal.abort() }), { name: 'AbortError' });
});
