import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Box } from '../core/box.ts';
import { image } from '../image/image.ts';
import type { FindOptions, FoundFace, FrameFace, NumberedImage } from './finder.ts';
import type { FaceSight, SeenFace } from './shot.ts';
import { trackFace } from './track.ts';

/** A frame of a made-up video: its background's brightness, and who stands where (the middle of a face). */
interface Scene {
  readonly light?: number;
  readonly people: Readonly<Record<string, number>>;
}

const SIZE = 40;

/** Networks that see the people of a scene. Landmarks slip onto whoever is within half a face. */
function sightOf(scenes: readonly Scene[]) {
  const calls = { detect: 0, thorough: 0 };
  const boxAt = (x: number): Box => ({ x1: x - SIZE / 2, y1: 30, x2: x + SIZE / 2, y2: 30 + SIZE });
  const peopleIn = (picture: { data: Uint8Array }) => Object.values(scenes[picture.data[0]!]!.people);
  const found = (x: number): FoundFace => ({ landmarks: [], box: boxAt(x), score: 1 });
  const near = (picture: { data: Uint8Array }, { box }: SeenFace) => {
    const x = (box.x1 + box.x2) / 2;
    const seen = peopleIn(picture).find((other) => Math.abs(other - x) < SIZE / 2);
    return seen === undefined ? undefined : found(seen);
  };
  const sight: FaceSight<SeenFace, FoundFace> = {
    detect: async (picture, thorough) => {
      calls.detect++;
      if (thorough) calls.thorough++;
      return peopleIn(picture).map((x) => ({ box: boxAt(x), score: 0.9 }));
    },
    acquire: async (picture, face) => near(picture, face),
    follow: async (picture, last) => near(picture, last),
  };
  return { sight, calls };
}

async function* framesOf(scenes: readonly Scene[]): AsyncGenerator<NumberedImage> {
  for (const [index, { light = 100 }] of scenes.entries()) {
    const frame = image(300, 100, 3);
    frame.data.fill(light);
    frame.data[0] = index; // how the networks above know which frame they see
    yield { ...frame, index };
  }
}

async function track(scenes: readonly Scene[], options?: FindOptions) {
  const { sight, calls } = sightOf(scenes);
  const frames: FrameFace[] = [];
  for await (const frame of trackFace(sight, framesOf(scenes), options)) frames.push(frame);
  const places = frames.map(({ face }) => face && (face.box.x1 + face.box.x2) / 2);
  return { frames, places, calls };
}

const still = (count: number, people: Scene['people'], light?: number): Scene[] =>
  Array(count).fill({ people, ...(light !== undefined && { light }) });

test('the face is detected once and then on schedule', async () => {
  const { frames, calls } = await track(still(60, { ann: 50 }), { detectEvery: 25 });
  assert.ok(frames.every(({ face }) => face));
  assert.deepEqual(calls, { detect: 3, thorough: 1 });
  assert.deepEqual(
    frames.filter(({ cut }) => cut).map(({ index }) => index),
    [0],
  );
});

test('the choice is made among the faces of the first frame', async () => {
  const scenes = still(2, { ann: 150, bob: 50, cat: 250 });
  const first = async (choice: NonNullable<FindOptions['choice']>) =>
    (await track(scenes, { choice })).places[0];
  assert.equal(await first('left'), 50);
  assert.equal(await first('right'), 250);
  assert.equal(await first(2), 250);
  assert.equal(await first({ x: 140, y: 10 }), 150);
  assert.equal(await first(3), null);
});

test('a face that moves is followed past another one', async () => {
  const scenes = Array.from({ length: 30 }, (_, i) => ({ people: { ann: 50 + 2 * i, bob: 200 } }));
  const { places } = await track(scenes, { choice: 'left', detectEvery: 5 });
  assert.deepEqual(
    places,
    scenes.map(({ people }) => people.ann),
  );
});

test('when the face leaves, nobody else is taken for it, however long it is away; when it returns, it is', async () => {
  const scenes = [
    ...still(5, { ann: 60, bob: 140 }),
    ...still(60, { bob: 140 }),
    ...still(5, { ann: 60, bob: 140 }),
  ];
  const { places, frames } = await track(scenes, { choice: 'left' });
  assert.deepEqual(places.slice(0, 5), Array(5).fill(60));
  assert.deepEqual(places.slice(5, 65), Array(60).fill(null));
  assert.deepEqual(places.slice(65), Array(5).fill(60));
  assert.equal(frames.filter(({ cut }) => cut).length, 1);
});

test('at a cut the choice is made anew', async () => {
  const scenes = [...still(10, { ann: 60, bob: 140 }, 60), ...still(10, { cat: 250 }, 200)];
  const { places, frames } = await track(scenes, { choice: 'left' });
  assert.deepEqual(places.slice(9, 11), [60, 250]);
  assert.deepEqual(
    frames.filter(({ cut }) => cut).map(({ index }) => index),
    [0, 10],
  );
});

test('a flash of light on a face that keeps its place is no cut', async () => {
  const scenes = [
    ...still(10, { ann: 60 }, 60),
    ...still(1, { ann: 60 }, 250),
    ...still(10, { ann: 60 }, 60),
  ];
  const { frames } = await track(scenes);
  assert.equal(frames.filter(({ cut }) => cut).length, 1);
});

test('without a face every frame is passed on, and parts of the picture are searched in every tenth', async () => {
  const { frames, calls } = await track(still(20, {}));
  assert.equal(frames.length, 20);
  assert.ok(frames.every(({ face, faces }) => face === null && faces === 0));
  assert.deepEqual(calls, { detect: 20, thorough: 2 });
});

test('an abort ends the search with the reason of the signal', async () => {
  const { sight } = sightOf(still(5, { ann: 60 }));
  const abort = new AbortController();
  const found = trackFace(sight, framesOf(still(5, { ann: 60 })), {}, abort.signal);
  await found.next();
  abort.abort(new Error('enough'));
  await assert.rejects(found.next(), { message: 'enough' });
});
