import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Tensor, tensor } from '../../core/tensor.ts';
import { asFloat32, castFloat } from './cast.ts';
import { openCheckpoint } from './open-checkpoint.ts';
import { type NamedTensor, writeSafetensors } from './write-safetensors.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'musetalk-weights-'));
});
after(() => rm(folder, { recursive: true }));

const TENSORS: readonly NamedTensor[] = [
  named('bool', { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) }),
  named('half', { dtype: 'float16', shape: [3], data: Uint16Array.of(0x3c00, 0x7c00, 1) }),
  named('bfloat', { dtype: 'bfloat16', shape: [1], data: Uint16Array.of(0x3f80) }),
  named('10', { dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }),
  named('__proto__', { dtype: 'float64', shape: [], data: Float64Array.of(Math.PI) }),
  named('i64', { dtype: 'int64', shape: [2], data: BigInt64Array.of(2n ** 62n + 1n, -1n) }),
  named('i32', { dtype: 'int32', shape: [1], data: Int32Array.of(-7) }),
  named('i16', { dtype: 'int16', shape: [1], data: Int16Array.of(-7) }),
  named('i8', { dtype: 'int8', shape: [1], data: Int8Array.of(-7) }),
  named('empty', { dtype: 'float32', shape: [0, 3], data: new Float32Array() }),
];

test('what was written reads back, of every type, aligned to its width', async () => {
  const path = join(folder, 'all.safetensors');
  await writeSafetensors(path, TENSORS, { format: 'pt', note: 'été' });
  const checkpoint = await openCheckpoint(path);
  assert.equal(checkpoint.entries.size, TENSORS.length);
  for (const { name, tensor } of TENSORS) {
    assert.deepEqual(await checkpoint.read(name), tensor);
    const { location } = checkpoint.entries.get(name)!;
    assert.equal(location.offset % (tensor as Tensor).data.BYTES_PER_ELEMENT, 0, name);
  }
  assert.deepEqual(
    [...checkpoint.metadata],
    [
      ['format', 'pt'],
      ['note', 'été'],
    ],
  );
  await checkpoint.close();
});

test('a deferred tensor is loaded when it is its turn', async () => {
  const path = join(folder, 'deferred.safetensors');
  const order: string[] = [];
  const deferred = (name: string): NamedTensor => ({
    name,
    tensor: {
      dtype: 'float32',
      shape: [1],
      load: async () => {
        order.push(name);
        return tensor([1], Float32Array.of(order.length));
      },
    },
  });
  await writeSafetensors(path, [deferred('a'), deferred('b')]);
  assert.deepEqual(order, ['a', 'b']);
});

test('a failed writing leaves the old file and nothing beside it', async () => {
  const path = join(folder, 'kept.safetensors');
  await writeSafetensors(path, [named('w', tensor([1]))]);
  const old = await readFile(path);
  const broken: NamedTensor = {
    name: 'w',
    tensor: { dtype: 'float32', shape: [2], load: () => Promise.reject(new Error('no more')) },
  };
  await assert.rejects(writeSafetensors(path, [broken]), /no more/);
  assert.deepEqual(await readFile(path), old);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('a folder that does not exist is a writing error with its path', async () => {
  const path = join(folder, 'nowhere', 'w.safetensors');
  await assert.rejects(writeSafetensors(path, []), { code: 'CANNOT_WRITE', message: /nowhere/ });
});

test('names and shapes that contradict themselves are refused before anything is written', async () => {
  const path = join(folder, 'twice.safetensors');
  const twice = [named('w', tensor([1])), named('w', tensor([1]))];
  await assert.rejects(writeSafetensors(path, twice), RangeError);
});

test('int64 becomes the nearest float32, also where a double lies between', () => {
  // 2⁵⁸ + 2³⁴ lies half way between two float32; one more makes the upper one nearer, and a double loses that one.
  const tie = 2n ** 58n + 2n ** 34n;
  const { data } = asFloat32({
    dtype: 'int64',
    shape: [3],
    data: BigInt64Array.of(tie, tie + 1n, -tie - 1n),
  });
  assert.deepEqual([...data], [2 ** 58, 2 ** 58 + 2 ** 35, -(2 ** 58) - 2 ** 35]);
});

test('floats are cast between the types that weights are stored in', () => {
  const half = castFloat(tensor([2], Float32Array.of(1, 1e-8)), 'float16');
  assert.deepEqual(half, { dtype: 'float16', shape: [2], data: Uint16Array.of(0x3c00, 0) });
  assert.deepEqual(castFloat(half, 'bfloat16').data, Uint16Array.of(0x3f80, 0));
});

function named(name: string, tensor: Tensor): NamedTensor {
  return { name, tensor };
}
