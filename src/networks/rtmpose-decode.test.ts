import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeSimcc, FLIP_ORDER, frameRegion, POINTS, rtmposeAffine } from './rtmpose-decode.ts';

test('mirroring twice changes no point, and the points on the axis of the face stay', () => {
  assert.equal(FLIP_ORDER.length, POINTS);
  assert.deepEqual(
    FLIP_ORDER.map((point) => FLIP_ORDER[point]),
    FLIP_ORDER.map((_, i) => i),
  );
  const onAxis = [8, 27, 28, 29, 30, 33, 51, 57, 62, 66].map((n) => 23 + n);
  for (const point of onAxis) assert.equal(FLIP_ORDER[point], point);
});

test('a wide frame fills four fifths of the network’s width', () => {
  const region = frameRegion(1280, 720);
  assert.deepEqual([region.width, Math.round(region.height)], [1600, 2133]);
  const [scale, , left, , , top] = rtmposeAffine(region);
  assert.ok(Math.abs(scale * 1280 - 0.8 * 288) < 1e-9);
  assert.ok(Math.abs(left - 0.1 * 288) < 1e-9);
  assert.ok(Math.abs(top + (scale * 720) / 2 - 192) < 1e-9);
});

test('the first of equal maxima is the place, and a point without a positive score lies outside', () => {
  const [x, y] = [new Float32Array(2 * 576), new Float32Array(2 * 768).fill(-1)];
  x.fill(0.5, 100, 200);
  y[300] = 0.25;
  const [seen, unseen] = decodeSimcc(x, y, { centre: { x: 144, y: 192 }, width: 288, height: 384 });
  assert.deepEqual(seen, { x: 50, y: 150, score: 0.25 });
  assert.deepEqual(unseen, { x: -0.5, y: -0.5, score: -1 });
});
