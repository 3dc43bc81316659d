import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { noise } from '../../test/noise.ts';
import { plainModel } from '../../test/plain-model.ts';
import type { Point } from '../core/box.ts';
import type { LipModel, Place } from '../lips/lip-model.ts';
import type { Frame, VideoSource } from '../media/source.ts';
import { openAvatar, prepareAvatar } from './prepare.ts';
import { speak } from './speak.ts';

const root = await mkdtemp(join(tmpdir(), 'places-'));
after(() => rm(root, { recursive: true }));

const COORDS = [{ x1: 2, y1: 1, x2: 26, y2: 21 }, null, { x1: 3, y1: 2, x2: 27, y2: 22 }];

/** Three frames of noise, and how often each was decoded. */
function video() {
  const decoded = [0, 0, 0];
  async function* frames(start = 0, end = 3): AsyncGenerator<Frame> {
    for (let index = start; index < end; index++) {
      decoded[index]!++;
      yield { ...noise(32, 24, 3, index), channels: 3, index, time: index / 25 };
    }
  }
  const source = { width: 32, height: 24, fps: { num: 25, den: 1 }, frameCount: 3, frames };
  return { source: source as unknown as VideoSource, decoded };
}

/** A model that keeps only places, and remembers those that it was asked to mask. */
function placing(): LipModel & { readonly masked: Place[] } {
  const model = plainModel();
  const masked: Place[] = [];
  return {
    ...model,
    masked,
    keeps: 'place',
    async layout() {
      return {
        coords: COORDS,
        landmarks: pointsIn,
        openings: Float32Array.of(0.1, Number.NaN, 0.2),
        reference: undefined,
        warnings: [],
      };
    },
    async mask(frame, place, options) {
      masked.push(place);
      return model.mask(frame, place, options);
    },
  };
}

function pointsIn(frame: number): Point[] {
  return Array.from({ length: 68 }, (_, i) => ({ x: frame + i / 3, y: i / 7 }));
}

const nobody = { kind: 'builtin', close: async () => {} } as const;
const finder = {
  ...nobody,
  async *find() {},
};

test('where only places are kept, faces are those that would have been kept, and no frame is read before', async () => {
  const model = placing();
  const { source, decoded } = video();
  const kept = await prepareAvatar({ ...model, keeps: 'latents' }, video().source, {
    ...{ folder: join(root, 'kept'), faces: { finder } },
  });
  model.masked.length = 0;
  const avatar = await prepareAvatar(model, source, { folder: join(root, 'placed'), faces: { finder } });
  assert.deepEqual([avatar.frameCount, avatar.faceCount, decoded], [3, 2, [0, 0, 0]]);
  assert.deepEqual([avatar.opening(0), avatar.opening(2)], [kept.opening(0), kept.opening(2)]);

  const frame = await frameOf(source, 2);
  decoded.fill(0);
  assert.deepEqual(await avatar.face(2, frame), await kept.face(2));
  assert.equal(await avatar.face(1, frame), null);
  assert.deepEqual(decoded, [0, 0, 0]);
  assert.deepEqual(await avatar.face(0), await kept.face(0), 'read again where the frame is not at hand');
  assert.deepEqual(decoded, [1, 0, 0]);
  // Not rounded on the way through the file.
  assert.deepEqual(
    model.masked.map(({ landmarks }) => landmarks),
    [pointsIn(2), pointsIn(0)],
  );
  await avatar.close();
  await kept.close();
});

test('a mouth that will be lent is taken as its frame passes by; later it is not read again', async () => {
  const model = placing();
  const { source, decoded } = video();
  await (await prepareAvatar(model, source, { folder: join(root, 'lent'), faces: { finder } })).close();
  const avatar = await openAvatar(model, source, join(root, 'lent'));
  const condition = { dtype: 'float32', shape: [1], data: Float32Array.of(1) } as const;
  async function* steps() {
    for (const [index, source, rest, donor] of [
      [0, 0, 0, -1],
      [1, 2, 1, 0],
      [2, 2, 1, -1],
    ] as const)
      yield { index, frame: await frameOf(video().source, source), condition, rest, donor };
  }
  const drawn: boolean[] = [];
  const options = { lenders: new Set([0, -1]), batchSize: 1 };
  for await (const spoken of speak(model, avatar, steps(), options)) drawn.push(spoken.drawn);
  assert.deepEqual(
    [drawn, decoded],
    [
      [true, true, false],
      [0, 0, 0],
    ],
  );
  await avatar.close();
});

async function frameOf(source: VideoSource, index: number): Promise<Frame> {
  for await (const frame of source.frames(index, index + 1)) return frame;
  throw new RangeError(`${index}`);
}
