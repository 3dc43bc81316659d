import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { tensor } from '../core/tensor.ts';
import { add, mul, silu } from './ops/arithmetic.ts';
import { conv, dense, matmul, resizeBilinear, upsampleNearest } from './ops/conv.ts';
import { pixelShuffle, pixelUnshuffle, reshape } from './ops/shape.ts';
import { loadGraph, runGraph } from './session.ts';
import { constant, deferredConstant, input } from './value.ts';

const counting = (...shape: number[]) =>
  tensor(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
  );

test('a graph with a named batch runs for any batch', async () => {
  const x = input('x', ['B', 2, 3]);
  const w = constant(counting(4, 3));
  const session = await loadGraph({ y: reshape(dense(x, w), ['B', 8]) });
  for (const batch of [1, 3]) {
    const { y } = await session.run({ x: counting(batch, 2, 3) });
    assert.deepEqual(y!.shape, [batch, 8]);
    assert.equal((y!.data as Float32Array)[1], 0 * 3 + 1 * 4 + 2 * 5);
  }
  await session.close();
});

test('folding pixels into channels and back changes nothing', async () => {
  const x = input('x', ['B', 3, 8, 8]);
  const { y } = await runGraph({ y: pixelShuffle(pixelUnshuffle(x, 4), 4) }, { x: counting(2, 3, 8, 8) });
  assert.deepEqual(y!.data, counting(2, 3, 8, 8).data);
});

test('resizing gives exactly the size that was asked for', async () => {
  const x = input('x', ['B', 1, 7, 5]);
  const y = resizeBilinear(x, 29, 31);
  const z = upsampleNearest(x);
  const results = await runGraph({ y, z }, { x: counting(1, 1, 7, 5) });
  assert.deepEqual(results.y!.shape, [1, 1, 29, 31]);
  assert.deepEqual(results.z!.shape, [1, 1, 14, 10]);
});

test('shapes that do not fit are named where they are written', () => {
  const x = input('x', ['B', 2, 3]);
  assert.throws(
    () => matmul(x, input('y', ['B', 2, 3])),
    /MatMul: inner sizes differ: \[B, 2, 3\] and \[B, 2, 3\]/,
  );
  assert.throws(() => add(x, input('y', [4, 1, 2])), /cannot be combined/);
});

test('a wrong feed is refused with both shapes', async () => {
  const x = input('x', ['B', 2]);
  await assert.rejects(
    runGraph({ y: silu(x) }, { x: tensor([1, 3]) }),
    /wants float32 \[B, 2\] and got float32 \[1, 3\]/,
  );
});

test('an abort ends the wait with the signal’s reason', async () => {
  const x = input('x', [1, 16, 64, 64]);
  const session = await loadGraph({
    y: conv(x, constant(tensor([16, 16, 3, 3])), undefined, { padding: 1 }),
  });
  const controller = new AbortController();
  const run = session.run({ x: tensor([1, 16, 64, 64]) }, { signal: controller.signal });
  controller.abort(new Error('enough'));
  await assert.rejects(run, /enough/);
  await session.close();
});

// When the thread is ended under it, ONNX Runtime throws where nobody can catch, and this very process is gone.
test('an engine that is closed while it runs ends after the run, and the process lives on', async () => {
  const x = input('x', [500, 500]);
  let y = x;
  for (let i = 0; i < 8; i++) y = matmul(y, x);
  for (const delay of [0, 3, 6, 10, 15]) {
    const session = await loadGraph({ y });
    const signal = AbortSignal.timeout(delay);
    await session.run({ x: tensor([500, 500]) }, { signal }).catch((error) => {
      assert.equal(error, signal.reason);
    });
    await session.close();
  }
});

test('weights are read where they lie in a file, and the graph is written once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'musetalk-graph-'));
  try {
    const path = join(folder, 'weights.bin');
    await writeFile(path, Buffer.concat([Buffer.alloc(64), Buffer.from(Float32Array.of(1, 2, 3).buffer)]));
    const cacheFolder = join(folder, 'cache');
    const w = deferredConstant('float32', [3], { file: { path, offset: 64, length: 12 } }, 'w');
    const later = deferredConstant('float32', [3], { load: async () => counting(3) });
    for (let start = 0; start < 2; start++) {
      const session = await loadGraph({ y: add(mul(input('x', [3]), w), later) }, { cacheFolder });
      const { y } = await session.run({ x: tensor([3], Float32Array.of(10, 10, 10)) });
      assert.deepEqual([...(y!.data as Float32Array)], [10, 21, 32]);
      await session.close();
    }
    const entries = await readdir(cacheFolder);
    assert.equal(entries.length, 1);
    assert.deepEqual((await readdir(join(cacheFolder, entries[0]!))).sort(), ['model.onnx', 'weights-0.bin']);
  } finally {
    await rm(folder, { recursive: true });
  }
});
