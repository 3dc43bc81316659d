import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soundOf } from '../../test/sound.ts';
import { seededUniform } from '../nn/seeded-weights.ts';
import { closedMouth, levels, type SilenceOptions, withoutShortRuns } from './silence.ts';

const RATE = 16_000;

/** [from, to] in seconds */
type Span = readonly [number, number];

interface Scene {
  readonly seconds: number;
  readonly voices: readonly Span[];
  /** dB relative to full scale */
  readonly voice?: number;
  readonly noise?: number | undefined;
  readonly seed?: number;
}

/** A buzz of 140 Hz with 5 syllables a second where there is a voice, white noise everywhere. */
function scene({ seconds, voices, voice = -20, noise, seed = 0 }: Scene): Float32Array<ArrayBuffer> {
  const loud = 10 ** (voice / 20) * Math.SQRT2;
  const hiss = noise === undefined ? 0 : 10 ** (noise / 20) * Math.sqrt(3);
  return Float32Array.from({ length: seconds * RATE }, (_, i) => {
    const time = i / RATE;
    const speaking = voices.some(([from, to]) => time >= from && time < to);
    const syllable = 0.55 + 0.45 * Math.cos(2 * Math.PI * 5 * time);
    const buzz = [1, 2, 3, 4].reduce((sum, k) => sum + Math.sin(2 * Math.PI * 140 * k * time) / k, 0);
    return (speaking ? loud * syllable * buzz : 0) + hiss * seededUniform(seed, i);
  });
}

async function weights(
  samples: Float32Array<ArrayBuffer>,
  { frames, piece = 4096, ...options }: Partial<SilenceOptions> & { frames?: number; piece?: number } = {},
): Promise<number[]> {
  const fps = 25;
  const count = frames ?? Math.round((samples.length / RATE) * fps);
  const found: number[] = [];
  for await (const weight of closedMouth(soundOf(samples, piece).samples(), { fps, ...options })) {
    found.push(weight);
    if (found.length === count) break;
  }
  return found;
}

/** Frames whose whole 40 ms lie in [from, to]. */
const framesIn = ([from, to]: Span) => {
  const first = Math.ceil(from * 25);
  return Array.from({ length: Math.floor(to * 25) - first }, (_, i) => first + i);
};

function expectWeight(weights: readonly number[], span: Span, expected: number): void {
  const frames = framesIn(span);
  assert.ok(frames.length > 0 && frames.at(-1)! < weights.length, `frames ${frames[0]} … ${frames.at(-1)}`);
  for (const frame of frames) assert.equal(weights[frame], expected, `frame ${frame}`);
}

const TWO_SENTENCES: readonly Span[] = [
  [1, 3],
  [4, 6],
];

/** Where the mouth must be shut: 0.2 s and more after one voice, 0.2 s and more before the next. */
const PAUSES: readonly Span[] = [
  [0, 0.8],
  [3.25, 3.8],
  [6.25, 7],
];

for (const noise of [undefined, -70, -55, -45, -38]) {
  test(`pauses between sentences are found over noise of ${noise ?? 'no'} dB`, async () => {
    const found = await weights(scene({ seconds: 7, voices: TWO_SENTENCES, noise }));
    for (const voice of TWO_SENTENCES) expectWeight(found, voice, 0);
    for (const pause of PAUSES) expectWeight(found, pause, 1);
  });
}

test('a quiet recording is judged as a loud one', async () => {
  const found = await weights(scene({ seconds: 7, voices: TWO_SENTENCES, voice: -42, noise: -75 }));
  expectWeight(found, [1.1, 2.9], 0);
  expectWeight(found, [3.3, 3.8], 1);
});

test('digital silence and noise alone are silence from the first frame to the last', async () => {
  for (const noise of [undefined, -60, -40, -30]) {
    const found = await weights(scene({ seconds: 3, voices: [], noise }));
    assert.deepEqual(found, new Array(75).fill(1), `noise ${noise}`);
  }
});

test('hum and a constant offset are no voice', async () => {
  const hum = Float32Array.from(
    { length: 3 * RATE },
    (_, i) => 0.1 + 0.01 * Math.sin((2 * Math.PI * 50 * i) / RATE),
  );
  const found = await weights(hum);
  expectWeight(found, [0.12, 3], 1);
});

test('a sound that is all voice never closes the mouth', async () => {
  const found = await weights(scene({ seconds: 8, voices: [[0, 8]], noise: -60 }));
  expectWeight(found, [0, 8], 0);
});

test('noise that rises between sentences is learned', async () => {
  const samples = scene({
    seconds: 20,
    voices: [
      [1, 3],
      [17, 19],
    ],
    noise: -70,
  });
  const louder = scene({ seconds: 20, voices: [], noise: -42, seed: 7 });
  for (let i = 5 * RATE; i < samples.length; i++) samples[i]! += louder[i]!;
  const found = await weights(samples);
  expectWeight(found, [12, 16.8], 1);
  expectWeight(found, [17.1, 18.9], 0);
});

