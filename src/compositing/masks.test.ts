import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noise } from '../../test/noise.ts';
import type { Box, Point } from '../core/box.ts';
import { type Image, image } from '../image/image.ts';
import { crop } from '../image/paste.ts';
import { composite, compositeInto } from './blend.ts';
import { landmarkMask } from './landmark-mask.ts';
import { type BlendMask, enlargedBox, MASK_STYLES, parsingMask, regionMask, trimMask } from './masks.ts';
import { softBoxMask } from './soft-box-mask.ts';

/** A class map with skin in the middle half, a nose and a mouth. */
function faceClasses(): Image {
  const map = image(512, 512, 1);
  for (let y = 100; y < 420; y++) map.data.fill(1, y * 512 + 130, y * 512 + 390);
  for (let y = 220; y < 290; y++) map.data.fill(10, y * 512 + 236, y * 512 + 276);
  for (let y = 330; y < 360; y++) map.data.fill(12, y * 512 + 206, y * 512 + 306);
  return map;
}

/** A face of about 200 × 260 pixels around (300, 200), the half line at y = 190. */
function faceLandmarks(dx = 0, dy = 0): Point[] {
  const points = Array.from({ length: 68 }, () => ({ x: 300 + dx, y: 190 + dy }));
  for (let i = 0; i <= 16; i++) {
    const angle = (Math.PI * i) / 16;
    points[i] = { x: 300 + dx - 100 * Math.cos(angle), y: 180 + dy + 140 * Math.sin(angle) };
  }
  for (let i = 31; i <= 35; i++) points[i] = { x: 300 + dx + (i - 33) * 8, y: 215 + dy };
  points[48] = { x: 265 + dx, y: 255 + dy };
  points[54] = { x: 335 + dx, y: 255 + dy };
  points[51] = { x: 300 + dx, y: 240 + dy };
  return points;
}
const faceBox = { x1: 200, y1: 60, x2: 400, y2: 330 };

/** The value at a position of the frame; 0 outside the mask. */
function valueAt({ crop: area, mask }: BlendMask, x: number, y: number): number {
  if (x < area.x1 || y < area.y1 || x >= area.x2 || y >= area.y2) return 0;
  return mask.data[(y - area.y1) * mask.width + x - area.x1]!;
}

function edge(box: Box): Point[] {
  const points: Point[] = [];
  for (let x = box.x1; x < box.x2; x++) points.push({ x, y: box.y1 }, { x, y: box.y2 - 1 });
  for (let y = box.y1; y < box.y2; y++) points.push({ x: box.x1, y }, { x: box.x2 - 1, y });
  return points;
}

test('blending with a trimmed mask gives the same frame from fewer bytes', () => {
  const frame = noise(640, 360, 3);
  const face = noise(256, 256, 3, 9);
  for (const box of [faceBox, { x1: 500, y1: 200, x2: 640, y2: 360 }, { x1: 0, y1: 0, x2: 90, y2: 70 }]) {
    const mask = parsingMask(faceClasses(), box, MASK_STYLES['1.5']);
    const trimmed = trimMask(mask, box);
    assert.ok(trimmed.mask.data.length < mask.mask.data.length / 2);
    assert.deepEqual(trimmed.mask.width, trimmed.crop.x2 - trimmed.crop.x1);
    assert.deepEqual(composite(frame, face, box, trimmed), composite(frame, face, box, mask));
  }
});

test('only the box changes, the given frame stays as it is, and in place is the same', () => {
  const frame = noise(640, 360, 3);
  const before = frame.data.slice();
  const face = noise(256, 256, 3, 9);
  const mask = parsingMask(faceClasses(), faceBox, MASK_STYLES['1.5']);
  const result = composite(frame, face, faceBox, mask);
  assert.deepEqual(frame.data, before);
  assert.notDeepEqual(result.data, before);
  for (let i = 0; i < result.data.length; i++) {
    const x = Math.floor(i / 3) % 640;
    const y = Math.floor(i / 3 / 640);
    const inside = x >= faceBox.x1 && x < faceBox.x2 && y >= faceBox.y1 && y < faceBox.y2;
    if (!inside && result.data[i] !== before[i]) assert.fail(`${x}, ${y} has changed`);
  }
  compositeInto(frame, face, faceBox, mask);
  assert.deepEqual(frame.data, result.data);
});

test('a mask or a box outside the frame changes nothing', () => {
  const frame = noise(64, 36, 3);
  const before = frame.data.slice();
  const face = noise(16, 16, 3, 2);
  const white = (box: Box): BlendMask => softBoxMask(box);
  const here = { x1: 4, y1: 4, x2: 20, y2: 20 };
  for (const away of [
    { x1: 70, y1: 0, x2: 90, y2: 20 },
    { x1: -30, y1: -30, x2: -10, y2: -10 },
  ]) {
    compositeInto(frame, face, away, white(away));
    compositeInto(frame, face, here, white(away));
  }
  assert.deepEqual(frame.data, before);
  assert.throws(() => compositeInto(frame, image(16, 16, 1), here, white(here)), RangeError);
});

