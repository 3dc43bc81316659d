// FaceMesh and BlazeFace on two photographs (see test/golden/faces/README.md). Places were read off the picture,
// enlarged four times, by eye; the shape is compared with MediaPipe's canonical face.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { readFloats } from '../../test/npy.ts';
import { readPng } from '../../test/png.ts';
import { fixturePath } from '../../test/shared.ts';
import type { Point } from '../core/box.ts';
import { type Image, image } from '../image/image.ts';
import { paste } from '../image/paste.ts';
import { builtinFinder } from './builtin.ts';
import { detectFaces } from './detect.ts';
import type { FindOptions, FrameFace, NumberedImage } from './finder.ts';
import { placeInPack } from './mediapipe-files.ts';
import { landmarksOf } from './mesh.ts';
import { loadFaceModels } from './models.ts';
import { fitSimilarity, scaleOf } from './similarity.ts';
import { steadyShot } from './steady-box.ts';

const models = await loadFaceModels();
const finder = builtinFinder(models);
after(() => finder.close());

const picture = await readPng(fixturePath('faces', 'two-faces.jpg'));
const canonical = readFloats(fixturePath('faces', 'facemesh_xy.npy')).data;

/** Pupils, corners of the mouth and the chin, in the order of the picture. */
const COLLINS = { left: [98, 96], right: [142.5, 98], mouth: [97.5, 135, 141.3, 136.5], chin: [116.5, 173] };
const HOPPER = {
  left: [319.5, 98.5],
  right: [364, 96.5],
  mouth: [326, 144.8, 363.5, 143],
  chin: [344.5, 174],
};

async function* video(pictures: Iterable<Image>): AsyncGenerator<NumberedImage> {
  let index = 0;
  for (const each of pictures) yield { ...each, index: index++ };
}

async function find(pictures: Iterable<Image>, options?: FindOptions): Promise<FrameFace[]> {
  const found: FrameFace[] = [];
  for await (const frame of finder.find(video(pictures), options)) found.push(frame);
  return found;
}

/** The picture moved, with black where nothing is. */
function moved(x: number, y: number): Image {
  const result = image(picture.width, picture.height, 3);
  paste(result, picture, x, y);
  return result;
}

function near(point: Point, [x, y]: readonly number[], what: string, limit = 3): void {
  const off = Math.hypot(point.x - x!, point.y - y!);
  assert.ok(
    off < limit,
    `${what} at ${point.x.toFixed(1)}, ${point.y.toFixed(1)}: ${off.toFixed(1)} pixels off`,
  );
}

const middle = (a: Point, b: Point): Point => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });

test('both faces are detected, the larger first, with eyes where they are', async () => {
  const faces = await detectFaces(models, picture);
  assert.equal(faces.length, 2);
  for (const [i, truth] of [HOPPER, COLLINS].entries()) {
    const { score, keypoints } = faces[i]!;
    assert.ok(score > 0.9);
    near(keypoints[0]!, truth.left, 'left eye', 5);
    near(keypoints[1]!, truth.right, 'right eye', 5);
  }
});

for (const [choice, truth] of [
  ['left', COLLINS],
  ['right', HOPPER],
] as const) {
  test(`the 68 landmarks of the face on the ${choice} lie on eyes, mouth and chin`, async () => {
    const [frame] = await find([picture], { choice });
    const { landmarks } = frame!.face!;
    assert.equal(frame!.faces, 2);
    near(middle(landmarks[36]!, landmarks[39]!), truth.left, 'left eye');
    near(middle(landmarks[42]!, landmarks[45]!), truth.right, 'right eye');
    near(landmarks[48]!, truth.mouth.slice(0, 2), 'left corner of the mouth');
    near(landmarks[54]!, truth.mouth.slice(2), 'right corner of the mouth');
    near(landmarks[8]!, truth.chin, 'chin');
  });

  test(`the mesh of the face on the ${choice} has the shape of a face`, async () => {
    const [frame] = await find([picture], { choice });
    const mesh = frame!.face!.mesh!;
    const plane = Float32Array.from({ length: 936 }, (_, i) => mesh[3 * (i >> 1) + (i & 1)]!);
    const [a, b, c, d, e, f] = fitSimilarity(canonical, plane);
    const off = Array.from({ length: 468 }, (_, i) => {
      const [x, y] = [canonical[2 * i]!, canonical[2 * i + 1]!];
      return (a * x + b * y + c - plane[2 * i]!) ** 2 + (d * x + e * y + f - plane[2 * i + 1]!) ** 2;
    });
    const rms = Math.sqrt(off.reduce((sum, value) => sum + value, 0) / off.length);
    const width = scaleOf([a, b, c, d, e, f]) * 155;
    // Measured: 3.8 % of the width. People differ by that much; points in a wrong order differ by 30 %.
    assert.ok(rms / width < 0.05, `${((100 * rms) / width).toFixed(1)} % of the face width`);
  });
}

