import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noise } from '../../test/noise.ts';
import { image } from './image.ts';
import { crop } from './paste.ts';
import { type Affine, applyAffine, cropToPicture, invertAffine, sampleAffine, warpAffine } from './warp.ts';

const same: Affine = [1, 0, 0, 0, 1, 0];

test('a map that moves nothing gives the picture back', () => {
  const picture = noise(13, 9, 3);
  assert.deepEqual(sampleAffine(picture, same, 13, 9), picture);
  assert.deepEqual(warpAffine(picture, same, 13, 9), picture);
});

test('whole shifts are crops: the sampler looks from the output, the warp moves the picture', () => {
  const picture = noise(13, 9, 3);
  const expected = crop(picture, { x1: -2, y1: 3, x2: 10, y2: 14 });
  assert.deepEqual(sampleAffine(picture, [1, 0, -2, 0, 1, 3], 12, 11), expected);
  assert.deepEqual(warpAffine(picture, [1, 0, 2, 0, 1, -3], 12, 11), expected);
});

test('half a pixel further lies the mean of two neighbours', () => {
  const picture = image(3, 1, 1, Uint8Array.from([10, 20, 60]));
  assert.deepEqual([...sampleAffine(picture, [1, 0, 0.5, 0, 1, 0], 3, 1).data], [15, 40, 30]);
  const repeated = sampleAffine(picture, [1, 0, 0.5, 0, 1, 0], 3, 1, { border: 'repeat' });
  assert.deepEqual([...repeated.data], [15, 40, 60]);
});

test('a turned crop shows its box upright', () => {
  const box = { centre: { x: 50, y: 40 }, width: 20, height: 10, angle: Math.PI / 2 };
  const m = cropToPicture(box, 40, 20);
  const near = (x: number, y: number, px: number, py: number) => {
    const at = applyAffine(m, { x, y });
    assert.ok(Math.hypot(at.x - px, at.y - py) < 1e-9, `${x},${y} → ${at.x},${at.y}`);
  };
  near(20, 10, 50, 40);
  // A quarter turn clockwise: the crop's upper left corner is the upper right of what the frame shows there.
  near(0, 0, 55, 30);
  near(40, 0, 55, 50);
  near(0, 20, 45, 30);
});

test('an inverse undoes its map', () => {
  const m: Affine = [1.5, -0.3, 12, 0.4, 2, -7];
  const back = applyAffine(invertAffine(m), applyAffine(m, { x: 3, y: 11 }));
  assert.ok(Math.hypot(back.x - 3, back.y - 11) < 1e-9);
});

test('far outside the picture there is nothing, or its border', () => {
  const picture = noise(5, 5, 3);
  const away: Affine = [1, 0, 100, 0, 1, -100];
  assert.ok(sampleAffine(picture, away, 4, 4).data.every((value) => value === 0));
  assert.ok(warpAffine(picture, away, 4, 4).data.every((value) => value === 0));
  const corner = sampleAffine(picture, away, 1, 1, { border: 'repeat' });
  assert.deepEqual([...corner.data], [...picture.data.subarray(4 * 3, 5 * 3)]);
});
