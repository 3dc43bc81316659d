import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noise } from '../../test/noise.ts';
import { gaussianBlur, gaussianKernel } from './blur.ts';
import { type Image, image } from './image.ts';
import { fillRectangle } from './morphology.ts';

/** The same sums without any short cut. */
function plainBlur(source: Image, size: number): Image {
  const { width, height, channels: n } = source;
  const across = gaussianKernel(width === 1 ? 1 : size);
  const down = gaussianKernel(height === 1 ? 1 : size);
  const result = image(width, height, n);
  for (let i = 0; i < result.data.length; i++) {
    const c = i % n;
    const x = Math.floor(i / n) % width;
    const y = Math.floor(i / n / width);
    let sum = 0;
    down.forEach((wy, j) => {
      across.forEach((wx, k) => {
        const u = mirror(x + k - (across.length - 1) / 2, width);
        const v = mirror(y + j - (down.length - 1) / 2, height);
        sum += wx * wy * source.data[(v * width + u) * n + c]!;
      });
    });
    result.data[i] = (sum + 32768) >> 16;
  }
  return result;
}

function mirror(i: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const at = ((i % period) + period) % period;
  return Math.min(at, period - at);
}

test('the blur equals plain sums, also for small pictures and blots anywhere in them', () => {
  for (const [width, height, size] of [
    [17, 12, 5],
    [17, 12, 31],
    [1, 20, 7],
    [20, 1, 7],
    [5, 4, 25],
    [1, 1, 9],
  ] as const) {
    for (const channels of [1, 3] as const) {
      const source = noise(width, height, channels, size);
      assert.deepEqual(gaussianBlur(source, size), plainBlur(source, size));
    }
  }
  for (const [x, y] of [
    [0, 0],
    [2, 9],
    [25, 19],
    [29, 1],
  ] as const) {
    const source = image(30, 20, 1);
    fillRectangle(source, x, y, x + 3, y + 4, 255);
    assert.deepEqual(gaussianBlur(source, 11), plainBlur(source, 11));
  }
});

test('every kernel sums to 256 and is symmetric', () => {
  for (let size = 1; size < 200; size += 2) {
    const kernel = [...gaussianKernel(size)];
    assert.equal(
      kernel.reduce((sum, weight) => sum + weight, 0),
      256,
    );
    assert.deepEqual(kernel, kernel.toReversed());
  }
});

test('an even number of taps is refused', () => {
  assert.throws(() => gaussianBlur(image(3, 3, 1), 4), RangeError);
  assert.throws(() => gaussianBlur(image(3, 3, 1), -1), RangeError);
});
