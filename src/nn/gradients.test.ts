// Every row of the table of derivatives against finite differences.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { FloatTensor } from '../core/tensor.ts';
import { sizeOf } from '../core/tensor.ts';
import { gradients, stopGradient } from './gradients.ts';
import {
  abs,
  add,
  cast,
  clip,
  div,
  erf,
  exp,
  greater,
  hardSigmoid,
  leakyRelu,
  log,
  maximum,
  minimum,
  mul,
  neg,
  relu,
  sigmoid,
  silu,
  sqrt,
  sub,
  tanh,
  where,
} from './ops/arithmetic.ts';
import {
  averagePool,
  conv,
  convTranspose,
  gemm,
  matmul,
  maxPool,
  resizeBilinear,
  resizeNearest,
  upsampleNearest,
} from './ops/conv.ts';
import { instanceNormalization, layerNormalization, mean, softmax, sum, sumAll } from './ops/reduce.ts';
import {
  concat,
  expand,
  flip,
  gather,
  pad,
  reshape,
  slice,
  split,
  transpose,
  unsqueeze,
} from './ops/shape.ts';
import { seededUniform } from './seeded-weights.ts';
import { Engine } from './session.ts';
import { apply, constant, input, scalar, type Value } from './value.ts';

interface Case {
  /** The operators whose rows this checks, and what is special. */
  name: string;
  /** Shapes of the inputs. */
  shapes: readonly (readonly number[])[];
  /** The operator. */
  f: (...x: Value[]) => Value;
  /** Numbers are uniform in this range. Default −1 … 1. */
  range?: readonly [number, number];
}

const picture = [2, 4, 5, 6];

