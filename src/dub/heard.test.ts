import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type FloatTensor, tensor } from '../core/tensor.ts';
import { primed } from './heard.ts';

/** Conditions that are their own numbers, and what was asked for and closed. */
function counted() {
  const asked: number[] = [];
  const made: number[] = [];
  let closed = 0;
  async function* heard(start: number): AsyncGenerator<FloatTensor> {
    asked.push(start);
    try {
      for (let frame = start; frame < 5; frame++) {
        made.push(frame);
        yield tensor([1], Float32Array.of(frame));
      }
    } finally {
      closed++;
    }
  }
  return { heard, asked, made, closed: () => closed };
}

async function numbersOf(conditions: AsyncIterable<FloatTensor>): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { data } of conditions) numbers.push(data[0]!);
  return numbers;
}

test('what is primed is heard before anybody asks, and once', async () => {
  const { heard, asked, made, closed } = counted();
  const early = primed(heard);
  await turn();
  assert.deepEqual(made, [0]);
  assert.deepEqual(await numbersOf(early(0)), [0, 1, 2, 3, 4]);
  assert.deepEqual(asked, [0]);
  assert.deepEqual(await numbersOf(early(2)), [2, 3, 4]);
  assert.deepEqual(await numbersOf(early(0)), [0, 1, 2, 3, 4]);
  assert.deepEqual(asked, [0, 2, 0]);
  await early.close();
  assert.equal(closed(), 3);
});

test('what is primed and never asked for is closed', async () => {
  const { heard, made, closed } = counted();
  await primed(heard).close();
  assert.deepEqual(made, [0]);
  assert.equal(closed(), 1);
});

test('an error of what is primed is thrown to whoever reads, and to nobody else', async () => {
  const early = primed(() => ({
    [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('no sound')) }),
  }));
  await turn();
  await assert.rejects(numbersOf(early(0)), /no sound/);
  await early.close();
});
