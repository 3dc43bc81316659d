import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batches, prefetch, skip, zip } from './stream.ts';

/** 0 … count − 1; `log` hears what is made and when the source is ended. */
async function* numbers(count: number, log: string[] = []): AsyncGenerator<number> {
  try {
    for (let i = 0; i < count; i++) {
      log.push(`made ${i}`);
      yield i;
    }
  } finally {
    log.push('ended');
  }
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

test('batches are full but for the last one', async () => {
  assert.deepEqual(await collect(batches(numbers(7), 3)), [[0, 1, 2], [3, 4, 5], [6]]);
  assert.deepEqual(await collect(batches(numbers(0), 3)), []);
});

test('prefetch keeps the order and runs no further ahead than it may', async () => {
  const log: string[] = [];
  const stream = prefetch(numbers(10, log), 2);
  assert.equal((await stream.next()).value, 0);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(log, ['made 0', 'made 1', 'made 2']);
  assert.deepEqual(await collect(stream), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('leaving a prefetched stream ends its source', async () => {
  const log: string[] = [];
  for await (const item of prefetch(numbers(10, log))) if (item === 3) break;
  assert.equal(log.at(-1), 'ended');
});

test('an error of a prefetched source comes in its turn', async () => {
  async function* failing() {
    yield 1;
    yield 2;
    throw new Error('broken');
  }
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const item of prefetch(failing(), 3)) seen.push(item);
  }, /broken/);
  assert.deepEqual(seen, [1, 2]);
});

test('zip ends with the shorter source and ends the longer one', async () => {
  const log: string[] = [];
  assert.deepEqual(await collect(zip(numbers(2), numbers(5, log))), [
    [0, 0],
    [1, 1],
  ]);
  assert.equal(log.at(-1), 'ended');
});

test('skip leaves out the first items', async () => {
  assert.deepEqual(await collect(skip(numbers(5), 3)), [3, 4]);
});
