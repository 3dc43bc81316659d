import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noise } from '../../test/noise.ts';
import { toGrey } from './color.ts';
import { contentBox } from './content-box.ts';
import { image } from './image.ts';
import { fillRectangle } from './morphology.ts';
import { crop, paste, pasteMasked } from './paste.ts';

test('a crop can be pasted back where it came from, also over the border', () => {
  const picture = noise(20, 15, 3);
  const box = { x1: -4, y1: 9, x2: 12, y2: 19 };
  const blank = image(20, 15, 3);
  paste(blank, crop(picture, box), box.x1, box.y1);
  const inside = { x1: 0, y1: 9, x2: 12, y2: 15 };
  assert.deepEqual(crop(blank, inside), crop(picture, inside));
  assert.deepEqual(contentBox(blank).x2, 12);
});

test('what lies wholly outside changes nothing', () => {
  const picture = noise(20, 15, 3);
  const before = picture.data.slice();
  const patch = noise(6, 6, 3, 5);
  const mask = image(6, 6, 1, new Uint8Array(36).fill(255));
  for (const [x, y] of [
    [-6, 0],
    [20, 0],
    [0, -9],
    [3, 15],
    [400, 400],
  ] as const) {
    paste(picture, patch, x, y);
    pasteMasked(picture, patch, mask, x, y);
  }
  assert.deepEqual(picture.data, before);
});

test('a mask of 0 keeps, 255 replaces, and blending equal pixels changes nothing', () => {
  for (let m = 0; m < 256; m++) {
    const ramp = () =>
      image(
        256,
        1,
        1,
        Uint8Array.from({ length: 256 }, (_, i) => i),
      );
    const mask = image(256, 1, 1, new Uint8Array(256).fill(m));
    const target = ramp();
    pasteMasked(target, ramp(), mask, 0, 0);
    assert.deepEqual(target.data, ramp().data);
    const other = noise(256, 1, 1, m);
    pasteMasked(target, other, mask, 0, 0);
    for (let i = 0; i < 256; i++) {
      const exact = (i * (255 - m) + other.data[i]! * m) / 255;
      assert.ok(Math.abs(target.data[i]! - exact) <= 0.5);
    }
  }
});

test('pictures that do not fit together are refused', () => {
  assert.throws(() => paste(image(4, 4, 3), image(2, 2, 1), 0, 0), RangeError);
  assert.throws(() => pasteMasked(image(4, 4, 3), image(2, 2, 3), image(3, 2, 1), 0, 0), RangeError);
});

test('the content box is as tight as it can be', () => {
  for (const channels of [1, 3] as const) {
    const picture = image(30, 20, channels);
    assert.deepEqual(contentBox(picture), { x1: 0, y1: 0, x2: 0, y2: 0 });
    fillRectangle(picture, 4, 7, 9, 9, 1);
    fillRectangle(picture, 12, 8, 12, 8, 1);
    assert.deepEqual(contentBox(picture), { x1: 4, y1: 7, x2: 13, y2: 10 });
    picture.data.fill(3);
    assert.deepEqual(contentBox(picture), { x1: 0, y1: 0, x2: 30, y2: 20 });
  }
});

test('a grey picture stored as RGB keeps its values', () => {
  const grey = image(
    256,
    1,
    1,
    Uint8Array.from({ length: 256 }, (_, i) => i),
  );
  const rgb = image(
    256,
    1,
    3,
    Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3)),
  );
  assert.deepEqual(toGrey(rgb), grey);
  assert.deepEqual(toGrey(grey), grey);
});
