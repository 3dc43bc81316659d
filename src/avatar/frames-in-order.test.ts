import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame } from '../media/source.ts';
import { framesInOrder } from './frames-in-order.ts';
import { type SyncMode, sourceFrame } from './order.ts';

/** A video whose frames hold their own number; it counts how often and from where it was decoded. */
function counted(frameCount: number, width = 1, height = 1) {
  const passes: [number, number][] = [];
  async function* frames(start = 0, end = frameCount): AsyncGenerator<Frame> {
    passes.push([start, end]);
    for (let index = start; index < Math.min(end, frameCount); index++) {
      const data = new Uint8Array(width * height * 3).fill(index);
      yield { width, height, channels: 3, data, index, time: index / 25 };
    }
  }
  return { video: { width, height, frames }, passes };
}

async function numbersOf(video: ReturnType<typeof counted>['video'], order: number[]): Promise<number[]> {
  const seen: number[] = [];
  for await (const frame of framesInOrder(video, order)) {
    assert.equal(frame.data[0], frame.index, 'bytes of another frame');
    frame.data.fill(255); // the receiver may draw on them
    seen.push(frame.index);
  }
  return seen;
}

for (const mode of ['bounce', 'loop', 'remap', 'cut_off'] satisfies SyncMode[]) {
  test(`${mode}: frames come in the order that is asked for`, async () => {
    for (const source of [1, 2, 3, 7]) {
      for (const sound of [1, 2, 5, 30]) {
        const order = Array.from({ length: sound }, (_, i) => sourceFrame(mode, i, { source, sound }));
        assert.deepEqual(await numbersOf(counted(source).video, order), order);
      }
    }
  });
}

test('forward runs are one pass, and backward runs of large pictures are read in pieces', async () => {
  const { video, passes } = counted(40, 4096, 2048); // two pictures in 64 MB
  const order = Array.from({ length: 80 }, (_, i) => sourceFrame('bounce', i, { source: 40, sound: 80 }));
  assert.deepEqual(await numbersOf(video, order), order);
  assert.deepEqual(passes[0], [0, 40]);
  assert.equal(passes.length, 1 + Math.ceil(39 / 2));
});

test('an order may jump anywhere', async () => {
  const order = [5, 5, 2, 9, 9, 3, 1, 0, 0, 8];
  assert.deepEqual(await numbersOf(counted(10).video, order), order);
});
