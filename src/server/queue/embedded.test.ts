import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkSplitJobs } from '../../../test/split-jobs.ts';
import { EmbeddedQueue } from './embedded.ts';
import type { JournalDisk } from './journal.ts';

const RULES = { attempts: 3, firstDelay: 2, longestDelay: 300 };
const DONE = { kind: 'done', result: { frames: 3 }, warnings: [] } as const;
const BROKEN = { kind: 'failed', error: { code: 'ENGINE', message: 'broken' } } as const;

async function setUp(t: TestContext, disk?: JournalDisk) {
  const folder = await mkdtemp(join(tmpdir(), 'queue-'));
  t.after(() => rm(folder, { recursive: true }));
  const time = { now: 1000 };
  const open = () =>
    EmbeddedQueue.open(folder, {
      ...{
        limits: { perOwner: 10, total: 100 },
        lease: 10,
        retry: RULES,
        compactAfter: 100,
        forgetAfter: 0.05,
        clock: () => time.now,
      },
      ...(disk && { disk }),
    });
  return { folder, time, open, queue: await open() };
}

test('jobs of two owners take turns, whoever came first with how many', async (t) => {
  const { queue } = await setUp(t);
  for (let i = 0; i < 4; i++) await queue.add({ id: `a${i}`, owner: 'a', request: i });
  for (let i = 0; i < 2; i++) await queue.add({ id: `b${i}`, owner: 'b', request: i });
  const order: string[] = [];
  for (let lease = await queue.take(); lease; lease = await queue.take()) {
    order.push(lease.job.id);
    if (lease.job.id === 'a1') await queue.add({ id: 'c0', owner: 'c', request: 0 });
    await queue.finish(lease, DONE);
  }
  assert.deepEqual(order, ['a0', 'b0', 'a1', 'b1', 'c0', 'a2', 'a3']);
  await queue.close();
});

test('a worker that comes back after its lease is refused, whatever it brings', async (t) => {
  const { queue, time } = await setUp(t);
  await queue.add({ id: 'x', owner: 'a', request: 0 });
  const late = (await queue.take())!;
  time.now += 9;
  assert.equal(queue.beat(late), true);
  time.now += 11;
  queue.sweep();
  await sleep(5);
  assert.equal((await queue.get('x'))!.state, 'queued');
  assert.equal(await queue.take(), undefined, 'it waits before the next attempt');
  time.now += 3;
  const next = (await queue.take())!;
  assert.equal(next.fence, late.fence + 1);
  assert.equal(queue.beat(late), false);
  assert.equal(await queue.finish(late, { ...DONE, result: 'late' }), false);
  assert.equal(await queue.finish(next, DONE), true);
  assert.equal(await queue.finish(next, { ...DONE, result: 'twice' }), false);
  assert.deepEqual((await queue.get('x'))!.result, { frames: 3 });
  await queue.close();
});

test('a job that always fails is given up, and the others run meanwhile', async (t) => {
  const { queue, time } = await setUp(t);
  await queue.add({ id: 'bad', owner: 'a', request: 0 });
  await queue.add({ id: 'good', owner: 'a', request: 0 });
  await queue.finish((await queue.take())!, BROKEN);
  const good = (await queue.take())!;
  assert.equal(good.job.id, 'good');
  await queue.finish(good, DONE);
  time.now += 2;
  await queue.finish((await queue.take())!, BROKEN);
  time.now += 3.9;
  assert.equal(await queue.take(), undefined, 'the second wait is twice as long');
  time.now += 0.1;
  await queue.finish((await queue.take())!, BROKEN);
  const job = (await queue.get('bad'))!;
  assert.deepEqual([job.state, job.attempts, job.error!.code], ['failed', 3, 'ENGINE']);
  await queue.close();
});

test('a wall clock that jumps changes nothing', async (t) => {
  const { queue, time } = await setUp(t);
  await queue.add({ id: 'x', owner: 'a', request: 0 });
  const lease = (await queue.take())!;
  t.mock.method(Date, 'now', () => 4e12);
  queue.sweep();
  t.mock.method(Date, 'now', () => 0);
  queue.sweep();
  assert.equal(queue.beat(lease), true);
  time.now += 1;
  await queue.finish(lease, DONE);
  assert.equal((await queue.get('x'))!.state, 'done');
  await queue.close();
});

