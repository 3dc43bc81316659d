import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { MuseTalkError } from '../core/errors.ts';
import { runGraph } from './session.ts';
import { readTflite, type TfliteModel, type TfliteOperator, type TfliteOptions } from './tflite.ts';
import { samePadding, tfliteGraph } from './tflite-graph.ts';
import { input } from './value.ts';

const folder = dirname(createRequire(import.meta.url).resolve('@mediapipe/face_detection/package.json'));
const bytes = new Uint8Array(readFileSync(join(folder, 'face_detection_short_range.tflite')));

test('a real file gives its tensors and operators', () => {
  const model = readTflite(bytes, 'short range');
  assert.deepEqual(shapesOf(model, model.inputs), [[1, 128, 128, 3]]);
  assert.deepEqual(shapesOf(model, model.outputs), [
    [1, 896, 16],
    [1, 896, 1],
  ]);
  const first = model.operators.find(({ name }) => name === 'CONV_2D')!;
  assert.deepEqual(first.options.stride, [2, 2]);
  assert.equal(first.options.padding, 'same');
  assert.equal(first.options.activation, 'none'); // the file has RELU as an operator of its own
});

test('its graph has the shapes that the file states, with a free batch', () => {
  const outputs = tfliteGraph(readTflite(bytes, 'short range'), input('x', ['B', 3, 128, 128]));
  assert.deepEqual(
    outputs.map(({ shape }) => shape),
    [
      ['B', 896, 16],
      ['B', 896, 1],
    ],
  );
});

test('a file of another kind is refused by name', () => {
  assert.throws(() => readTflite(new TextEncoder().encode('<!DOCTYPE html>'), 'page.tflite'), {
    code: 'WRONG_FILE',
    message: 'page.tflite is not a TensorFlow Lite file',
  });
});

test('a file cut short is refused wherever it ends', () => {
  for (let length = 8; length < bytes.length; length = Math.ceil(length * 1.7)) {
    assert.throws(() => readTflite(bytes.subarray(0, length), 'cut'), isReport, `${length} bytes`);
  }
});

test('a damaged byte gives an error of ours or a graph, nothing else', () => {
  let refused = 0;
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  // The structure lies at both ends of the file; between are weights, which may be anything.
  for (let i = 0; i < 60; i++) {
    const damaged = bytes.slice();
    const at = i % 2 === 0 ? 8 + random(4096) : bytes.length - 1 - random(24_000);
    damaged[at] = random(256);
    try {
      tfliteGraph(readTflite(damaged, 'damaged'), input('x', ['B', 3, 128, 128]));
    } catch (error) {
      assert.ok(isReport(error), `byte ${at}: ${error}`);
      refused++;
    }
  }
  assert.ok(refused > 3, `only ${refused} of 60 were refused`);
});

test('padding "same" keeps ⌈size / stride⌉ outputs and puts the odd pixel behind', () => {
  assert.deepEqual(samePadding(128, 5, 2, 1), [1, 2]);
  assert.deepEqual(samePadding(128, 3, 1, 1), [1, 1]);
  assert.deepEqual(samePadding(8, 1, 2, 1), [0, 0]);
  assert.deepEqual(samePadding(9, 3, 1, 2), [2, 2]);
});

