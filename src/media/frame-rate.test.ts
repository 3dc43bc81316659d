import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constantTiming, sampleTimes } from './frame-rate.ts';
import type { Timestamps } from './timestamps.ts';

function stamps(times: number[], lastDuration = 0.04): Timestamps {
  return { times, start: 0, lastDuration, keyframes: [0] };
}

test('frames on a grid, rounded to milliseconds, keep the declared rate and every frame', () => {
  const times = Array.from({ length: 500 }, (_, i) => Math.round((i * 1001) / 30) / 1000);
  const timing = constantTiming(stamps(times, 0.033), { num: 30000, den: 1001 });
  assert.deepEqual(timing, {
    fps: { num: 30000, den: 1001 },
    frameCount: 500,
    shown: undefined,
    warnings: [],
  });
});

test('a wrong declared rate gives way to the one the times show', () => {
  const times = Array.from({ length: 100 }, (_, i) => i / 25);
  assert.deepEqual(constantTiming(stamps(times), { num: 90000, den: 1 }).fps, { num: 25, den: 1 });
});

test('a pause in the pictures is filled with the picture before it, and said', () => {
  const timing = constantTiming(
    stamps([0, 0.04, 0.08, 0.24, 0.28]),
    { num: 25, den: 1 },
    { num: 25, den: 1 },
  );
  assert.deepEqual([...timing.shown!], [0, 1, 2, 2, 2, 2, 3, 4]);
  assert.match(timing.warnings[0]!, /3 frames repeat, 0 are left out/);
});

test('a variable rate is shown at the usual rate nearest to its average', () => {
  const times = Array.from({ length: 300 }, (_, i) => i / 30 + (i % 2 && i < 299 ? 0.012 : 0));
  const timing = constantTiming(stamps(times, 1 / 30), { num: 2997, den: 100 });
  assert.deepEqual(timing.fps, { num: 30, den: 1 });
  assert.equal(timing.frameCount, 300);
});

test('another rate repeats or leaves out frames by the nearest time', () => {
  const source = stamps([0, 0.04, 0.08, 0.12]);
  assert.deepEqual([...sampleTimes(source, 50)], [0, 0, 1, 1, 2, 2, 3, 3]);
  assert.deepEqual([...sampleTimes(source, 12.5)], [0, 2]);
  assert.deepEqual([...sampleTimes(stamps([0]), 25)], [0]);
});
