/**
 * Small tools for async generators, the one kind of stage that this project knows. All of them end their source
 * when their reader stops, and hold no more items than their names say.
 */

/** Up to `size` items at a time, in order; only the last batch may be smaller. */
export async function* batches<T>(
  source: AsyncIterable<T>,
  size: number,
): AsyncGenerator<T[], void, undefined> {
  let batch: T[] = [];
  for await (const item of source) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/**
 * The same items, with up to `ahead` of them being made while the reader is busy with an earlier one. An error of
 * the source is thrown in its turn, after the items before it.
 */
export async function* prefetch<T>(source: AsyncIterable<T>, ahead = 1): AsyncGenerator<T, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  const asked: Promise<IteratorResult<T>>[] = [];
  const ask = () => {
    const next = iterator.next();
    next.catch(() => {}); // it is heard when its turn comes, or nobody is left to hear it
    asked.push(next);
  };
  try {
    for (;;) {
      while (asked.length <= ahead) ask();
      const { value, done } = await asked.shift()!;
      if (done) return;
      yield value;
    }
  } finally {
    await iterator.return?.();
  }
}

/** Pairs of items of both sources, until one of them ends. */
export async function* zip<A, B>(
  a: AsyncIterable<A>,
  b: AsyncIterable<B>,
): AsyncGenerator<readonly [A, B], void, undefined> {
  const left = a[Symbol.asyncIterator]();
  const right = b[Symbol.asyncIterator]();
  try {
    for (;;) {
      const [first, second] = await Promise.all([left.next(), right.next()]);
      if (first.done || second.done) return;
      yield [first.value, second.value];
    }
  } finally {
    await Promise.all([left.return?.(), right.return?.()]);
  }
}

/** The items without the first `count`. */
export async function* skip<T>(source: AsyncIterable<T>, count: number): AsyncGenerator<T, void, undefined> {
  let left = count;
  for await (const item of source) {
    if (left-- > 0) continue;
    yield item;
  }
}