test('the same key a hundred times at once makes one job; with another request it is a conflict', async (t) => {
  const { queue } = await setUp(t);
  const adds = Array.from({ length: 100 }, (_, i) =>
    queue.add({ id: `id${i}`, owner: 'a', request: 0, key: 'k', keyed: 'same' }),
  );
  const all = await Promise.all(adds);
  assert.equal(new Set(all.map(({ job }) => job.id)).size, 1);
  assert.equal(all.filter(({ created }) => created).length, 1);
  await assert.rejects(queue.add({ id: 'y', owner: 'a', request: 1, key: 'k', keyed: 'other' }), {
    code: 'CONFLICT',
  });
  const other = await queue.add({ id: 'z', owner: 'b', request: 1, key: 'k', keyed: 'other' });
  assert.equal(other.created, true, "another owner's keys are another matter");
  await queue.close();
});

test('one owner, and all together, have only so many jobs waiting', async (t) => {
  const { queue } = await setUp(t);
  for (let i = 0; i < 10; i++) await queue.add({ id: `a${i}`, owner: 'a', request: 0 });
  await assert.rejects(queue.add({ id: 'more', owner: 'a', request: 0 }), { code: 'QUEUE_FULL' });
  await queue.add({ id: 'b', owner: 'b', request: 0 });
  await queue.close();
});

test('after a crash every job is there: ended ones ended, running ones in their old place, a torn line dropped', async (t) => {
  const { queue, open, folder } = await setUp(t);
  for (const id of ['one', 'two', 'three']) await queue.add({ id, owner: 'a', request: { id } });
  await queue.finish((await queue.take())!, DONE);
  const lost = (await queue.take())!;
  const path = join(folder, 'jobs.jsonl');
  await appendFile(path, '{"set":"three","fie');
  const again = await open();
  assert.equal((await again.get('one'))!.state, 'done');
  assert.equal((await again.get('three'))!.state, 'queued');
  const lease = (await again.take())!;
  assert.deepEqual([lease.job.id, lease.fence], ['two', lost.fence + 1]);
  await again.finish(lease, DONE);
  for (const line of (await readFile(path, 'utf8')).trimEnd().split('\n')) JSON.parse(line);
  await again.close();
  await queue.close();
});

test('a journal that grew long is written anew, and holds the same', async (t) => {
  const { queue, open, folder } = await setUp(t);
  for (let i = 0; i < 5; i++) await queue.add({ id: `j${i}`, owner: 'a', request: i });
  for (let i = 0; i < 150; i++)
    await queue.setWebhook('j1', { url: 'https://a.example', state: 'waiting', attempts: i });
  await queue.close();
  const lines = (await readFile(join(folder, 'jobs.jsonl'), 'utf8')).split('\n').length;
  assert.ok(lines < 100, `${lines} lines`);
  const again = await open();
  assert.equal((await again.list('a', { limit: 100 })).length, 5);
  assert.equal((await again.get('j1'))!.webhook!.attempts, 149);
  await again.close();
});

test('what was removed is soon in no line of the journal, also where the process ended before', async (t) => {
  const { folder, open, queue } = await setUp(t);
  const text = () => readFile(join(folder, 'jobs.jsonl'), 'utf8');
  for (const id of ['x', 'y', 'z']) await queue.add({ id, owner: 'a', request: `words of ${id}` });
  await queue.remove('x');
  for (let i = 0; (await text()).includes('words of x'); i++) {
    assert.ok(i < 500, 'it is still there');
    await sleep(10);
  }
  await queue.remove('y');
  await queue.close();
  assert.match(await text(), /words of y/);
  const again = await open();
  for (let i = 0; (await text()).includes('words of y'); i++) {
    assert.ok(i < 500, 'it is still there');
    await sleep(10);
  }
  assert.match(await text(), /words of z/);
  await again.close();
});