test('a picture that moves moves the landmarks with it, to less than a pixel on average', async () => {
  const path = Array.from({ length: 12 }, (_, i) => [4 * i, 2 * i] as const);
  const frames = await find(
    path.map(([x, y]) => moved(x, y)),
    { choice: 'left', detectEvery: 100 },
  );
  const first = frames[0]!.face!.landmarks;
  for (const [i, { face, cut }] of frames.entries()) {
    const [x, y] = path[i]!;
    const off = face!.landmarks.map((p, k) => Math.hypot(p.x - x - first[k]!.x, p.y - y - first[k]!.y));
    const mean = off.reduce((sum, value) => sum + value, 0) / off.length;
    // Measured: up to 0.6. The network answers a shifted cut a little differently.
    assert.ok(mean < 0.8 && cut === (i === 0), `frame ${i}: ${mean}`);
  }
});

test('the left face, gone behind a board, is not mistaken for the right one, and is found again', async () => {
  const board = image(130, 170, 3);
  const hidden = moved(0, 0);
  paste(hidden, board, 55, 40);
  const frames = await find([picture, picture, hidden, hidden, hidden, picture], { choice: 'left' });
  const places = frames.map(({ face }) => face && (face.box.x1 + face.box.x2) / 2 < 220);
  assert.deepEqual(places, [true, true, null, null, null, true]);
});

test('a small face in a large picture is found in its parts', async () => {
  const wide = image(1600, 900, 3);
  const small = image(440, 240, 3, picture.data);
  for (let y = 0; y < 60; y++) {
    for (let x = 0; x < 110; x++) {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let k = 0; k < 16; k++) {
          sum += small.data[((4 * y + (k >> 2)) * 440 + 4 * x + (k & 3)) * 3 + c]!;
        }
        wide.data[((700 + y) * 1600 + 1400 + x) * 3 + c] = sum / 16;
      }
    }
  }
  assert.equal((await detectFaces(models, wide, { thorough: false })).length, 0);
  assert.ok((await detectFaces(models, wide)).length >= 1);
});

test('where there is no face, presence is low', async () => {
  const [seen] = await landmarksOf(models, picture, [{ centre: { x: 232, y: 120 }, side: 60, angle: 0 }]);
  assert.ok(seen!.presence < 0.5, String(seen!.presence));
});

test('a still picture gives a steady box round the lower face', async () => {
  const [frame] = await find([picture], { choice: 'left' });
  const { box } = steadyShot([frame!.face!.mesh!]).frames[0]!;
  assert.ok(Math.abs(box.centre.x - 118) < 4 && Math.abs(box.centre.y - 115) < 5, JSON.stringify(box));
  assert.ok(Math.abs(box.centre.y + box.height / 2 - (173 + 6)) < 4);
});

test('the place of a file in a pack comes from the script that loads it', () => {
  const script =
    '[{"filename": "/a/b/x_one.tflite", "start": 0, "end": 5}, {"filename": "/a/one.tflite", "start": 5, "end": 9}]';
  assert.deepEqual(placeInPack(script, 'one.tflite'), { start: 5, end: 9 });
  assert.throws(() => placeInPack(script, 'two.tflite'), { code: 'BAD_FILE' });
});
