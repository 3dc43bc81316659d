import assert from 'node:assert/strict';
import { test } from 'node:test';
import { restPlan } from './rest.ts';

const OPENINGS = [0.1, 0.02, 0.08, 0.001, 0.12, Number.NaN, 0.006, 0.09];
const source = {
  sourceOf: (frame: number) => frame % OPENINGS.length,
  sourceCount: OPENINGS.length,
  opening: (frame: number) => OPENINGS[frame]!,
};
const weights = Float32Array.of(0, 0.5, 1, 1, 0.5, 0, 0, 1);

test('model: the networks draw silence', () => {
  const plan = restPlan(weights, { mode: 'model', ...source });
  assert.ok(plan.weights.every((weight) => weight === 0));
});

test('keep: every frame rests in its own mouth', () => {
  const plan = restPlan(weights, { mode: 'keep', ...source });
  assert.deepEqual(plan.weights, weights);
  assert.ok(plan.donors.every((donor) => donor === -1));
});

test('close: open mouths borrow the least open one about the beginning of the pause', () => {
  const plan = restPlan(weights, { mode: 'close', reach: 3, ...source });
  assert.deepEqual([...plan.donors], [-1, 3, 3, -1, 3, -1, -1, 6]);
});

test('close: without openings the frames keep their own mouths', () => {
  const plan = restPlan(weights, { mode: 'close', ...source, opening: () => Number.NaN });
  assert.ok(plan.donors.every((donor) => donor === -1));
  assert.deepEqual(plan.weights, weights);
});
