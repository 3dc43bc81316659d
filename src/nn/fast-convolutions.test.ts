import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { sizeOf, tensor } from '../core/tensor.ts';
import { withFastConvolutions } from './fast-convolutions.ts';
import { silu } from './ops/arithmetic.ts';
import { conv, upsampleNearest } from './ops/conv.ts';
import { seededTensor, seededUniform } from './seeded-weights.ts';
import { runGraph } from './session.ts';
import type { Value } from './value.ts';
import { constant, input, nodesOf } from './value.ts';

const weight = (shape: number[]) => constant(seededTensor('weight', shape));
const bias = (out: number) => constant(seededTensor('bias', [out]));

const count = (y: Value, op: string) => nodesOf([y]).filter((node) => node.op === op).length;

const cases: Record<string, { shape: number[]; build: (x: Value) => Value; convolutions: number }> = {
  'after a doubling': {
    shape: [2, 3, 5, 7],
    build: (x) => conv(upsampleNearest(x), weight([4, 3, 3, 3]), bias(4), { padding: 1 }),
    convolutions: 4,
  },
  'of a wide picture': {
    shape: [2, 256, 64, 64],
    build: (x) => conv(silu(x), weight([128, 256, 3, 3]), bias(128), { padding: 1 }),
    convolutions: 1,
  },
  'of a picture that is done in strips': {
    shape: [1, 256, 128, 272],
    build: (x) => conv(x, weight([128, 256, 3, 3]), undefined, { padding: 1 }),
    convolutions: 2,
  },
};

for (const [name, { shape, build, convolutions }] of Object.entries(cases)) {
  test(`a fast convolution ${name} gives the plain one’s numbers`, async () => {
    const x = input('x', ['B', ...shape.slice(1)]);
    const plain = build(x);
    const { fast } = withFastConvolutions({ fast: plain });
    assert.equal(count(fast, 'Conv'), convolutions);
    const numbers = Float32Array.from({ length: sizeOf(shape) }, (_, i) => seededUniform(1, i));
    const feeds = { x: tensor(shape, numbers) };
    // Outputs of one graph need different nodes, so the plain one is built again.
    const results = await runGraph({ plain: build(x), fast }, feeds);
    expectClose(results.fast!, results.plain!, { abs: 1e-4, rel: 0 });
  });
}

test('convolutions that are narrow, small, strided or trained stay as they are', () => {
  const wide = input('x', [1, 256, 64, 64]);
  const kernel = weight([128, 256, 3, 3]);
  const others = {
    narrow: conv(input('x', [1, 64, 64, 64]), weight([64, 64, 3, 3]), undefined, { padding: 1 }),
    small: conv(input('x', [1, 256, 32, 32]), kernel, undefined, { padding: 1 }),
    strided: conv(wide, kernel, undefined, { padding: 1, stride: 2 }),
    unpadded: conv(wide, kernel, undefined),
    trained: conv(wide, input('w', [128, 256, 3, 3]), undefined, { padding: 1 }),
  };
  for (const [name, y] of Object.entries(others)) assert.equal(withFastConvolutions({ y }).y, y, name);
});