const CASES: readonly Case[] = [
  {
    name: 'Add of broadcast shapes',
    shapes: [
      [2, 3, 4],
      [3, 1],
    ],
    f: add,
  },
  { name: 'Sub of broadcast shapes', shapes: [[4], [2, 3, 4]], f: sub },
  {
    name: 'Mul of broadcast shapes',
    shapes: [
      [2, 3, 4],
      [1, 4],
    ],
    f: mul,
  },
  { name: 'Mul of a value with itself', shapes: [[5]], f: (x) => mul(x, x) },
  { name: 'Div', shapes: [[2, 3], [3]], f: div, range: [1, 2] },
  { name: 'Max', shapes: [[3, 4], [4]], f: maximum },
  { name: 'Min', shapes: [[3, 4], [4]], f: minimum },
  {
    name: 'Where',
    shapes: [
      [3, 4],
      [3, 4],
    ],
    f: (a, b) => where(greater(a, 0.2), mul(a, 3), b),
  },
  { name: 'Neg', shapes: [[5]], f: neg },
  { name: 'Abs', shapes: [[9]], f: abs },
  { name: 'Exp', shapes: [[5]], f: exp },
  { name: 'Log', shapes: [[5]], f: log, range: [0.5, 2] },
  { name: 'Sqrt', shapes: [[5]], f: sqrt, range: [0.5, 2] },
  { name: 'Erf', shapes: [[5]], f: erf },
  { name: 'Sigmoid', shapes: [[5]], f: sigmoid },
  { name: 'Tanh', shapes: [[5]], f: tanh },
  { name: 'Relu', shapes: [[9]], f: relu },
  { name: 'LeakyRelu', shapes: [[9]], f: (x) => leakyRelu(x, 0.2) },
  { name: 'HardSigmoid', shapes: [[9]], f: hardSigmoid, range: [-5, 5] },
  { name: 'Clip', shapes: [[9]], f: (x) => clip(x, -0.5, 0.5) },
  {
    name: 'Cast and Identity',
    shapes: [[4]],
    f: (x) => cast(cast(apply('Identity', [x], [4]), 'float64'), 'float32'),
  },

  {
    name: 'MatMul of matrices',
    shapes: [
      [3, 4],
      [4, 5],
    ],
    f: matmul,
  },
  {
    name: 'MatMul with broadcast batch axes',
    shapes: [
      [2, 1, 3, 4],
      [5, 4, 2],
    ],
    f: matmul,
  },
  { name: 'Gemm with bias', shapes: [[3, 4], [4, 5], [5]], f: (a, b, c) => gemm(a!, b!, c) },
  {
    name: 'Gemm, first transposed',
    shapes: [
      [4, 3],
      [4, 5],
    ],
    f: (a, b) => gemm(a, b, undefined, { transA: true }),
  },
  {
    name: 'Gemm, second transposed',
    shapes: [
      [3, 4],
      [5, 4],
    ],
    f: (a, b) => gemm(a, b, undefined, { transB: true }),
  },
  {
    name: 'Gemm, both transposed',
    shapes: [
      [4, 3],
      [5, 4],
    ],
    f: (a, b) => gemm(a, b, undefined, { transA: true, transB: true }),
  },
  { name: 'Mul by its own sigmoid', shapes: [picture], f: (x) => silu(x) },
  {
    name: 'Conv 3×3 with bias',
    shapes: [picture, [3, 4, 3, 3], [3]],
    f: (x, w, b) => conv(x!, w!, b, { padding: 1 }),
  },
  { name: 'Conv 1×1', shapes: [picture, [3, 4, 1, 1]], f: (x, w) => conv(x, w, undefined) },
  {
    name: 'Conv of a large picture, taken picture by picture',
    shapes: [
      [2, 1, 48, 48],
      [2, 1, 3, 3],
    ],
    f: (x, w) => conv(x, w, undefined, { padding: 1 }),
  },
  {
    name: 'Conv with stride 2 that leaves a row over',
    shapes: [picture, [3, 4, 2, 3]],
    f: (x, w) => conv(x, w, undefined, { stride: 2, padding: [0, 1, 0, 1] }),
  },
  {
    name: 'Conv with stride 1 down and 2 across, padded on two sides',
    shapes: [picture, [3, 4, 3, 3]],
    f: (x, w) => conv(x, w, undefined, { stride: [1, 2], padding: [0, 1, 1, 1] }),
  },
  {
    name: 'Conv padded by more than its kernel reaches',
    shapes: [
      [1, 2, 3, 3],
      [2, 2, 2, 2],
    ],
    f: (x, w) => conv(x, w, undefined, { padding: 2 }),
  },
  {
    name: 'Conv 3×3 of a single pixel, whose outer kernel sees nothing but padding',
    shapes: [
      [2, 3, 1, 1],
      [2, 3, 3, 3],
    ],
    f: (x, w) => conv(x, w, undefined, { padding: 1 }),
  },
  {
    name: 'Conv with dilation',
    shapes: [picture, [3, 4, 2, 2]],
    f: (x, w) => conv(x, w, undefined, { dilation: 2, padding: 1 }),
  },
  {
    name: 'Conv in two groups',
    shapes: [picture, [6, 2, 3, 3]],
    f: (x, w) => conv(x, w, undefined, { groups: 2, padding: 1 }),
  },
  {
    name: 'Conv of each channel alone',
    shapes: [picture, [4, 1, 3, 3]],
    f: (x, w) => conv(x, w, undefined, { groups: 4, stride: 2 }),
  },
  {
    name: 'Conv over time',
    shapes: [
      [2, 3, 8],
      [4, 3, 3],
    ],
    f: (x, w) => conv(x, w, undefined, { stride: 2, padding: 1 }),
  },
  {
    name: 'ConvTranspose',
    shapes: [
      [2, 3, 4, 4],
      [3, 2, 4, 4],
    ],
    f: (x, w) => convTranspose(x, w, { stride: 2, padding: 1 }),
  },
  {
    name: 'ConvTranspose with an extra row',
    shapes: [
      [2, 4, 3, 3],
      [4, 1, 3, 3],
    ],
    f: (x, w) => convTranspose(x, w, { stride: 2, padding: 1, outputPadding: [1, 1], groups: 2 }),
  },
  { name: 'AveragePool that drops a row', shapes: [picture], f: (x) => averagePool(x, { kernel: 2 }) },
  {
    name: 'AveragePool with windows that overlap',
    shapes: [picture],
    f: (x) => averagePool(x, { kernel: 3, stride: 2 }),
  },
  { name: 'MaxPool that drops a row', shapes: [picture], f: (x) => maxPool(x, { kernel: 2 }) },
  { name: 'Resize, nearest ×2', shapes: [picture], f: (x) => upsampleNearest(x) },
  {
    name: 'Resize, nearest ×2, of which rows are cut',
    shapes: [picture],
    f: (x) => slice(upsampleNearest(x), 2, 3, 10),
  },
  { name: 'Resize, nearest to any size', shapes: [picture], f: (x) => resizeNearest(x, 7, 4) },
  { name: 'Resize, bilinear', shapes: [picture], f: (x) => resizeBilinear(x, 3, 9) },
  {
    name: 'Resize, bilinear, corners aligned',
    shapes: [picture],
    f: (x) => resizeBilinear(x, 8, 4, { alignCorners: true }),
  },

  { name: 'ReduceSum', shapes: [[2, 3, 4]], f: (x) => sum(x, [0, -1]) },
  { name: 'ReduceMean with axes kept', shapes: [[2, 3, 4]], f: (x) => mean(x, [1], { keep: true }) },
  { name: 'Softmax over the last axis', shapes: [[2, 3, 4]], f: (x) => softmax(x) },
  { name: 'Softmax over the middle axis', shapes: [[2, 3, 4]], f: (x) => softmax(x, 1) },
  {
    name: 'LayerNormalization',
    shapes: [[2, 3, 5], [5], [5]],
    f: (x, s, b) => layerNormalization(x!, s!, b!),
  },
  {
    name: 'InstanceNormalization',
    shapes: [picture, [4], [4]],
    f: (x, s, b) => instanceNormalization(x!, s!, b!),
  },
  {
    name: 'InstanceNormalization scaled by ones',
    shapes: [picture],
    f: (x) => instanceNormalization(x, filled(4, 1), filled(4, 0)),
  },
  {
    name: 'BatchNormalization',
    shapes: [picture, [4], [4]],
    f: (x, s, b) => apply('BatchNormalization', [x!, s!, b!, filled(4, 0.3), filled(4, 2)], picture),
  },

  { name: 'Reshape', shapes: [[2, 6]], f: (x) => reshape(x, [3, 4]) },
  { name: 'Unsqueeze', shapes: [[2, 3]], f: (x) => unsqueeze(x, [0, 2]) },
  { name: 'Expand', shapes: [[2, 1]], f: (x) => expand(x, [3, 2, 4]) },
  { name: 'Transpose', shapes: [[2, 3, 4]], f: (x) => transpose(x, [2, 0, 1]) },
  {
    name: 'Concat',
    shapes: [
      [2, 3],
      [2, 2],
    ],
    f: (a, b) => concat([a, b, a], 1),
  },
  { name: 'Split of which a part is unused', shapes: [[2, 7]], f: (x) => mul(split(x, [2, 3, 2], 1)[1]!, 3) },
  { name: 'Slice', shapes: [[5, 6]], f: (x) => slice(slice(x, 0, 1, 4), 1, 2, 5) },
  { name: 'Slice of every second', shapes: [[5, 6]], f: (x) => slice(x, 1, 1, 6, 2) },
  { name: 'Slice backward', shapes: [[5, 6]], f: (x) => flip(x, 0) },
  { name: 'Pad', shapes: [[3, 4]], f: (x) => pad(x, [1, 0], [0, 2], { value: 3 }) },
  { name: 'Gather with a row taken twice', shapes: [[4, 3, 2]], f: (x) => gather(x, [2, 0, 2], 1) },
  { name: 'Gather from a vector', shapes: [[4]], f: (x) => gather(x, [3, 3, 1], 0) },
];

