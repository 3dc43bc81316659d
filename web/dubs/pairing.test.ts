import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DubView } from '../api.ts';
import { frameAt, pairing } from './pairing.ts';

function dub(syncMode: string, frames: number, sourceFrames: number): DubView {
  return { result: { frames, fps: 25, sourceFrames }, options: { syncMode } } as unknown as DubView;
}

test('to and fro: the source runs forward, then backward, and the speed says so', () => {
  const at = pairing(dub('bounce', 10, 4));
  assert.deepEqual(
    Array.from({ length: 10 }, (_, i) => at(i).frame),
    [0, 1, 2, 3, 3, 2, 1, 0, 0, 1],
  );
  assert.equal(at(1).speed, 1);
  assert.equal(at(5).speed, -1);
  assert.ok(Math.abs(at(2).seconds - 0.1) < 1e-12, 'the middle of frame 2 at 25 fps');
});

test('a video whose speed was changed runs at that speed', () => {
  const at = pairing(dub('remap', 10, 5));
  assert.equal(at(9).frame, 4);
  assert.equal(at(0).speed, 0.5);
});

test('a time belongs to the frame that is shown then, never to one outside', () => {
  const video = { frames: 5, fps: 25 };
  assert.deepEqual(
    [-1, 0, 0.0399, 0.04, 0.19, 9].map((time) => frameAt(time, video)),
    [0, 0, 0, 1, 4, 4],
  );
});
