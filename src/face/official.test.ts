import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Box } from '../core/box.ts';
import { image } from '../image/image.ts';
import { frameRegion, type Region } from '../networks/rtmpose-decode.ts';
import type { FrameFace, NumberedImage } from './finder.ts';
import { headRegion, officialFinder } from './official.ts';
import type { OfficialFaceModels } from './official-models.ts';

/** A detector that sees the given faces in a picture 1000 wide, and landmarks that note the region they saw. */
function models(faces: readonly (Box & { score: number })[], score = 1) {
  const regions: Region[] = [];
  const sizes: string[] = [];
  const fake: OfficialFaceModels = {
    detect: async ({ width, height }) => {
      sizes.push(`${width}×${height}`);
      const s = width / 1000;
      return faces.map((f) => ({ x1: f.x1 * s, y1: f.y1 * s, x2: f.x2 * s, y2: f.y2 * s, score: f.score }));
    },
    landmarks: async (_, region) => {
      regions.push(region);
      // Where the large face is: columns and rows of points over it.
      return Array.from({ length: 68 }, (_, i) => ({ x: 20 + (i % 9) * 30, y: 180 + (i % 7) * 40, score }));
    },
    close: async () => {},
  };
  return { fake, regions, sizes };
}

const SMALL_BUT_SURE = { x1: 700, y1: 100.7, x2: 760, y2: 180.2, score: 0.99 };
const LARGE = { x1: -4.5, y1: 100, x2: 300, y2: 420, score: 0.9 };

async function* frames(count: number): AsyncGenerator<NumberedImage> {
  for (let index = 0; index < count; index++) yield { ...image(1000, 600, 3), index };
}

async function find(
  { fake }: ReturnType<typeof models>,
  compat: 'right' | 'upstream',
  count = 3,
): Promise<FrameFace[]> {
  const found: FrameFace[] = [];
  for await (const frame of officialFinder(fake, { compat }).find(frames(count))) found.push(frame);
  return found;
}

test('upstream: the best score wins, its box in whole pixels from 0 on, the landmarks from the whole picture', async () => {
  const seen = models([SMALL_BUT_SURE, LARGE]);
  const found = await find(seen, 'upstream');
  assert.deepEqual(seen.sizes, Array(3).fill('1000×600'));
  assert.deepEqual(seen.regions, Array(3).fill(frameRegion(1000, 600)));
  assert.deepEqual(found[1]!.face!.box, { x1: 700, y1: 100, x2: 760, y2: 180 });
  assert.equal(found[1]!.faces, 2);
  const negative = await find(models([LARGE]), 'upstream', 1);
  assert.equal(negative[0]!.face!.box.x1, 0);
});

test('upstream: no face, no landmarks', async () => {
  const seen = models([]);
  const found = await find(seen, 'upstream');
  assert.deepEqual(
    found.map(({ face }) => face),
    [null, null, null],
  );
  assert.equal(seen.regions.length, 0);
});

test('right: the larger face, detected once in a smaller picture, the landmarks from head and shoulders', async () => {
  const seen = models([SMALL_BUT_SURE, LARGE]);
  const found = await find(seen, 'right', 10);
  assert.deepEqual(seen.sizes, ['640×384']);
  assert.equal(seen.regions.length, 10);
  assert.ok(found.every(({ face }) => face!.box.x1 < 300));
});

test('right: landmarks that are not seen are no face', async () => {
  const found = await find(models([LARGE], 0.1), 'right');
  assert.ok(found.every(({ face }) => face === null));
});

test('the region round a small face is thrice as high as the face; round a large one it is the picture', () => {
  const region = headRegion({ x1: 400, y1: 200, x2: 460, y2: 280 }, { width: 1280, height: 720 });
  assert.ok(Math.abs(region.height - 3 * 80) < 0.01);
  assert.equal(region.centre.x, 430);
  const whole = headRegion({ x1: 200, y1: 0, x2: 920, y2: 720 }, { width: 1280, height: 720 });
  assert.deepEqual(whole, frameRegion(1280, 720));
});