function filled(size: number, number: number): Value {
  return constant({ dtype: 'float32', shape: [size], data: new Float32Array(size).fill(number) });
}

function numbers(
  shape: readonly number[],
  seed: number,
  [low, high] = [-1, 1] as readonly [number, number],
): FloatTensor {
  const data = Float32Array.from(
    { length: sizeOf(shape) },
    (_, i) => low + ((high - low) * (seededUniform(seed, i) + 1)) / 2,
  );
  return { dtype: 'float32', shape, data };
}

const engine = new Engine();
after(() => engine.close());

for (const { name, shapes, f, range } of CASES) {
  test(`the derivative of ${name} agrees with finite differences`, async () => {
    const inputs = shapes.map((shape, i) => input(`x${i}`, shape));
    const y = f(...inputs);
    // Every element of the result counts with a weight of its own, so that no two can be exchanged unseen.
    const loss = sumAll(mul(y, constant(numbers(y.shape.map(Number), 99))));
    const found = gradients(loss, inputs);
    const outputs = Object.fromEntries(
      found.map((value, i) => [`dx${i}`, apply('Identity', [value], value.shape)]),
    );
    const session = await engine.load({ loss, ...outputs });
    const feeds = Object.fromEntries(shapes.map((shape, i) => [`x${i}`, numbers(shape, i + 1, range)]));
    const actual = await session.run(feeds);

    const STEP = 1e-2;
    for (const [i, shape] of shapes.entries()) {
      const direction = numbers(shape, i + 50);
      const moved = async (by: number) => {
        const { data } = feeds[`x${i}`]!;
        const x = { ...feeds[`x${i}`]!, data: data.map((n, k) => n + by * direction.data[k]!) };
        return (await session.run({ ...feeds, [`x${i}`]: x })).loss!.data[0] as number;
      };
      const difference = ((await moved(STEP)) - (await moved(-STEP))) / (2 * STEP);
      const gradient = actual[`dx${i}`]!;
      assert.deepEqual([...gradient.shape], [...shape]);
      const along = (gradient.data as Float32Array).reduce((all, g, k) => all + g * direction.data[k]!, 0);
      const size = Math.max(Math.abs(along), 0.1);
      assert.ok(Math.abs(along - difference) < 0.01 * size, `input ${i}: ${along} instead of ${difference}`);
    }
    await session.close();
  });
}

test('no gradient passes a value that is held', async () => {
  const x = input('x', [3]);
  const [dx] = gradients(sumAll(mul(stopGradient(x), x)), [x]);
  const session = await engine.load({ dx: apply('Identity', [dx!], [3]) });
  const { dx: held } = await session.run({ x: numbers([3], 1) });
  await session.close();
  assert.deepEqual([...held!.data], [...numbers([3], 1).data]);
});

test('a value on which the loss does not depend has a gradient of zeros', () => {
  const [x, y] = [input('x', [2, 3]), input('y', [2])];
  const [dx] = gradients(sumAll(y), [x]);
  assert.deepEqual(dx!.shape, [2, 3]);
});

test('an operator without a derivative is named', () => {
  const x = input('x', [2]);
  assert.throws(() => gradients(sumAll(apply('Sinh', [x], [2])), [x]), /Sinh has no gradient/);
  // What only leads to other values does no harm.
  gradients(add(sumAll(apply('Sinh', [x], [2])), scalar(1)), [input('y', [2])]);
});
