import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Image, image } from '../image/image.ts';
import { CutDetector } from './cuts.ts';

/** Stripes of two colours, moved by `shift` pixels, with noise. */
function stripes(shift: number, colours: [number, number], noise: number): Image {
  const picture = image(160, 90, 3);
  let seed = shift + 1;
  for (let i = 0; i < picture.data.length; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const x = Math.floor(i / 3) % 160;
    const colour = colours[Math.floor((x + shift) / 40) % 2]!;
    picture.data[i] = Math.min(255, colour + (seed / 2 ** 32) * noise);
  }
  return picture;
}

function cutsIn(frames: Iterable<Image>): number[] {
  const detector = new CutDetector();
  return [...frames].flatMap((frame, i) => (detector.next(frame) ? [i] : []));
}

test('noise, slow light and movement of the camera are no cuts', () => {
  assert.deepEqual(cutsIn(Array.from({ length: 20 }, (_, i) => stripes(0, [60, 160 - i], 30))), []);
  assert.deepEqual(cutsIn(Array.from({ length: 20 }, (_, i) => stripes(2 * i, [60, 160], 10))), []);
});

test('another picture is a cut, where it comes first', () => {
  const frames = [0, 1, 2, 3, 4, 5].map((i) => stripes(0, i < 3 ? [60, 160] : [20, 230], 10));
  assert.deepEqual(cutsIn(frames), [3]);
});

test('the same colours in other places are a cut', () => {
  const frames = [0, 1, 2, 3, 4, 5].map((i) => stripes(i < 3 ? 0 : 40, [30, 220], 10));
  assert.deepEqual(cutsIn(frames), [3]);
});
