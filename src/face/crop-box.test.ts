import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Point } from '../core/box.ts';
import { cropBox, cutToPicture, literalCropBox, shiftRange, withMargin } from './crop-box.ts';
import { FACE_MESH_68, landmarks68 } from './landmarks68.ts';

/** A face whose box is `x` … `x + 100`, half line at `y`, chin 60 below. */
function face(x: number, y: number): Point[] {
  const points = Array.from({ length: 68 }, () => ({ x: x + 50, y }));
  points[0] = { x, y };
  points[16] = { x: x + 100, y };
  points[8] = { x: x + 50, y: y + 60 };
  points[28] = { x: x + 50, y: y - 8 };
  points[30] = { x: x + 50, y: y + 6 };
  return points;
}
const detected = { x1: 1, y1: 2, x2: 30, y2: 40 };
const size = { width: 640, height: 360 };

test('the half line is the middle row of the box; 1.5 adds a margin below', () => {
  const points = face(200, 150);
  assert.deepEqual(cropBox(points, detected, { version: '1.0', ...size }), {
    x1: 200,
    y1: 90,
    x2: 300,
    y2: 210,
  });
  assert.deepEqual(cropBox(points, detected, { version: '1.5', ...size }), {
    x1: 200,
    y1: 90,
    x2: 300,
    y2: 220,
  });
  const wide = cropBox(points, detected, { version: '1.5', ...size, extraMargin: 25 });
  assert.equal(wide?.y2, 235);
});

test('a shift moves the half line down and the upper edge by twice as much', () => {
  const box = cropBox(face(200, 150), null, { version: '1.0', ...size, bboxShift: 5 });
  assert.deepEqual(box, { x1: 200, y1: 100, x2: 300, y2: 210 });
});

test('a box over the border is cut, where upstream leaves it or falls back', () => {
  const left = face(-20, 20);
  assert.deepEqual(cropBox(left, detected, { version: '1.0', ...size }), { x1: 0, y1: 0, x2: 80, y2: 80 });
  assert.deepEqual(literalCropBox(left, detected, { version: '1.0' })?.box, detected);

  const right = face(600, 330);
  assert.deepEqual(cropBox(right, detected, { version: '1.5', ...size }), {
    x1: 600,
    y1: 270,
    x2: 640,
    y2: 360,
  });
  const literal = literalCropBox(right, detected, { version: '1.5' });
  assert.deepEqual(literal?.box, { x1: 600, y1: 270, x2: 700, y2: 390 });
  assert.equal(literal?.from, 'landmarks');
  assert.equal(literalCropBox(face(200, 20), detected, { version: '1.0' })?.box.y1, -40);
});

test('landmarks in one place give the detector’s box, or nothing without one', () => {
  const nowhere = Array.from({ length: 68 }, () => ({ x: 5, y: 5 }));
  assert.deepEqual(cropBox(nowhere, detected, { version: '1.0', ...size }), detected);
  assert.equal(cropBox(nowhere, null, { version: '1.0', ...size }), null);
  assert.equal(literalCropBox(nowhere, null, { version: '1.0' }), null);
});

test('a face beyond the picture gives no box', () => {
  assert.equal(cropBox(face(900, 150), null, { version: '1.5', ...size }), null);
  assert.equal(cropBox(face(200, 600), null, { version: '1.5', ...size }), null);
});

test('the range of a shift is the mean room on the nose bridge', () => {
  assert.equal(shiftRange([]), null);
  const rooms = [
    { minus: 6, plus: 8 },
    { minus: 7, plus: 9 },
  ];
  assert.deepEqual(shiftRange(rooms), { lowest: -6, highest: 8 });
  assert.deepEqual(literalCropBox(face(200, 150), detected, { version: '1.5' })?.room, { minus: 6, plus: 8 });
});

test('margin and cut stop at the picture', () => {
  assert.deepEqual(withMargin({ x1: 1, y1: 2, x2: 3, y2: 355 }, 10, 360), { x1: 1, y1: 2, x2: 3, y2: 360 });
  assert.deepEqual(cutToPicture({ x1: -5, y1: 300, x2: 700, y2: 400 }, 640, 360), {
    x1: 0,
    y1: 300,
    x2: 640,
    y2: 360,
  });
});

test('the 68 vertices are distinct, and the bridge is evenly spaced by default', () => {
  assert.equal(new Set(FACE_MESH_68).size, 68);
  const mesh = Float32Array.from({ length: 478 * 3 }, (_, i) => (i * 37) % 101);
  const points = landmarks68(mesh);
  const literal = landmarks68(mesh, { bridge: 'vertices' });
  const [from, to] = [points[27]!, points[30]!];
  assert.ok(Math.abs(points[28]!.x - (from.x * 2 + to.x) / 3) < 1e-9);
  assert.ok(Math.abs(points[29]!.y - (from.y + to.y * 2) / 3) < 1e-9);
  assert.deepEqual(literal[29], { x: mesh[5 * 3], y: mesh[5 * 3 + 1] });
  assert.deepEqual(points.toSpliced(28, 2), literal.toSpliced(28, 2));
});
