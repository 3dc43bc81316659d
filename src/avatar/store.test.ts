import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { tensor } from '../core/tensor.ts';
import { image } from '../image/image.ts';
import { type AvatarFace, AvatarStore } from './store.ts';

const root = await mkdtemp(join(tmpdir(), 'store-'));
after(() => rm(root, { recursive: true }));

const HEADER = { key: 'a', latentShape: [2, 3], latentType: 'float32', frameCount: 10 } as const;

function face(seed: number): AvatarFace {
  return {
    box: { x1: seed, y1: -2, x2: seed + 9, y2: 30 },
    latents: tensor(
      [2, 3],
      Float32Array.from({ length: 6 }, (_, i) => seed + i / 7),
    ),
    mask: {
      crop: { x1: seed, y1: 5, x2: seed + 4, y2: 8 },
      mask: image(
        4,
        3,
        1,
        Uint8Array.from({ length: 12 }, (_, i) => (i * seed) % 256),
      ),
    },
    opening: seed / 100,
  };
}

async function filled(folder: string): Promise<AvatarStore> {
  const store = await AvatarStore.open(folder, HEADER);
  for (const entry of [face(1), null, face(2), face(3)]) await store.add(entry);
  return store;
}

test('what was put in comes out, in any order, also after reopening', async () => {
  const folder = join(root, 'again');
  await (await filled(folder)).close();
  const store = await AvatarStore.open(folder, HEADER);
  assert.equal(store.count, 4);
  assert.equal(store.faceCount, 3);
  for (const frame of [3, 0, 2, 2, 0]) {
    assert.deepEqual(await store.face(frame), face([1, 0, 2, 3][frame]!));
  }
  assert.equal(await store.face(1), null);
  assert.equal(store.opening(2), 0.02);
  assert.ok(Number.isNaN(store.opening(1)));
  await assert.rejects(store.face(4), RangeError);
  await store.add(face(4));
  assert.deepEqual(await store.face(4), face(4));
  await store.close();
});

test('an incomplete store is cut to whole batches, a complete one is kept', async () => {
  const folder = join(root, 'batches');
  await (await filled(folder)).close();
  const cut = await AvatarStore.open(folder, HEADER, 3);
  assert.equal(cut.count, 3);
  await cut.add(face(7));
  assert.deepEqual(await cut.face(3), face(7));
  await cut.close();

  const whole = join(root, 'whole');
  const header = { ...HEADER, frameCount: 4 };
  const store = await AvatarStore.open(whole, header);
  for (const entry of [face(1), null, face(2), face(3)]) await store.add(entry);
  await store.close();
  const again = await AvatarStore.open(whole, header, 3);
  assert.equal(again.count, 4);
  await again.close();
});

test('a store with another header begins anew', async () => {
  const folder = join(root, 'other');
  await (await filled(folder)).close();
  const store = await AvatarStore.open(folder, { ...HEADER, key: 'b' });
  assert.equal(store.count, 0);
  await store.close();
});

test('whatever a killed process leaves, the whole part is kept and can be continued', async () => {
  const data = (folder: string) => join(folder, 'faces.bin');
  const index = (folder: string) => join(folder, 'faces.jsonl');
  const damages: [string, number, (folder: string) => Promise<unknown>][] = [
    ['half a line', 4, (folder) => appendFile(index(folder), '{"box":[1,')],
    ['a record without its line', 4, (folder) => appendFile(data(folder), 'abc')],
    ['a line without its record', 3, (folder) => truncate(data(folder), 60)],
    [
      'a changed byte',
      2,
      async (folder) => {
        const bytes = await readFile(data(folder));
        bytes[bytes.length - 40]! ^= 1;
        await writeFile(data(folder), bytes);
      },
    ],
  ];
  for (const [what, kept, damage] of damages) {
    const folder = join(root, what);
    await (await filled(folder)).close();
    await damage(folder);
    const store = await AvatarStore.open(folder, HEADER);
    assert.ok(store.count <= kept && store.count >= 2, `${what}: ${store.count} kept`);
    const count = store.count;
    await store.add(face(9));
    assert.deepEqual(await store.face(0), face(1), what);
    assert.deepEqual(await store.face(count), face(9), what);
    await store.close();
  }
});
