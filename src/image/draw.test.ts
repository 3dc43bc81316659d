import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawDot, drawNumber, fillBox, strokeBox, tint } from './draw.ts';
import { type Image, image } from './image.ts';

/** The red channel as text: `#` bright, `.` dark. */
function shown({ width, height, data }: Image): string[] {
  const row = (y: number) =>
    Array.from({ length: width }, (_, x) => (data[(y * width + x) * 3]! > 127 ? '#' : '.'));
  return Array.from({ length: height }, (_, y) => row(y).join(''));
}

const WHITE = [255, 255, 255] as const;

test('an outline lies inside its box', () => {
  const picture = image(6, 5, 3);
  strokeBox(picture, { x1: 1, y1: 1, x2: 5, y2: 5 }, WHITE, 1);
  assert.deepEqual(shown(picture), ['......', '.####.', '.#..#.', '.#..#.', '.####.']);
});

test('a dot is round and its middle is its point', () => {
  const picture = image(5, 5, 3);
  drawDot(picture, { x: 2, y: 2 }, 2, WHITE);
  assert.deepEqual(shown(picture), ['..#..', '.###.', '#####', '.###.', '..#..']);
});

test('numbers can be read, positive ones with their sign', () => {
  const picture = image(13, 7, 3);
  drawNumber(picture, 12, { x: 0, y: 0 }, WHITE, 1);
  const rows = ['......#..###.', '..#..##....#.', '.###..#..###.', '..#...#..#...', '.....###.###.'];
  assert.deepEqual(shown(picture), ['.............', ...rows, '.............']);
});

test('a tint follows its mask, and everything outside the picture is left out', () => {
  const picture = image(2, 1, 3);
  const mask = image(3, 1, 1, Uint8Array.of(255, 255, 0));
  tint(picture, mask, { x: -1, y: 0 }, [200, 100, 0], 0.5);
  assert.deepEqual([...picture.data], [100, 50, 0, 0, 0, 0]);
  fillBox(picture, { x1: -5, y1: -5, x2: 50, y2: 50 }, [1, 2, 3]);
  strokeBox(picture, { x1: -5, y1: -5, x2: 50, y2: 50 }, WHITE);
  drawDot(picture, { x: 40, y: 40 }, 3, WHITE);
  assert.deepEqual([...picture.data], [1, 2, 3, 1, 2, 3]);
});
