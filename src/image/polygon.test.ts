import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Point } from '../core/box.ts';
import { image } from './image.ts';
import { fillPolygon } from './polygon.ts';

function filled(corners: [number, number][], width = 20, height = 20) {
  const picture = image(width, height, 1);
  fillPolygon(
    picture,
    corners.map(([x, y]): Point => ({ x, y })),
  );
  return picture;
}
const area = (corners: [number, number][]) =>
  filled(corners).data.reduce((sum, value) => sum + value, 0) / 255;

test('a rectangle on whole pixels is exact, one on fractions covers its share', () => {
  const whole = filled([
    [2, 3],
    [5, 3],
    [5, 5],
    [2, 5],
  ]);
  for (let i = 0; i < 400; i++) {
    const x = i % 20;
    const y = Math.floor(i / 20);
    assert.equal(whole.data[i], x >= 2 && x < 5 && y >= 3 && y < 5 ? 255 : 0);
  }
  const shifted = filled([
    [2.25, 3],
    [5.5, 3],
    [5.5, 4],
    [2.25, 4],
  ]);
  assert.deepEqual([...shifted.data.subarray(61, 67)], [0, 191, 255, 255, 128, 0]);
});

test('the area is that of the polygon, whichever way round and wherever it moves', () => {
  for (const shift of [0, 0.1, 0.37, 0.5, 0.93]) {
    const triangle: [number, number][] = [
      [3 + shift, 2 + shift],
      [15 + shift, 5 + shift],
      [6 + shift, 17 + shift],
    ];
    const exact = 85.5;
    assert.ok(Math.abs(area(triangle) - exact) < 0.6, `${area(triangle)}`);
    assert.ok(Math.abs(area(triangle.toReversed()) - exact) < 0.6);
  }
});

test('what sticks out of the picture is cut', () => {
  assert.equal(
    area([
      [-9, -9],
      [5, -9],
      [5, 40],
      [-9, 40],
    ]),
    100,
  );
});

test('a fold over itself leaves no hole', () => {
  // The outline runs twice round the middle square.
  const folded: [number, number][] = [
    [2, 2],
    [12, 2],
    [12, 12],
    [5, 12],
    [5, 5],
    [9, 5],
    [9, 9],
    [2, 9],
  ];
  assert.equal(filled(folded).data[7 * 20 + 7], 255);
});
