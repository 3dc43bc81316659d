import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrameFace } from './finder.ts';
import { gaussianOverTime, runsOf, shotsOf, smoothFaces, smoothLive } from './smooth.ts';

function frame(index: number, x: number | null, cut = index === 0): FrameFace {
  if (x === null) return { index, face: null, cut, faces: 0 };
  const box = { x1: x, y1: 0, x2: x + 100, y2: 100 };
  return { index, face: { landmarks: [{ x, y: 50 }], box, score: 1 }, cut, faces: 1 };
}

const xOf = ({ face }: FrameFace) => face!.landmarks[0]!.x;

/** Noise of about ±0.2 pixels, as landmarks of a face of 100 pixels have it; the same on each run. */
const noise = (i: number) => 0.2 * ((Math.sin(i * 12.9898) * 43758.5453) % 1);

test('noise on a still face becomes little more than half', () => {
  const frames = Array.from({ length: 100 }, (_, i) => frame(i, 50 + noise(i)));
  const spread = (list: readonly FrameFace[]) => Math.hypot(...list.map((f) => xOf(f) - 50));
  assert.ok(spread(smoothFaces(frames, { fps: 25 })) < 0.6 * spread(frames));
});

test('a steady move is followed without lag, and at no speed is a frame left behind', () => {
  const frames = Array.from({ length: 60 }, (_, i) => frame(i, 3 * i));
  const smooth = smoothFaces(frames, { fps: 25 });
  for (const f of smooth.slice(10, 50))
    assert.ok(Math.abs(xOf(f) - 3 * f.index) < 0.05, `${f.index}: ${xOf(f)}`);
});

test('a step spreads to both sides alike', () => {
  const frames = Array.from({ length: 40 }, (_, i) => frame(i, i < 20 ? 0 : 10));
  const smooth = smoothFaces(frames, { fps: 25 }).map(xOf);
  for (let k = 0; k < 10; k++) assert.ok(Math.abs(smooth[19 - k]! - (10 - smooth[20 + k]!)) < 1e-9);
});

test('nothing is smoothed across a cut or a gap', () => {
  const frames = [frame(0, 0), frame(1, 0), frame(2, 80, true), frame(3, 80), frame(4, null), frame(5, 30)];
  const smooth = smoothFaces(frames, { fps: 25 });
  assert.deepEqual(
    smooth.map((f) => f.face && xOf(f)),
    [0, 0, 80, 80, null, 30],
  );
  assert.deepEqual(runsOf(frames), [
    { start: 0, end: 2 },
    { start: 2, end: 4 },
    { start: 5, end: 6 },
  ]);
  assert.deepEqual(shotsOf(frames), [
    { start: 0, end: 2 },
    { start: 2, end: 6 },
  ]);
});

test('live smoothing calms noise too, and starts anew after a cut', async () => {
  const frames = Array.from({ length: 60 }, (_, i) => frame(i, (i < 30 ? 50 : 200) + noise(i), i % 30 === 0));
  const smooth: FrameFace[] = [];
  for await (const f of smoothLive(streamOf(frames), { fps: 25 })) smooth.push(f);
  assert.equal(xOf(smooth[30]!), xOf(frames[30]!));
  const spread = (list: readonly FrameFace[]) => Math.hypot(...list.slice(10, 30).map((f) => xOf(f) - 50));
  assert.ok(spread(smooth) < 0.7 * spread(frames));
});

test('a Gaussian over time keeps constants and lines, and stops at gaps', () => {
  const line = Array.from({ length: 30 }, (_, i) => [2 * i]);
  const smooth = gaussianOverTime(line, 1.5);
  for (let i = 6; i < 24; i++) assert.ok(Math.abs(smooth[i]![0]! - 2 * i) < 1e-9);
  assert.deepEqual(gaussianOverTime([[1], null, [5]], 2), [[1], null, [5]]);
  assert.deepEqual(gaussianOverTime([[1], [4]], 0), [[1], [4]]);
});

async function* streamOf<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}
