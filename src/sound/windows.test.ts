import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exactRate, frameCount, rowOfFrame, rowsOfSound, windowOfFrame } from './windows.ts';

const NTSC = { num: 30000, den: 1001 };

test('at 25 fps a frame hears its own two rows, four before and four after', () => {
  const options = { rows: 100, fps: 25, ends: 'zeros' } as const;
  assert.deepEqual([...windowOfFrame(10, options)], [16, 17, 18, 19, 20, 21, 22, 23, 24, 25]);
});

test('rows outside the sound are zeros or the end repeated', () => {
  const options = { rows: 4, fps: 25 } as const;
  assert.deepEqual(
    [...windowOfFrame(0, { ...options, ends: 'zeros' })],
    [-1, -1, -1, -1, 0, 1, 2, 3, -1, -1],
  );
  assert.deepEqual([...windowOfFrame(0, { ...options, ends: 'repeat' })], [0, 0, 0, 0, 0, 1, 2, 3, 3, 3]);
});

test('four rows lie in front of the frame at every rate', () => {
  for (const fps of [10, 12, 15, 24, { num: 24000, den: 1001 }, 25, NTSC, 30, 48, 50, 60, 120]) {
    for (const frame of [100, 101, 1234]) {
      const window = windowOfFrame(frame, { rows: 1e6, fps, ends: 'zeros' });
      assert.equal(window.length, 10);
      assert.equal(window[4], rowOfFrame(frame, fps));
    }
  }
});

test('frame and sound stay together for ten hours at every rate', () => {
  for (const rate of [10, { num: 24000, den: 1001 }, 24, 25, NTSC, 30, 50, { num: 60000, den: 1001 }, 60]) {
    const { num, den } = exactRate(rate);
    const frame = Math.round((36_000 * num) / den);
    const exact = (BigInt(frame) * 50n * BigInt(den)) / BigInt(num);
    assert.equal(BigInt(rowOfFrame(frame, rate)), exact);
    assert.ok(Math.abs(rowOfFrame(frame, rate) / 50 - 36_000) < 0.12);
  }
});

test('a row that begins exactly with a frame is not lost to rounding', () => {
  // 480 frames at 24000/1001 last 20.02 s: row 1001. In floating point 480 · 50 / fps is 1000.9999999999999.
  assert.equal(rowOfFrame(480, { num: 24000, den: 1001 }), 1001);
  assert.equal(rowOfFrame(480, 24000 / 1001), 1001);
  assert.equal(rowOfFrame(145, 29), 250);
});

test('a rate given as a number is read as the simplest fraction', () => {
  assert.deepEqual(exactRate(25), { num: 25, den: 1 });
  assert.deepEqual(exactRate(29.97), { num: 2997, den: 100 });
  assert.deepEqual(exactRate(29.97002997002997), NTSC);
  assert.deepEqual(exactRate(23.976023976023978), { num: 24000, den: 1001 });
  assert.deepEqual(exactRate(0.5), { num: 1, den: 2 });
  for (const fps of [Math.PI, 24.439999, 1e-3, 17.123456789, 1000.1]) {
    const { num, den } = exactRate(fps);
    assert.ok(Math.abs(num / den - fps) <= 1e-9 * fps, `${num}/${den} for ${fps}`);
  }
});

test('what is no rate is refused', () => {
  for (const fps of [
    0,
    -25,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    { num: 25, den: 0 },
    { num: 2.5, den: 1 },
  ]) {
    assert.throws(() => exactRate(fps), { code: 'BAD_OPTION' });
  }
});

test('frames are counted from the samples without rounding errors', () => {
  assert.equal(frameCount(18560, 25, 'floor'), 29); // 28.999999999999996 in floating point
  assert.equal(frameCount(19200, NTSC, 'floor'), 35);
  assert.equal(frameCount(19200, NTSC), 36);
  assert.equal(frameCount(19200, NTSC, 'ceil'), 36);
  assert.equal(frameCount(16000, 25, 'ceil'), 25);
  assert.equal(frameCount(16320, 25), 26); // 25.5
  assert.equal(frameCount(16000 * 36_000, NTSC), 1_078_921);
  assert.equal(rowsOfSound(639), 1);
});
