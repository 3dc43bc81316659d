import assert from 'node:assert/strict';
import { test } from 'node:test';
import { latentNoise } from './latent-noise.ts';

const SHAPE = [4, 32, 32];

test('the numbers are normal', () => {
  const { data } = latentNoise([0, 1, 2, 3], SHAPE, 7).masked;
  const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
  const variance = data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length;
  const within = data.filter((x) => Math.abs(x) < 1).length / data.length;
  assert.ok(Math.abs(mean) < 0.03, `mean ${mean}`);
  assert.ok(Math.abs(variance - 1) < 0.04, `variance ${variance}`);
  assert.ok(Math.abs(within - 0.6827) < 0.015, `within one deviation ${within}`);
});

test('a frame has its numbers whatever stands beside it', () => {
  const alone = latentNoise([5], SHAPE, 7).reference.data;
  const third = latentNoise([3, 9, 5], SHAPE, 7).reference.data.slice(-alone.length);
  assert.deepEqual(third, alone);
  assert.notDeepEqual(latentNoise([5], SHAPE, 8).reference.data, alone);
  assert.notDeepEqual(latentNoise([5], SHAPE, 7).masked.data, alone);
});
