/** What both queues promise of jobs that are split; run by the tests of each. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job, Outcome } from '../src/server/queue/job.ts';
import type { Attempt, Queue } from '../src/server/queue/queue.ts';

const DONE: Outcome = { kind: 'done', result: 'done', warnings: [] };
const fault = (message: string): Outcome => ({ kind: 'failed', error: { code: 'ENGINE', message } });

/** Splits jobs whose parts go well, fail now and then, fail for good, and are canceled. The queue retries three times. */
export async function checkSplitJobs(queue: Queue): Promise<void> {
  const heard: (Job | undefined)[] = [];
  queue.watch(({ job }) => heard.push(job));
  const order: string[] = [];
  const stopped: string[] = [];
  let tries = 0;
  const work = async ({ job, signal }: Attempt): Promise<Outcome> => {
    order.push(job.id);
    if (!job.part)
      return job.request === 'split' && job.parts === undefined
        ? { kind: 'split', requests: ['p0', 'p1', job.id] }
        : DONE;
    assert.deepEqual(job.part, { of: job.id.split('.')[0], index: Number(job.id.at(-1)) });
    if (job.id === 'good.1' && ++tries < 3) return fault('not yet');
    if (job.request === 'bad') return fault('never');
    if (job.request === 'long') {
      // It may have been canceled while the queue still wrote down that it runs.
      if (!signal.aborted) await new Promise((done) => signal.addEventListener('abort', done));
      stopped.push(job.id);
      return { kind: 'canceled' };
    }
    return DONE;
  };

  await queue.add({ id: 'good', owner: 'a', request: 'split' });
  await queue.add({ id: 'next', owner: 'a', request: 'whole' });
  await queue.add({ id: 'other', owner: 'b', request: 'whole' });
  let stop = queue.process(1, work);
  await ended(queue, 'good');
  await ended(queue, 'next');
  await stop();
  const first = order.filter((id, i) => order.indexOf(id) === i);
  assert.deepEqual(first, ['good', 'other', 'next', 'good.0', 'good.1', 'good.2'], 'parts take their turns');
  assert.equal(order.at(-1), 'good', 'it ends by being put together');
  assert.equal(order.filter((id) => id === 'good.1').length, 3);
  const good = (await queue.get('good'))!;
  assert.deepEqual([good.state, good.parts, good.attempts, good.fence], ['done', 3, 0, 2]);
  assert.deepEqual(await queue.parts('good'), [], 'parts are forgotten');
  assert.ok(heard.some((job) => job?.state === 'split'));
  assert.ok(heard.every((job) => !job?.part));
  assert.deepEqual((await queue.list('a', { limit: 10 })).map(idOf), ['next', 'good']);
  assert.deepEqual((await queue.finishedBefore(Date.now() + 1000, 10)).map(idOf).sort(), [
    'good',
    'next',
    'other',
  ]);

  await queue.add({ id: 'bad', owner: 'a', request: 'split' });
  await queue.add({ id: 'fine', owner: 'a', request: 'whole' });
  stop = queue.process(2, work);
  await ended(queue, 'bad');
  await ended(queue, 'fine');
  await stop();
  const bad = (await queue.get('bad'))!;
  assert.deepEqual([bad.state, bad.error?.message, bad.attempts], ['failed', 'never', 3]);
  assert.equal((await queue.get('fine'))!.state, 'done', 'a poisoned part does not block the rest');

  await queue.add({ id: 'long', owner: 'a', request: 'split' });
  stop = queue.process(1, work);
  while (!(await queue.parts('long')).some((part) => part.request === 'long' && part.state === 'running'))
    await sleep(5);
  assert.deepEqual(await queue.counts(), { queued: 0, running: 1 });
  assert.equal((await queue.get('long'))!.state, 'split');
  await queue.cancel('long');
  while (stopped.length === 0) await sleep(5);
  await stop();
  assert.deepEqual(stopped, ['long.2']);
  assert.equal((await queue.get('long'))!.state, 'canceled');
  assert.deepEqual(await queue.parts('long'), []);
  assert.deepEqual(await queue.counts(), { queued: 0, running: 0 });
  for (const id of ['good', 'next', 'other', 'bad', 'fine', 'long']) await queue.remove(id);
}

function idOf({ id }: Job): string {
  return id;
}

async function ended(queue: Queue, id: string): Promise<void> {
  while ((await queue.get(id))!.finished === undefined) await sleep(5);
}