test('a gap within speech shorter than 0.2 s keeps the mouth open, a longer one closes it', async () => {
  const gap = async (seconds: number) => {
    const samples = scene({
      seconds: 5,
      voices: [
        [0.5, 2],
        [2 + seconds, 4.5],
      ],
      noise: -60,
    });
    return Math.max(...(await weights(samples)).slice(25, 100));
  };
  assert.equal(await gap(0.12), 0);
  assert.ok((await gap(0.3)) > 0.1);
  assert.equal(await gap(0.6), 1);
});

test('a click in a pause does not open the mouth', async () => {
  const samples = scene({
    seconds: 6,
    voices: [
      [0.5, 2],
      [4, 5.5],
    ],
    noise: -60,
  });
  for (let i = 0; i < 80; i++) samples[3 * RATE + i] = 0.5 * (-1) ** i;
  const found = await weights(samples);
  expectWeight(found, [2.3, 3.75], 1);
});

test('the mouth closes over a few frames and is open before the voice is heard', async () => {
  const found = await weights(
    scene({
      seconds: 6,
      voices: [
        [1, 2],
        [4, 5],
      ],
      noise: -60,
    }),
  );
  const closing = framesIn([1.96, 2.4]).map((frame) => found[frame]!);
  const opening = framesIn([3.6, 4.04]).map((frame) => found[frame]!);
  for (const [i, weight] of closing.entries()) assert.ok(i === 0 || weight >= closing[i - 1]!);
  for (const [i, weight] of opening.entries()) assert.ok(i === 0 || weight <= opening[i - 1]!);
  for (const ramp of [closing, opening]) {
    const between = ramp.filter((weight) => weight > 0 && weight < 1).length;
    assert.ok(between >= 2 && between <= 4, `${ramp}`);
  }
  // The voice begins with frame 100; frame 99 lasts until then.
  assert.equal(found[99], 0);
});

test('past the end of the sound the mouth closes and stays closed', async () => {
  const found = await weights(scene({ seconds: 2, voices: [[0.5, 2]], noise: -60 }), { frames: 100 });
  assert.equal(found[49], 0);
  expectWeight(found, [2.24, 4], 1);
  assert.deepEqual(await weights(new Float32Array(0), { frames: 3 }), [1, 1, 1]);
});

test('the pieces in which the sound arrives do not matter', async () => {
  const samples = scene({ seconds: 6, voices: TWO_SENTENCES, noise: -50 });
  const expected = await weights(samples);
  for (const piece of [1, 159, 160, 5000, samples.length]) {
    assert.deepEqual(await weights(samples, { piece }), expected, `pieces of ${piece}`);
  }
});

test('frames of other rates are judged at the same times', async () => {
  const samples = scene({ seconds: 7, voices: TWO_SENTENCES, noise: -60 });
  const at25 = await weights(samples);
  const at50 = await weights(samples, { fps: 50, frames: 350 });
  const ntsc = await weights(samples, { fps: { num: 30000, den: 1001 }, frames: 210 });
  for (const [frame, weight] of at25.entries()) {
    const near = at50.slice(2 * frame, 2 * frame + 2);
    assert.ok(weight >= Math.min(...near) && weight <= Math.max(...near), `frame ${frame}`);
  }
  assert.equal(ntsc[Math.floor(3.5 * 29.97)], 1);
  assert.equal(ntsc[Math.floor(5 * 29.97)], 0);
});

test('a live sound is answered half a second late', async () => {
  const samples = scene({ seconds: 10, voices: TWO_SENTENCES, noise: -60 });
  let heard = 0;
  async function* live() {
    for (let i = 0; i < samples.length; i += 160) {
      heard = (i + 160) / RATE;
      yield samples.subarray(i, i + 160);
    }
  }
  let frame = 0;
  for await (const _ of closedMouth(live(), { fps: 25, firstLook: 0.5 })) {
    frame++;
    if (frame > 20 && frame < 230) assert.ok(heard - frame / 25 < 0.55, `${heard} s heard at frame ${frame}`);
    if (frame === 240) break;
  }
});

test('leaving the loop ends the reading of the sound', async () => {
  let ended = false;
  async function* endless() {
    try {
      for (;;) yield new Float32Array(1600);
    } finally {
      ended = true;
    }
  }
  for await (const _ of closedMouth(endless(), { fps: 25 })) break;
  assert.ok(ended);
});

test('levels are dB of the power about each 10 ms, incomplete ones included', async () => {
  const tone = Float32Array.from({ length: 4050 }, (_, i) => 0.1 * Math.sin((2 * Math.PI * 1000 * i) / RATE));
  const found: number[] = [];
  for await (const level of levels(soundOf(tone).samples())) found.push(level);
  assert.equal(found.length, 26);
  for (const level of found.slice(3)) assert.ok(Math.abs(level + 23) < 0.1, `${level}`);
});

test('short runs are turned over, but not at the ends', async () => {
  const run = async (text: string) => {
    async function* flags() {
      for (const letter of text) yield letter === 'x';
    }
    let result = '';
    for await (const flag of withoutShortRuns(flags(), { of: true, below: 3 })) result += flag ? 'x' : '.';
    return result;
  };
  for (const [text, expected] of [
    ['..xx..', '......'],
    ['..xxx..', '..xxx..'],
    ['..xxxxx.x.', '..xxxxx...'],
    ['xx..x', 'xx..x'],
    ['x', 'x'],
    ['', ''],
  ] as const) {
    assert.equal(await run(text), expected, text);
  }
});
