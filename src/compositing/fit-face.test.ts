import assert from 'node:assert/strict';
import { test } from 'node:test';
import { image } from '../image/image.ts';
import { crop } from '../image/paste.ts';
import { fitFace } from './fit-face.ts';

const ramp = image(
  8,
  4,
  1,
  Uint8Array.from({ length: 32 }, (_, i) => (i % 8) * 20),
);

test('a box of whole pixels keeps its face', () => {
  const box = { x1: 3, y1: -2, x2: 19, y2: 6 };
  assert.deepEqual(fitFace(ramp, box), { face: ramp, box });
});

test('a box between pixels moves its face by the fraction', () => {
  const { face, box } = fitFace(ramp, { x1: 3.5, y1: 2, x2: 11.5, y2: 6 });
  assert.deepEqual(box, { x1: 3, y1: 2, x2: 12, y2: 6 });
  // Pixel x of the result shows the ramp half a pixel further left; its first pixel lies over the border.
  assert.deepEqual([...face.data.subarray(0, 9)], [0, 10, 30, 50, 70, 90, 110, 130, 140]);
});

test('where only a part will be seen, only that part is drawn, and it is the same', () => {
  const box = { x1: 3.5, y1: 2, x2: 11.5, y2: 6 };
  const part = { x1: 5, y1: 3, x2: 9, y2: 20 };
  const whole = fitFace(ramp, box);
  const { face, box: shown } = fitFace(ramp, box, part);
  assert.deepEqual(shown, { x1: 5, y1: 3, x2: 9, y2: 6 });
  assert.deepEqual(face, crop(whole.face, { x1: 2, y1: 1, x2: 6, y2: 4 }));
});
