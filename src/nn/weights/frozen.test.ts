import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { float32ToBfloat16, float32ToFloat16 } from '../../core/float16.ts';
import type { Tensor } from '../../core/tensor.ts';
import { add } from '../ops/arithmetic.ts';
import { loadGraph } from '../session.ts';
import { input } from '../value.ts';
import { Weights } from '../weights.ts';
import { frozen } from './frozen.ts';
import { openCheckpoint } from './open-checkpoint.ts';
import { writeSafetensors } from './write-safetensors.ts';

const folder = await mkdtemp(join(tmpdir(), 'musetalk-frozen-'));
after(() => rm(folder, { recursive: true }));

const path = join(folder, 'weights.safetensors');
const numbers = Float32Array.of(1, -2.5, 0.125);
const tensors: Record<string, Tensor> = {
  single: { dtype: 'float32', shape: [3], data: numbers },
  half: { dtype: 'float16', shape: [3], data: float32ToFloat16(numbers) },
  brain: { dtype: 'bfloat16', shape: [3, 1], data: float32ToBfloat16(numbers) },
  double: { dtype: 'float64', shape: [3], data: Float64Array.from(numbers) },
};
await writeSafetensors(
  path,
  Object.entries(tensors).map(([name, tensor]) => ({ name, tensor })),
);

test('weights of every float type become constants, in place where ONNX can read them', async () => {
  const checkpoint = await openCheckpoint(path);
  const w = new Weights(frozen(checkpoint));
  const x = input('x', [3]);
  const outputs = Object.fromEntries(
    Object.keys(tensors).map((name) => [`${name}_out`, add(x, w.get(name, [3]))]),
  );
  const session = await loadGraph(outputs, { cacheFolder: join(folder, 'cache') });
  const results = await session.run({ x: { dtype: 'float32', shape: [3], data: Float32Array.of(1, 1, 1) } });
  for (const name of Object.keys(outputs)) {
    assert.deepEqual([...(results[name]!.data as Float32Array)], [2, -1.5, 1.125], name);
  }
  await session.close();
  await checkpoint.close();
});

test('a missing tensor and one of another shape are named with their file', async () => {
  const checkpoint = await openCheckpoint(path);
  const w = new Weights(frozen(checkpoint));
  assert.throws(
    () => w.at('conv').get('weight', [3]),
    /weights\.safetensors: the tensor conv\.weight is missing/,
  );
  assert.throws(
    () => w.get('single', [4]),
    /weights\.safetensors: single has the shape \[3\] instead of \[4\]/,
  );
  await checkpoint.close();
});
