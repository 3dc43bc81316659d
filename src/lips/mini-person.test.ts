import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FloatTensor, type Tensor, tensor } from '../core/tensor.ts';
import type { FaceModels } from '../face/models.ts';
import { image } from '../image/image.ts';
import { FACE_MESH_POINTS, FACE_MESH_SIZE } from '../networks/face-mesh.ts';
import { MINI_SIZE } from '../networks/mini-face.ts';
import { type FitOptions, fitPerson } from './mini-person.ts';

const SPEECH = { closed: [0, 0, 0, 0, 0, 0, 0, 0], wide: [1, 0, 0, 0, 0, 0, 0, 0], span: 2.5, width: 2 };
const SIDE = 200;
const BOX = { x1: 36, y1: 36, x2: 36 + MINI_SIZE, y2: 36 + MINI_SIZE };

/** A mesh whose lips are as far apart as the middle of the lower half of its picture is bright. */
const mesh: FitOptions['mesh'] = {
  mesh: {
    async run({ images }: { images: Tensor<'uint8'> }) {
      const count = images.shape[0]!;
      const points = tensor([count, FACE_MESH_POINTS, 3]);
      points.data.fill(FACE_MESH_SIZE / 2);
      for (let i = 0; i < count; i++) {
        const middle = (Math.floor(0.6 * FACE_MESH_SIZE) * FACE_MESH_SIZE + FACE_MESH_SIZE / 2) * 3;
        const bright = images.data[i * FACE_MESH_SIZE ** 2 * 3 + middle]!;
        const put = (vertex: number, x: number, y: number) =>
          points.data.set([x, y, 0], (i * FACE_MESH_POINTS + vertex) * 3);
        put(33, 60, 60);
        put(263, 130, 60);
        put(152, 96, 160);
        put(10, 96, 32);
        for (const [upper, lower] of [
          [13, 14],
          [82, 87],
          [312, 317],
        ] as const) {
          put(upper, 96, 100);
          put(lower, 96, 100 + bright / 10);
        }
      }
      return { points, presence: tensor([count]) };
    },
  } as unknown as FaceModels['mesh'],
};

/** Faces that are as bright as the first number of their code, up to a limit, with stripes as strong as the detail. */
function drawer(limit: number, stripes: number) {
  return async (references: Tensor<'uint8'>, codes: FloatTensor, sharpen: number) => {
    const data = new Uint8Array(references.data.length);
    const size = MINI_SIZE ** 2 * 3;
    for (let at = 0; at < data.length; at++) {
      const bright = 50 + Math.min(limit, 60 * codes.data[Math.floor(at / size) * 8]!);
      const column = Math.floor((at % (MINI_SIZE * 3)) / 3);
      data[at] = bright + (column % 4 < 2 ? 1 : -1) * stripes * (1 + sharpen);
    }
    return { dtype: 'uint8' as const, shape: references.shape, data };
  };
}

function fit(reach: number, limit: number, detail: { drawn: number; real: number }) {
  const picture = image(SIDE, SIDE, 3);
  for (let at = 0; at < picture.data.length; at++) {
    const column = Math.floor((at % (SIDE * 3)) / 3);
    picture.data[at] = 50 + (column % 4 < 2 ? 1 : -1) * detail.real;
  }
  const reference = {
    dtype: 'uint8' as const,
    shape: [128, 128, 3],
    data: new Uint8Array(MINI_SIZE ** 2 * 3),
  };
  const draw = drawer(limit, detail.drawn);
  return fitPerson({ reference, setting: { picture, box: BOX }, reach, speech: SPEECH, draw, mesh });
}

test('the gain opens the lips as far as wanted, between the gains that were tried', async () => {
  const one = await fit(0.02, 1000, { drawn: 0, real: 0 });
  const two = await fit(0.04, 1000, { drawn: 0, real: 0 });
  assert.ok(Math.abs(two.gain / one.gain - 2) < 0.15, `${one.gain} and ${two.gain}`);
});

test('of lips that cannot open so far, those are taken that open furthest, with no more force than that needs', async () => {
  const { gain } = await fit(0.5, 60, { drawn: 0, real: 0 });
  assert.equal(gain, 1.2); // the first at which 60 is reached
});

test('detail is added until the drawing is as sharp as the picture, and none where it is', async () => {
  const soft = await fit(0.02, 1000, { drawn: 8, real: 12 });
  assert.ok(Math.abs(soft.sharpen - 0.5) < 0.05, `${soft.sharpen}`);
  const sharp = await fit(0.02, 1000, { drawn: 12, real: 8 });
  assert.equal(sharp.sharpen, 0);
});
