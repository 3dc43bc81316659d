import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Point } from '../core/box.ts';
import type { FrameFace } from '../face/finder.ts';
import { layoutByLandmarks } from './musetalk-layout.ts';

const VIDEO = { width: 640, height: 480, fps: { num: 25, den: 1 } };
const RIGHT = { version: '1.5', compat: 'right', bboxShift: 0 } as const;

/** 68 points: the jaw round (x, y), the nose bridge at its middle, lips `open` pixels apart. */
function points(x: number, y: number, open = 2): Point[] {
  const all = Array.from({ length: 68 }, () => ({ x, y: y + 10 }));
  for (let i = 0; i <= 16; i++) {
    const angle = Math.PI * (1 - i / 16);
    all[i] = { x: x + 60 * Math.cos(angle), y: y + 80 * Math.sin(angle) };
  }
  all[29] = { x, y };
  for (const [upper, lower] of [
    [61, 67],
    [62, 66],
    [63, 65],
  ] as const) {
    all[upper] = { x, y: y + 40 };
    all[lower] = { x, y: y + 40 + open };
  }
  return all;
}

async function* faces(landmarks: readonly (readonly Point[] | null)[]): AsyncGenerator<FrameFace> {
  for (const [index, found] of landmarks.entries()) {
    const box = { x1: 200, y1: 100, x2: 400, y2: 300 };
    yield { index, cut: index === 0, faces: 1, face: found && { landmarks: found, box, score: 1 } };
  }
}

test('a box reaches from the chin as far up as down from the nose, and says how open the mouth is', async () => {
  const layout = await layoutByLandmarks(faces([points(300, 200, 8), null]), VIDEO, RIGHT);
  assert.deepEqual(layout.coords, [{ x1: 240, y1: 120, x2: 360, y2: 280 }, null]);
  assert.ok(Math.abs(layout.openings[0]! - 8 / 160) < 1e-6);
  assert.ok(Number.isNaN(layout.openings[1]));
  assert.equal(layout.landmarks(0)!.length, 68);
  assert.equal(layout.landmarks(1), undefined);
});

test('by the right rules a trembling box becomes calm, and upstream lets it tremble', async () => {
  const trembling = Array.from({ length: 60 }, (_, i) => points(300 + 3 * (i % 2), 200));
  const spread = async (compat: 'right' | 'upstream') => {
    const { coords } = await layoutByLandmarks(faces(trembling), VIDEO, { ...RIGHT, compat });
    const lefts = coords.slice(10, 50).map((box) => box!.x1);
    return Math.max(...lefts) - Math.min(...lefts);
  };
  assert.equal(await spread('upstream'), 3);
  assert.ok((await spread('right')) <= 1);
});

test('long videos are smoothed in stretches that show no joins', async () => {
  const count = 3500;
  const slow = Array.from({ length: count }, (_, i) =>
    i === 900 ? null : points(300 + 40 * Math.sin(i / 100), 200),
  );
  const { coords } = await layoutByLandmarks(faces(slow), VIDEO, RIGHT);
  assert.equal(coords.length, count);
  assert.equal(coords[900], null);
  for (const [i, box] of coords.entries()) {
    if (!box) continue;
    const expected = 240 + 40 * Math.sin(i / 100);
    assert.ok(Math.abs(box.x1 - expected) <= 2, `frame ${i}: ${box.x1} instead of ${expected}`);
  }
});
