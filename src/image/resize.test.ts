import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noise } from '../../test/noise.ts';
import { image } from './image.ts';
import { crop } from './paste.ts';
import { pillowPlan, resizeByPlan, resizePillow } from './pillow-resize.ts';
import { type ResizeFilter, resize, resizeLinear, resizePlan } from './resize.ts';

const sizes = [
  [40, 30, 64, 64],
  [40, 30, 20, 15],
  [40, 30, 33, 30],
  [40, 30, 40, 30],
  [200, 150, 30, 44],
] as const;
const region = { x1: 3, y1: 5, x2: 17, y2: 14 };

for (const filter of ['linear', 'lanczos4'] satisfies ResizeFilter[]) {
  test(`a region of a ${filter} resize equals that part of the whole`, () => {
    for (const [fromWidth, fromHeight, width, height] of sizes) {
      const source = noise(fromWidth, fromHeight, 3);
      const plan = resizePlan(fromWidth, fromHeight, width, height, filter);
      assert.deepEqual(resize(source, plan, region), crop(resize(source, plan), region));
    }
  });
}

test('a region of a resize by Pillow equals that part of the whole', () => {
  for (const [fromWidth, fromHeight, width, height] of sizes) {
    for (const filter of ['bilinear', 'bicubic', 'lanczos'] as const) {
      const source = noise(fromWidth, fromHeight, 3);
      const plan = pillowPlan(fromWidth, fromHeight, width, height, filter);
      assert.deepEqual(resizeByPlan(source, plan, region), crop(resizeByPlan(source, plan), region));
    }
  }
});

test('an even picture stays even, but for the rounding of the weights', () => {
  const source = image(50, 40, 1, new Uint8Array(2000).fill(200));
  for (const filter of ['bilinear', 'bicubic', 'lanczos'] as const) {
    assert.ok(resizePillow(source, 31, 77, filter).data.every((value) => value === 200));
  }
  assert.ok(resizeLinear(source, 31, 77).data.every((value) => value === 200));
  const plan = resizePlan(50, 40, 31, 77, 'lanczos4');
  assert.ok(resize(source, plan).data.every((value) => Math.abs(value - 200) <= 1));
});

test('Pillow averages over all pixels when shrinking, OpenCV does not', () => {
  const stripes = image(64, 1, 1, new Uint8Array(64).fill(255, 0, 32));
  const lines = image(64, 64, 1);
  for (let i = 0; i < 64 * 64; i++) lines.data[i] = i % 8 === 0 ? 255 : 0;
  const shrunk = resizePillow(lines, 8, 8, 'bilinear');
  assert.ok(shrunk.data.every((value) => value >= 20 && value <= 36));
  assert.ok(resizeLinear(lines, 8, 8).data.every((value) => value === 0));
  assert.deepEqual([...resizePillow(stripes, 4, 1, 'bilinear').data], [255, 223, 32, 0]);
});

test('a plan refuses a picture of another size', () => {
  assert.throws(() => resize(image(9, 10, 3), resizePlan(10, 10, 5, 5, 'linear')), RangeError);
  assert.throws(() => resizeByPlan(image(9, 10, 3), pillowPlan(10, 10, 5, 5, 'bicubic')), RangeError);
});
