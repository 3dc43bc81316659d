import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectClose } from '../../../test/close.ts';
import { readNpy } from '../../../test/npy.ts';
import { fixturePath, sharedPath } from '../../../test/shared.ts';
import type { Tensor } from '../../core/tensor.ts';
import { asFloat32 } from './cast.ts';
import { openFileSource } from './file-source.ts';
import { openCheckpoint } from './open-checkpoint.ts';
import { readPickle } from './read-pickle.ts';

// Files as others wrote them: what upstream keeps of an avatar, and small published networks.

const full = process.env.MUSETALK_GOLDEN === 'full';

test('the coordinates that upstream saved of an avatar are read: NumPy integers in a pickle', async () => {
  const coords = (await unpickled(fixturePath('checkpoints', 'avatar', 'coords.pkl'))) as number[][];
  assert.equal(coords.length, 12);
  assert.deepEqual(coords.slice(0, 2), [
    [34, 21, 84, 89],
    [38, 17, 88, 85],
  ]);
});

test('saved latents agree with the numbers beside them, all at once or one by one', async (t) => {
  const folder = full ? sharedPath('golden', 'avatar') : undefined;
  if (folder === undefined) return t.skip('needs the whole golden data');
  const expected = asFloat32(readNpy(`${folder}/latents.npy`));
  const size = expected.data.length / expected.shape[0]!;
  const list = (await unpickled(`${folder}/avatar/latents.pt`)) as Tensor[];
  assert.equal(list.length, expected.shape[0]);
  const checkpoint = await openCheckpoint(`${folder}/avatar/latents.pt`);
  for (const [i, tensor] of list.entries()) {
    const wanted = { data: expected.data.subarray(i * size, (i + 1) * size) };
    expectClose({ data: asFloat32(tensor).data }, wanted, 'exact', `latents ${i}`);
    expectClose({ data: (await checkpoint.readFloat(String(i))).data }, wanted, 'exact', `latents ${i}`);
  }
  await checkpoint.close();
});

const PUBLISHED: readonly (readonly [file: string, tensors: number, elements: number])[] = [
  ['taef2_encoder.pth', 79, 1_338_528],
  ['taef2_decoder.pth', 79, 1_338_499],
  ['silero_vad_16k.safetensors', 15, 309_633],
];

for (const [file, tensors, elements] of PUBLISHED) {
  test(`${file} gives all its numbers, and they are finite`, async (t) => {
    const path = full ? sharedPath('models', file) : undefined;
    if (path === undefined) return t.skip('needs the whole golden data');
    const checkpoint = await openCheckpoint(path);
    assert.equal(checkpoint.entries.size, tensors);
    let counted = 0;
    for (const name of checkpoint.entries.keys()) {
      const { data } = await checkpoint.readFloat(name);
      assert.ok(data.every(Number.isFinite), name);
      counted += data.length;
    }
    assert.equal(counted, elements);
    await checkpoint.close();
  });
}

async function unpickled(path: string): Promise<unknown> {
  const source = await openFileSource(path);
  try {
    return await readPickle(source);
  } finally {
    await source.close();
  }
}