test('each region takes its classes', () => {
  const classes = image(
    19,
    1,
    1,
    Uint8Array.from({ length: 19 }, (_, i) => i),
  );
  const taken = (region: 'face' | 'raw' | 'neck') =>
    [...regionMask(classes, { region }).data].flatMap((value, i) => (value === 255 ? [i] : []));
  assert.deepEqual(taken('face'), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  assert.deepEqual(taken('raw'), [1, 11, 12, 13]);
  assert.deepEqual(taken('neck'), [1, 11, 12, 13, 14]);
});

test('a parsing mask is white at the mouth, black above the middle and without a face', () => {
  const mask = parsingMask(faceClasses(), faceBox, MASK_STYLES['1.5']);
  assert.equal(valueAt(mask, 300, 270), 255);
  assert.equal(valueAt(mask, 300, 150), 0);
  const none = parsingMask(image(512, 512, 1), faceBox, MASK_STYLES['1.5']);
  assert.ok(none.mask.data.every((value) => value === 0));
  assert.deepEqual(trimMask(none).mask.data.length, 0);
});

test('a box of a pixel or two has an enlarged crop that may be empty', () => {
  const dot = { x1: 10, y1: 10, x2: 11, y2: 11 };
  assert.deepEqual(enlargedBox(dot, 1.2), { x1: 10, y1: 10, x2: 10, y2: 10 });
  assert.equal(parsingMask(faceClasses(), dot, MASK_STYLES['1.0']).mask.data.length, 0);
  const small = { x1: 10, y1: 10, x2: 13, y2: 13 };
  assert.equal(parsingMask(faceClasses(), small, MASK_STYLES['1.0']).mask.width, 2);
});

test('a landmark mask is white at the mouth, black above the middle and faint at the edges of the box', () => {
  const mask = landmarkMask(faceLandmarks(), faceBox);
  assert.equal(valueAt(mask, 300, 260), 255);
  for (let x = faceBox.x1; x < faceBox.x2; x++) assert.equal(valueAt(mask, x, 190), 0);
  for (const { x, y } of edge(faceBox)) assert.ok(valueAt(mask, x, y) < 16, `${x}, ${y}`);
  assert.ok(valueAt(mask, 300, 312) > 128, 'the chin is in it');
  assert.equal(valueAt(mask, 300, 212), 0, 'the nose is not');
});

test('a landmark mask follows its landmarks by fractions of a pixel', () => {
  const steps = [0, 0.25, 0.5, 0.75, 1].map((dx) => landmarkMask(faceLandmarks(dx), faceBox));
  for (let i = 1; i < steps.length; i++) {
    let largest = 0;
    for (let y = 200; y < 330; y++) {
      for (let x = 200; x < 400; x++) {
        largest = Math.max(largest, Math.abs(valueAt(steps[i]!, x, y) - valueAt(steps[i - 1]!, x, y)));
      }
    }
    assert.ok(largest > 0 && largest < 20, `a quarter of a pixel changes the mask by ${largest}`);
  }
});

test('a landmark mask of a face outside its box is empty', () => {
  const mask = landmarkMask(faceLandmarks(900), faceBox);
  assert.equal(mask.mask.data.length, 0);
  const frame = noise(64, 36, 3);
  assert.deepEqual(composite(frame, noise(8, 8, 3), faceBox, mask), frame);
});

test('a soft box rises smoothly from its edges', () => {
  const { crop: area, mask } = softBoxMask({ x1: 5, y1: 6, x2: 45, y2: 36 }, { feather: 8 });
  assert.deepEqual(area, { x1: 5, y1: 6, x2: 45, y2: 36 });
  const row = [...crop(mask, { x1: 0, y1: 15, x2: 40, y2: 16 }).data];
  assert.deepEqual(row, row.toReversed());
  assert.ok(row[0]! < 5 && row[8] === 255 && row[4]! > 120);
  for (let i = 1; i < 9; i++) assert.ok(row[i]! >= row[i - 1]!);
  const topOnly = softBoxMask({ x1: 0, y1: 0, x2: 4, y2: 10 }, { feather: { top: 4 } }).mask;
  assert.ok(topOnly.data[0]! < 20 && topOnly.data[39] === 255);
  assert.ok(softBoxMask({ x1: 0, y1: 0, x2: 4, y2: 4 }).mask.data.every((value) => value === 255));
});
