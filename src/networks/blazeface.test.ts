import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  anchorCentres,
  type BlazeFaceBox,
  decodeBlazeFace,
  FULL_RANGE,
  mergeOverlapping,
  overlap,
  SHORT_RANGE,
} from './blazeface.ts';

test('the short-range detector has 896 anchors: 16 × 16 × 2, then 8 × 8 × 6', () => {
  const centres = anchorCentres(SHORT_RANGE);
  assert.equal(centres.length, 2 * 896);
  assert.deepEqual([...centres.subarray(0, 6)], [4, 4, 4, 4, 12, 4]);
  assert.deepEqual([...centres.subarray(2 * 512, 2 * 512 + 2)], [8, 8]);
  assert.deepEqual([...centres.subarray(-2)], [120, 120]);
});

test('the full-range detector has one anchor for each four pixels', () => {
  const centres = anchorCentres(FULL_RANGE);
  assert.equal(centres.length, 2 * 2304);
  assert.deepEqual([...centres.subarray(2 * 48, 2 * 48 + 2)], [2, 6]);
});

test('a row is read relative to its anchor, but for the sizes', () => {
  const regressors = new Float32Array(32);
  regressors.set([1, 2, 10, 20, -3, 4], 16);
  const faces = decodeBlazeFace(regressors, Float32Array.of(0.4, 0.9), Float32Array.of(0, 0, 50, 60), 0.5);
  assert.equal(faces.length, 1);
  assert.deepEqual(faces[0]!.box, { x1: 46, y1: 52, x2: 56, y2: 72 });
  assert.deepEqual(faces[0]!.keypoints[0], { x: 47, y: 64 });
  assert.equal(faces[0]!.keypoints.length, 6);
});

test('candidates of one face become their weighted mean, another face stays', () => {
  const merged = mergeOverlapping([candidate(0, 0.6), candidate(3, 0.9), candidate(100, 0.7)]);
  assert.equal(merged.length, 2);
  assert.ok(Math.abs(merged[0]!.box.x1 - (3 * 0.9) / 1.5) < 1e-9);
  assert.equal(merged[0]!.score, 0.9);
  assert.ok(Math.abs(merged[1]!.box.x1 - 100) < 1e-9);
});

test('overlap is the common area over the joint area', () => {
  const box = { x1: 0, y1: 0, x2: 10, y2: 10 };
  assert.equal(overlap(box, box), 1);
  assert.equal(overlap(box, { x1: 5, y1: 0, x2: 15, y2: 10 }), 50 / 150);
  assert.equal(overlap(box, { x1: 10, y1: 0, x2: 20, y2: 10 }), 0);
});

function candidate(x: number, score: number): BlazeFaceBox {
  return { box: { x1: x, y1: 0, x2: x + 20, y2: 20 }, score, keypoints: [{ x, y: 0 }] };
}
