import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { make, scratch } from '../../test/media-fixtures.ts';
import type { Point } from '../core/box.ts';
import { image } from '../image/image.ts';
import { openVideo } from '../media/open-video.ts';
import { builtinFinder } from './builtin.ts';
import type { FaceChoice, FoundFace, FrameFace, NumberedImage } from './finder.ts';
import { loadFaceModels } from './models.ts';
import { mouthMovement } from './several.ts';
import type { FaceSight, SeenFace } from './shot.ts';
import { trackFace } from './track.ts';

/** In each frame where people stand, and how far their lips are apart. */
type Scene = Readonly<Record<string, readonly [x: number, gap: number]>>;

function faceAt(x: number, gap: number): FoundFace {
  const landmarks: Point[] = Array.from({ length: 68 }, () => ({ x, y: 60 }));
  for (const lower of [65, 66, 67]) landmarks[lower] = { x, y: 60 + gap };
  return { landmarks, box: { x1: x - 20, y1: 30, x2: x + 20, y2: 70 }, score: 1 };
}

/** Networks that see the people of scenes. */
function sightOf(scenes: readonly Scene[]) {
  const calls = { detect: 0 };
  const peopleIn = ({ data }: { data: Uint8Array }) => {
    const number = data[0]! + 256 * data[1]!;
    return Object.values(scenes[number]!).map(([x, gap]) => faceAt(x, gap));
  };
  const near = (picture: { data: Uint8Array }, { box }: SeenFace) =>
    peopleIn(picture).find((one) => Math.abs(one.box.x1 - box.x1) < 20);
  const sight: FaceSight<SeenFace, FoundFace> = {
    detect: async (picture) => {
      calls.detect++;
      return peopleIn(picture);
    },
    acquire: async (picture, face) => near(picture, face),
    follow: async (picture, last) => near(picture, last),
  };
  return { sight, calls };
}

async function* framesOf(count: number, lightOf: (index: number) => number): AsyncGenerator<NumberedImage> {
  for (let index = 0; index < count; index++) {
    const frame = image(300, 100, 3);
    frame.data.fill(lightOf(index));
    frame.data.set([index % 256, Math.floor(index / 256)]);
    yield { ...frame, index };
  }
}

async function track(scenes: readonly Scene[], choice: FaceChoice, lightOf = (_: number) => 100) {
  const { sight, calls } = sightOf(scenes);
  const told: FrameFace[] = [];
  for await (const one of trackFace(sight, framesOf(scenes.length, lightOf), { choice })) told.push(one);
  assert.deepEqual(
    told.map(({ index }) => index),
    scenes.map((_, i) => i),
    'every frame once, in order',
  );
  return { told, calls, places: told.map(({ face }) => face && face.box.x1 + 20) };
}

const talks = (i: number) => 3 + 3 * Math.sin(i);

test('who speaks is followed from the first frame of a shot, and chosen anew in the next', async () => {
  const scenes = Array.from(
    { length: 60 },
    (_, i): Scene =>
      i < 30 ? { ann: [60, 5], bob: [160, talks(i)] } : { cat: [80, talks(i)], dan: [200, 0.1 * talks(i)] },
  );
  const { places, told } = await track(scenes, 'speaking', (i) => (i < 30 ? 60 : 220));
  assert.deepEqual(places, [...Array(30).fill(160), ...Array(30).fill(80)]);
  assert.deepEqual(
    told.filter(({ cut }) => cut).map(({ index }) => index),
    [0, 30],
  );
});

test('after ten seconds the choice stands, and one face alone is not waited for', async () => {
  const scenes = Array.from(
    { length: 400 },
    (_, i): Scene => ({
      ann: [60, i < 250 ? talks(i) : 5],
      bob: [160, i < 250 ? 5 : talks(i)],
    }),
  );
  assert.deepEqual([...new Set((await track(scenes, 'speaking')).places)], [60]);
  const { sight } = sightOf(Array(400).fill({ ann: [60, 1] }));
  const read: number[] = [];
  const frames = async function* () {
    for await (const frame of framesOf(400, () => 100)) {
      read.push(frame.index);
      yield frame;
    }
  };
  for await (const { index } of trackFace(sight, frames(), { choice: 'speaking' }))
    assert.equal(read.length, index + 1);
});

test('a point of a later frame says who is meant from the first frame on', async () => {
  const scenes = Array.from({ length: 40 }, (_, i): Scene => ({ ann: [60 + 3 * i, 1], bob: [250 - i, 1] }));
  const { places } = await track(scenes, { x: 175, y: 50, frame: 38 });
  assert.deepEqual([places[0], places[38]], [60, 174]);
  const other = await track(scenes, { x: 215, y: 50, frame: 38 });
  assert.deepEqual([other.places[0], other.places[38]], [250, 212]);
});

test('a shot without faces at first, or at all, is told in full', async () => {
  const none = Array.from({ length: 12 }, (): Scene => ({}));
  assert.ok((await track(none, 'speaking')).places.every((place) => place === null));
  const late = [
    ...none,
    ...Array.from({ length: 20 }, (_, i): Scene => ({ ann: [60, 5], bob: [160, talks(i)] })),
  ];
  assert.deepEqual((await track(late, 'speaking')).places, [...Array(12).fill(null), ...Array(20).fill(160)]);
});

// A portrait that is moved about beside a person who says "bin red in z six now".
test('of two real faces the one that speaks is found, though the other is larger and moves as a whole', async (t) => {
  const root = await scratch(t);
  const fixtures = fileURLToPath(new URL('../../test/fixtures/', import.meta.url));
  const pan = "scale=-2:400,crop=288:288:x='40+30*sin(2*t)':y='20+20*sin(3*t)',noise=alls=4:allf=t";
  const path = await make(
    join(root, 'two.mp4'),
    ...['-loop', '1', '-r', '25', '-i', join(fixtures, 'astronaut.jpg')],
    ...['-i', join(fixtures, 'grid/briz6n.mp4'), '-t', '2'],
    ...['-filter_complex', `[0:v]${pan}[a];[a][1:v]hstack`, '-an', '-pix_fmt', 'yuv420p'],
  );
  const video = await openVideo(path);
  const finder = builtinFinder(await loadFaceModels());
  t.after(() => finder.close());
  const seen: Record<string, { x: number; movement: number }> = {};
  for (const choice of ['left', 'speaking'] as const) {
    const faces: (FoundFace | null)[] = [];
    for await (const { face } of finder.find(video.frames(), { choice })) faces.push(face);
    assert.equal(faces.length, 50);
    const { x1, x2 } = faces[0]!.box;
    seen[choice] = { x: (x1 + x2) / 2, movement: mouthMovement(faces) };
  }
  t.diagnostic(`mouth movement: ${JSON.stringify(seen)}`);
  assert.ok(seen.left!.x < 288 && seen.speaking!.x > 288);
  assert.ok(seen.speaking!.movement > 2 * seen.left!.movement);
});
