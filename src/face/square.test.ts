import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Image, image } from '../image/image.ts';
import { applyAffine } from '../image/warp.ts';
import { cutSquare, meanOfBlocks, squareToPicture } from './square.ts';

/** Red grows to the right, green downward, by one a pixel. */
function ramp(width: number, height: number): Image {
  const picture = image(width, height, 3);
  for (let i = 0; i < width * height; i++) picture.data.set([i % width, Math.floor(i / width), 7], 3 * i);
  return picture;
}

test('a square shows what lies in it: its pixels stand for places of the picture', () => {
  const picture = ramp(200, 200);
  const square = { centre: { x: 100, y: 90 }, side: 64, angle: 0.4 };
  const cut = cutSquare(picture, square, 32);
  const map = squareToPicture(square, 32);
  for (const [x, y] of [
    [3, 4],
    [16, 16],
    [30, 9],
  ] as const) {
    const place = applyAffine(map, { x: x + 0.5, y: y + 0.5 });
    assert.ok(Math.abs(cut.data[(y * 32 + x) * 3]! - (place.x - 0.5)) <= 1);
    assert.ok(Math.abs(cut.data[(y * 32 + x) * 3 + 1]! - (place.y - 0.5)) <= 1);
  }
});

test('a shrunken square is a mean, so that a pattern of single pixels becomes even', () => {
  const board = image(128, 128, 3);
  for (let i = 0; i < 128 * 128; i++) board.data.fill((i + (i >> 7)) % 2 === 0 ? 200 : 0, 3 * i, 3 * i + 3);
  const cut = cutSquare(board, { centre: { x: 64, y: 64 }, side: 128, angle: 0 }, 32);
  assert.ok(cut.data.every((value) => Math.abs(value - 100) <= 1));
});

test('outside the picture it is black', () => {
  const cut = cutSquare(ramp(20, 20), { centre: { x: -40, y: 10 }, side: 20, angle: 0 }, 8);
  assert.ok(cut.data.every((value) => value === 0));
});

test('blocks are averaged and the rest is dropped', () => {
  const small = meanOfBlocks(ramp(11, 7), 3);
  assert.deepEqual([small.width, small.height], [3, 2]);
  assert.deepEqual([...small.data.subarray(0, 6)], [1, 1, 7, 4, 1, 7]);
});
