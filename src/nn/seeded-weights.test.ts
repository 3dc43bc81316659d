import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fnv1a, seededTensor, seededUniform } from './seeded-weights.ts';

test('the hash of a name is FNV-1a', () => {
  assert.equal(fnv1a(''), 2166136261);
  assert.equal(fnv1a('a'), 3826002220);
  assert.equal(fnv1a('encoder.mid_block.attentions.0.query.weight'), 2619309480);
});

test('the stream of seed 0 begins with known numbers', () => {
  const first = [0, 1, 2, 3].map((i) => seededUniform(0, i));
  assert.deepEqual(
    first,
    [-0.21574971731752157, 0.7011863719671965, 0.36884094029664993, -0.0026692068204283714],
  );
});

test('each kind of tensor has its own range', () => {
  const cases = [
    ['conv_in.weight', [32, 8, 3, 3], 0, [0.003618879010900855, 0.003218109719455242]],
    ['conv_in.weight', [16, 8, 3, 3], 12345, [-0.20000304281711578, -0.025993622839450836]],
    ['conv_in.bias', [32], 0, [-0.011769061908125877, 0.020911667495965958]],
    ['conv_norm_out.weight', [32], 0, [0.9737100005149841, 1.0890295505523682]],
    ['bn.running_var', [4], 0, [1.0418775081634521, 1.1433464288711548]],
    ['bn.running_mean', [4], 0, [-0.09810622781515121, -0.003922761883586645]],
  ] as const;
  for (const [name, shape, seed, expected] of cases) {
    assert.deepEqual([...seededTensor(name, shape, { seed }).data.slice(0, 2)], [...expected], name);
  }
});

test('a scale for one name changes that tensor only', () => {
  const overrides = { 'a.weight': { scale: 10 } };
  const plain = seededTensor('a.weight', [4]).data;
  assert.deepEqual(
    [...seededTensor('a.weight', [4], { overrides }).data].map((x) => Math.round(x * 1e4)),
    [...plain].map((x) => Math.round(x * 1e5)),
  );
  assert.deepEqual(seededTensor('b.weight', [4], { overrides }), seededTensor('b.weight', [4]));
});