test('a full disk refuses new jobs and loses none, at each write in turn', async (t) => {
  const full = Object.assign(new Error('no space'), { code: 'ENOSPC' });
  for (let broken = 0; broken < 6; broken++) {
    let count = 0;
    const failing = () => count++ === broken;
    const disk: JournalDisk = {
      write: async (file, bytes, position) => {
        await file.write(bytes, 0, failing() ? bytes.length >> 1 : bytes.length, position);
        if (count - 1 === broken) throw full;
      },
      sync: async () => {
        if (failing()) throw full;
      },
    };
    const { queue, open, time } = await setUp(t, disk);
    const added: string[] = [];
    for (const id of ['p', 'q']) {
      const adding = queue.add({ id, owner: 'a', request: 0 });
      await adding.then(
        () => added.push(id),
        (error) => assert.equal(error.code, 'CANNOT_WRITE'),
      );
    }
    const lease = await queue.take();
    if (lease) await queue.finish(lease, DONE).catch((error) => assert.equal(error.code, 'CANNOT_WRITE'));
    time.now += 100;
    await queue.close();
    const again = await open();
    assert.deepEqual((await again.list('a', { limit: 9 })).map(({ id }) => id).sort(), added);
    await again.close();
  }
});

test('a canceled job ends at once, and its worker hears of it', async (t) => {
  const { queue } = await setUp(t);
  let [begun, aborted] = [false, false];
  const stop = queue.process(1, async ({ signal }) => {
    begun = true;
    await new Promise((done) => signal.addEventListener('abort', done));
    aborted = true;
    return { kind: 'canceled' };
  });
  await queue.add({ id: 'x', owner: 'a', request: 0 });
  while (!begun) await sleep(2);
  assert.equal((await queue.cancel('x'))!.state, 'canceled');
  await sleep(2);
  assert.equal(aborted, true);
  await queue.remove('x');
  assert.equal(await queue.get('x'), undefined);
  await stop();
  await queue.close();
});

test('a job that is split ends with its parts, whichever way they end', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'queue-'));
  t.after(() => rm(folder, { recursive: true }));
  const retry = { attempts: 3, firstDelay: 0.02, longestDelay: 1 };
  const limits = { perOwner: 10, total: 100 };
  const queue = await EmbeddedQueue.open(folder, { limits, lease: 30, retry });
  await checkSplitJobs(queue);
  await queue.close();
});

test('parts go on after a restart, and what a crash left between a part and its job is made up for', async (t) => {
  const { queue, open, folder } = await setUp(t);
  const lines = async () => (await readFile(join(folder, 'jobs.jsonl'), 'utf8')).trimEnd().split('\n');
  for (const id of ['x', 'y']) await queue.add({ id, owner: 'a', request: 0 });
  const both = [(await queue.take())!, (await queue.take())!];
  for (const lease of both) await queue.finish(lease, { kind: 'split', requests: [1, 2] });
  await queue.finish((await queue.take())!, DONE);
  const lost = (await queue.take())!;
  assert.deepEqual([lost.job.id, (await queue.counts()).running], ['x.1', 2]);
  await queue.close();
  const second = await open();
  assert.equal(await second.finish(lost, DONE), false);
  const again = (await second.take())!;
  assert.deepEqual([again.job.id, again.fence], ['x.1', 2]);
  await second.finish(again, DONE);
  assert.equal((await second.get('x'))!.state, 'queued');
  await second.finish((await second.take())!, DONE);
  assert.equal((await second.get('x'))!.state, 'done');
  const part = (await second.take())!;
  await second.finish(part, { kind: 'rejected', error: { code: 'BAD_FILE', message: 'no' } });
  await second.close();

  // Without the last line, which has the end of the job itself.
  const cut = (await lines()).slice(0, -1);
  assert.match(cut.at(-1)!, /"y\.\d"/);
  await writeFile(join(folder, 'jobs.jsonl'), `${cut.join('\n')}\n`);
  const third = await open();
  const { state, error } = (await third.get('y'))!;
  assert.deepEqual([state, error!.code, (await third.parts('y')).length], ['rejected', 'BAD_FILE', 0]);
  assert.deepEqual(
    (await third.list('a', { limit: 9 })).map(({ id }) => id),
    ['y', 'x'],
  );
  await third.close();
});
