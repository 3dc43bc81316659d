import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noise } from '../../test/noise.ts';
import { type Image, image } from './image.ts';
import { dilate, ellipse, erode, fillRectangle } from './morphology.ts';

/** The definition: the best value under the kernel. */
function plain(source: Image, kernel: Image, best: (a: number, b: number) => number, start: number): Image {
  const result = image(source.width, source.height, 1);
  for (let y = 0; y < source.height; y++) {
    for (let x = 0; x < source.width; x++) {
      let value = start;
      for (let j = 0; j < kernel.height; j++) {
        for (let i = 0; i < kernel.width; i++) {
          const u = x + i - (kernel.width >> 1);
          const v = y + j - (kernel.height >> 1);
          const inside = u >= 0 && v >= 0 && u < source.width && v < source.height;
          if (inside && kernel.data[j * kernel.width + i])
            value = best(value, source.data[v * source.width + u]!);
        }
      }
      result.data[y * source.width + x] = value;
    }
  }
  return result;
}

const kernels = {
  'an ellipse': ellipse(7, 5),
  'an even rectangle': image(4, 2, 1, new Uint8Array(8).fill(1)),
  'a kernel with holes': image(5, 3, 1, Uint8Array.from([1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1])),
  'a kernel wider than the picture': ellipse(35, 3),
};

for (const [name, kernel] of Object.entries(kernels)) {
  test(`growing and shrinking by ${name} follow the definition`, () => {
    for (const [width, height] of [
      [20, 15],
      [9, 1],
      [1, 9],
    ] as const) {
      const source = noise(width, height, 1, 7);
      assert.deepEqual(dilate(source, kernel), plain(source, kernel, Math.max, 0));
      const once = plain(source, kernel, Math.min, 255);
      assert.deepEqual(erode(source, kernel), once);
      assert.deepEqual(erode(source, kernel, 2), plain(once, kernel, Math.min, 255));
    }
  });
}

test('a rectangle holds both of its corners and is cut to the picture', () => {
  const picture = image(4, 3, 1);
  fillRectangle(picture, 1, 1, 2, 9, 5);
  assert.deepEqual([...picture.data], [0, 0, 0, 0, 0, 5, 5, 0, 0, 5, 5, 0]);
  fillRectangle(picture, 3, 0, 2, 2, 9);
  fillRectangle(picture, 4, 0, 8, 2, 9);
  assert.ok(!picture.data.includes(9));
});
