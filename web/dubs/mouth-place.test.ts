import assert from 'node:assert/strict';
import { test } from 'node:test';
import { middleOfChange, USUAL_SPOT } from './mouth-place.ts';

const WIDTH = 40;
const HEIGHT = 30;

function picture(paint: (x: number, y: number) => number): Uint8ClampedArray {
  const pixels = new Uint8ClampedArray(WIDTH * HEIGHT * 4);
  for (let i = 0; i < WIDTH * HEIGHT; i++)
    pixels.fill(paint(i % WIDTH, Math.floor(i / WIDTH)), i * 4, i * 4 + 3);
  return pixels;
}

test('the mouth is where the pictures differ; what an encoder changes does not count', () => {
  const real = picture(() => 100);
  const made = picture((x, y) => (x >= 20 && x < 26 && y >= 20 && y < 24 ? 180 : 104));
  const { x, y } = middleOfChange(real, made, WIDTH);
  assert.ok(Math.abs(x - 23 / WIDTH) < 1e-9 && Math.abs(y - 22 / HEIGHT) < 1e-9, `${x}, ${y}`);
});

test('pictures that are alike give the usual place', () => {
  assert.equal(
    middleOfChange(
      picture(() => 9),
      picture(() => 12),
      WIDTH,
    ),
    USUAL_SPOT,
  );
});
