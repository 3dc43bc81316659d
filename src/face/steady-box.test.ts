import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFloats } from '../../test/npy.ts';
import { fixturePath } from '../../test/shared.ts';
import { lipOpening } from './lip-measure.ts';
import type { Mesh } from './mesh.ts';
import { fitSimilarity, scaleOf } from './similarity.ts';
import { steadyShot } from './steady-box.ts';

/** MediaPipe's canonical face: 155 wide, point 29 at y = 102.18 (evenly spaced), chin at 204. */
const canonical = readFloats(fixturePath('faces', 'facemesh_xy.npy')).data;

const LOWER = [14, 87, 317, 17, 84, 314, 152, 148, 377];

interface Pose {
  scale?: number;
  turn?: number;
  x?: number;
  y?: number;
  /** Pixels by which the lower lip and the chin go down, before scaling. */
  open?: number;
}

function face({ scale = 1, turn = 0, x = 0, y = 0, open = 0 }: Pose = {}): Mesh {
  const mesh = new Float32Array(468 * 3);
  const [a, b] = [scale * Math.cos(turn), scale * Math.sin(turn)];
  for (let i = 0; i < 468; i++) {
    const [u, v] = [canonical[2 * i]! - 100, canonical[2 * i + 1]! - 110 + (LOWER.includes(i) ? open : 0)];
    mesh.set([a * u - b * v + 100 + x, b * u + a * v + 110 + y, 0], 3 * i);
  }
  return mesh;
}

test('a similarity is found again from its points', () => {
  const from = [0, 0, 10, 0, 10, 5, -3, 8];
  const [a, b] = [1.5 * Math.cos(0.3), 1.5 * Math.sin(0.3)];
  const to = from.map((_, i) =>
    i % 2 === 0 ? a * from[i]! - b * from[i + 1]! + 7 : b * from[i - 1]! + a * from[i]! - 4,
  );
  const found = fitSimilarity(from, to);
  for (const [i, value] of [a, -b, 7, b, a, -4].entries()) assert.ok(Math.abs(found[i]! - value) < 1e-9);
  assert.ok(Math.abs(scaleOf(found) - 1.5) < 1e-9);
});

test('the lips of the canonical face are nearly five pixels apart, and as much more as the lower one goes down', () => {
  assert.ok(Math.abs(lipOpening(face()) - 4.7) < 1, String(lipOpening(face())));
  assert.ok(Math.abs(lipOpening(face({ open: 10 })) - lipOpening(face()) - 10) < 0.5);
});

test('the box stands on the middle line, reaches a tenth below the chin, and is as wide as the face', () => {
  const { box, reach, frames } = steadyShot([face()]);
  assert.ok(Math.abs(box.centre.y - 102.18) < 0.3, `middle line at ${box.centre.y}`);
  assert.ok(Math.abs(reach - (204.03 - 102.18)) < 0.3);
  assert.ok(Math.abs(box.height - 2.2 * reach) < 1e-4);
  assert.ok(Math.abs(box.centre.x - 100) < 0.01);
  assert.ok(Math.abs(box.width - 1.04 * 153.2) < 0.5, `width ${box.width}`);
  assert.deepEqual(Object.keys(frames[0]!).sort(), ['aligned', 'box', 'opening', 'toShot']);
});

test('the box goes with the skull and is not moved by the mouth', () => {
  const shot = steadyShot(Array.from({ length: 40 }, (_, i) => face({ open: 8 * (1 + Math.sin(i)) })));
  for (const frame of shot.frames) {
    assert.ok(Math.abs(frame!.box.height - shot.frames[0]!.box.height) < 1e-3);
    assert.ok(Math.abs(frame!.box.centre.y - shot.frames[0]!.box.centre.y) < 1e-3);
  }
  const openings = shot.frames.map((frame) => frame!.opening * shot.box.height);
  for (const [i, opening] of openings.entries()) {
    assert.ok(Math.abs(opening - lipOpening(face({ open: 8 * (1 + Math.sin(i)) }))) < 0.01);
  }
});

test('scale, turn and shift of the head are taken out of the shapes and given to the boxes', () => {
  const poses = Array.from({ length: 31 }, (_, i): Pose => {
    const t = (i - 15) / 15;
    return { scale: 1 + 0.2 * t, turn: 0.2 * t, x: 40 * t, y: -20 * t };
  });
  const shot = steadyShot(poses.map(face));
  const still = shot.frames[15]!.aligned;
  for (const frame of shot.frames) {
    assert.ok(frame!.aligned.every((value, i) => Math.abs(value - still[i]!) < 0.01));
  }
  const { box } = shot.frames[20]!;
  assert.ok(Math.abs(box.height / shot.box.height - (1 + 0.2 / 3)) < 1e-3);
  assert.ok(box.angle === 0);
  assert.ok(box.centre.x > shot.frames[15]!.box.centre.x + 10);
});

test('shaking landmarks shake the box far less', () => {
  const shake = (i: number) => (Math.sin(i * 12.9898) * 43758.5453) % 1;
  const shot = (smoothing: number) =>
    steadyShot(
      Array.from({ length: 80 }, (_, i) => face({ x: shake(i), y: shake(i + 100) })),
      { smoothing },
    ).frames.map((frame) => frame!.box.centre.x);
  const steps = (xs: readonly number[]) => Math.hypot(...xs.slice(1).map((x, i) => x - xs[i]!));
  assert.ok(steps(shot(1.5)) < 0.3 * steps(shot(0)));
});

test('the closed mouth is taken from the frames with the least open lips', () => {
  const shot = steadyShot(Array.from({ length: 10 }, (_, i) => face({ open: i < 4 ? 0 : 15 })));
  assert.ok(Math.abs(lipOpening(shot.neutral, 2) - lipOpening(face())) < 0.01);
});

test('frames without a face stay empty, and a shot without any has no box', () => {
  const shot = steadyShot([face(), null, face({ x: 50 })]);
  assert.equal(shot.frames[1], null);
  assert.ok(shot.frames[2]!.box.centre.x - shot.frames[0]!.box.centre.x > 49);
  assert.throws(() => steadyShot([null]), RangeError);
});