test('each operator agrees with its definition over rows, columns and channels', async () => {
  const data = Float32Array.from({ length: 4 * 4 * 2 }, (_, i) => Math.sin(i) * 2);
  const pixel = (y: number, x: number, c: number) =>
    y < 0 || x < 0 || y > 3 || x > 3 ? 0 : data[(y * 4 + x) * 2 + c]!;
  const weight = Float32Array.from({ length: 3 * 3 * 2 * 2 }, (_, i) => Math.cos(i));
  const bias = Float32Array.of(0.25, -0.5);
  const slopes = Float32Array.of(0.1, -3);
  const taps = Array.from({ length: 9 }, (_, i) => [Math.floor(i / 3), i % 3] as const);
  const sum = (terms: readonly number[]) => terms.reduce((a, b) => a + b, 0);

  const cases: OperatorCase[] = [
    {
      // [out, kh, kw, in], stride 2, "same": the padding of 1 lies behind.
      name: 'CONV_2D',
      size: 2,
      weights: [
        { shape: [2, 3, 3, 2], data: weight },
        { shape: [2], data: bias },
      ],
      options: { stride: [2, 2], activation: 'relu' },
      expected: (y, x, out) => {
        const terms = taps.flatMap(([ky, kx], tap) =>
          [0, 1].map((c) => weight[out * 18 + tap * 2 + c]! * pixel(2 * y + ky, 2 * x + kx, c)),
        );
        return Math.max(sum(terms) + bias[out]!, 0);
      },
    },
    {
      // [1, kh, kw, channels]
      name: 'DEPTHWISE_CONV_2D',
      size: 4,
      weights: [{ shape: [1, 3, 3, 2], data: weight.subarray(0, 18) }],
      expected: (y, x, c) =>
        sum(taps.map(([ky, kx], tap) => weight[tap * 2 + c]! * pixel(y + ky - 1, x + kx - 1, c))),
    },
    {
      name: 'PRELU',
      size: 4,
      weights: [{ shape: [1, 1, 2], data: slopes }],
      expected: (y, x, c) => pixel(y, x, c) * (pixel(y, x, c) < 0 ? slopes[c]! : 1),
    },
    {
      name: 'MAX_POOL_2D',
      size: 2,
      weights: [],
      options: { kernel: [2, 2], stride: [2, 2] },
      expected: (y, x, c) =>
        Math.max(...[0, 1, 2, 3].map((k) => pixel(2 * y + (k >> 1), 2 * x + (k & 1), c))),
    },
  ];
  const picture = input('x', ['B', 2, 4, 4]);
  const flat = tfliteGraph(modelOf({ name: 'RESHAPE', size: 4, weights: [], shape: [1, 32] }), picture)[0]!;
  const outputs = cases.map((c) => [c.name, tfliteGraph(modelOf(c), picture)[0]!] as const);
  const channelsFirst = Float32Array.from({ length: 32 }, (_, i) => data[(i % 16) * 2 + (i >> 4)]!);
  const x = { dtype: 'float32', shape: [1, 2, 4, 4], data: channelsFirst } as const;
  const results = await runGraph({ ...Object.fromEntries(outputs), flat }, { x });

  for (const { name, size, expected } of cases) {
    const values = Array.from({ length: 2 * size * size }, (_, i) =>
      expected(Math.floor(i / size) % size, i % size, Math.floor(i / size / size)),
    );
    expectClose(results[name]!, { shape: [1, 2, size, size], data: values }, { abs: 1e-5, rel: 0 }, name);
  }
  assert.deepEqual([...results.flat!.data], [...data]);
});

interface OneOperator {
  name: TfliteOperator['name'];
  /** Rows and columns of the output, which has two channels. */
  size: number;
  weights: readonly { shape: number[]; data: Float32Array }[];
  options?: Partial<TfliteOptions>;
  shape?: number[];
}

interface OperatorCase extends OneOperator {
  expected(y: number, x: number, c: number): number;
}

/** A model of one operator on a picture of 4 × 4 pixels and two channels. */
function modelOf({ name, size, weights, options, shape = [1, size, size, 2] }: OneOperator): TfliteModel {
  const activation = (of: number[]) => ({ dtype: 'float32', shape: of, constant: undefined }) as const;
  const constants = weights.map(
    (w) => ({ dtype: 'float32', shape: w.shape, constant: { dtype: 'float32', ...w } }) as const,
  );
  const inputs = [0, ...weights.map((_, i) => 2 + i)];
  return {
    name: 'made here',
    tensors: [activation([1, 4, 4, 2]), activation(shape), ...constants],
    operators: [{ name, inputs, output: 1, options: { ...DEFAULTS, ...options } }],
    inputs: [0],
    outputs: [1],
  };
}

const DEFAULTS: TfliteOptions = {
  padding: 'same',
  stride: [1, 1],
  dilation: [1, 1],
  kernel: [1, 1],
  activation: 'none',
  axis: 0,
  alignCorners: false,
  halfPixelCentres: false,
};

function shapesOf(model: TfliteModel, indices: readonly number[]) {
  return indices.map((index) => [...model.tensors[index]!.shape]);
}

function isReport(error: unknown): boolean {
  return error instanceof MuseTalkError && ['BAD_FILE', 'WRONG_FILE', 'GRAPH'].includes(error.code);
}
