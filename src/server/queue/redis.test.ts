// The service on a real Redis or Valkey: the same promises as with the embedded queue.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { addJob, addJobs, checkJobs } from '../../../test/counted-jobs.ts';
import { findRedis, redisServer } from '../../../test/redis-server.ts';
import { FRAMES_RUNNER, testService } from '../../../test/service.ts';
import { checkSplitJobs } from '../../../test/split-jobs.ts';
import type { Job } from './job.ts';
import { RedisQueue } from './redis.ts';

const FULL = process.env.MUSETALK_FULL === '1';
const JOBS = FULL ? 50 : 3;
const FRAMES = 10;
const program = findRedis();
const skip = program === undefined;

const settings = {
  limits: { perOwner: 3, total: 100 },
  lease: 2,
  retry: { attempts: 3, firstDelay: 0.05, longestDelay: 1 },
};

test('the queue keeps order, keys, limits and fences as the embedded one', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const redis = await redisServer(t, program!);
  const queue = await RedisQueue.open(redis.url, settings);
  t.after(() => queue.close());
  for (const id of ['a0', 'a1', 'a2']) await queue.add({ id, owner: 'a', request: { id, empty: [] } });
  await assert.rejects(queue.add({ id: 'a3', owner: 'a', request: 0 }), { code: 'QUEUE_FULL' });
  const adds = Array.from({ length: 20 }, (_, i) =>
    queue.add({
      id: `b${i}`,
      owner: 'b',
      request: 0,
      key: 'k',
      keyed: 'same',
      webhook: 'https://a.example/',
    }),
  );
  const made = await Promise.all(adds);
  assert.equal(new Set(made.map(({ job }) => job.id)).size, 1);
  assert.equal(made.filter(({ created }) => created).length, 1);
  await assert.rejects(queue.add({ id: 'x', owner: 'b', request: 0, key: 'k', keyed: 'other' }), {
    code: 'CONFLICT',
  });
  const b = made[0]!.job.id;
  assert.deepEqual(
    (await queue.list('a', { limit: 2 })).map(({ id }) => id),
    ['a2', 'a1'],
  );
  assert.deepEqual(
    (await queue.list('a', { limit: 2, before: 'a1' })).map(({ id }) => id),
    ['a0'],
  );
  assert.deepEqual((await queue.get('a0'))!.request, { id: 'a0', empty: [] });
  await queue.cancel('a1');

  const order: string[] = [];
  const heard: string[] = [];
  queue.watch(({ id, job }) => heard.push(`${id} ${job?.state}`));
  let tries = 0;
  const stop = queue.process(1, async ({ job, beat }) => {
    order.push(job.id);
    beat({ stage: 'draw', done: 1, total: 2, elapsed: 0 });
    if (job.id === 'a2' && ++tries < 3) return { kind: 'failed', error: { code: 'ENGINE', message: 'no' } };
    return { kind: 'done', result: { frames: 1 }, warnings: [] };
  });
  // Counts are not asked for: between two tries a job is neither queued nor running for a moment.
  for (const id of ['a0', b, 'a2']) while ((await queue.get(id))!.state !== 'done') await sleep(10);
  await stop();
  assert.deepEqual(order.slice(0, 3), ['a0', b, 'a2'], 'owners take turns');
  const last = (await queue.get('a2'))!;
  assert.deepEqual([last.state, last.attempts, last.fence], ['done', 2, 3]);
  assert.equal((await queue.get('a1'))!.state, 'canceled');
  assert.deepEqual(
    (await queue.withWebhook()).map(({ id }) => id),
    [b],
  );
  await queue.setWebhook(b, { url: 'https://a.example/', state: 'delivered', attempts: 1 });
  assert.deepEqual(await queue.withWebhook(), []);
  assert.deepEqual([await queue.claim('x', 5000), await queue.claim('x', 5000)], [true, false]);
  await queue.remove('a0');
  assert.equal(await queue.get('a0'), undefined);
  await sleep(50);
  assert.ok(heard.includes('a0 done') && heard.includes('a0 undefined'));
});

test('a job that is split ends with its parts, whichever way they end', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const redis = await redisServer(t, program!);
  const queue = await RedisQueue.open(redis.url, { ...settings, limits: { perOwner: 10, total: 100 } });
  await checkSplitJobs(queue);
  await queue.close();
});

async function startWorker(t: TestContext, url: string, folder: string): Promise<ChildProcess> {
  const path = fileURLToPath(new URL('../../../test/worker-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', path, url, folder, FRAMES_RUNNER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout!, 'data');
  return child;
}

test(`${JOBS} jobs end once each though workers are killed and stopped, and Redis starts again in the middle`, {
  skip,
  timeout: 1_800_000,
}, async (t) => {
  const redis = await redisServer(t, program!);
  const service = await testService(t, { queue: redis.url, workers: 1, lease: 5, attempts: 20 });
  const ends = new Map<string, Set<number>>();
  // A process starts slowly on a loaded machine, so the short run has but one beside the service's own.
  const others = await Promise.all(
    Array.from({ length: FULL ? 3 : 1 }, () => startWorker(t, redis.url, service.folder)),
  );
  const stopped = others.pop()!;
  let killed = 0;
  let random = 12345;
  let dying = others.length > 0 ? others[0] : undefined;
  service.service.queue.watch(({ id, job }) => {
    if (job?.finished !== undefined) ends.set(id, (ends.get(id) ?? new Set()).add(job.finished));
    random = (random * 1103515245 + 12345) % 2 ** 31;
    if (!job?.progress || random % 10 >= 3 || killed >= (FULL ? 40 : 2)) return;
    killed++;
    // A process that works, or now and then a whole machine with all of its own.
    if (dying && killed % 15 === 0) {
      dying.kill('SIGKILL');
      dying = undefined;
      void startWorker(t, redis.url, service.folder).then((next) => {
        dying = next;
      });
    }
    for (const pid of service.workers().slice(0, 1)) process.kill(pid, 'SIGKILL');
  });
  const jobs = await addJobs(service, JOBS, { frames: FRAMES, delay: 50 });
  stopped.kill('SIGSTOP');
  while (ends.size < JOBS / 3) await sleep(20);
  await redis.restart();
  await checkJobs(service, jobs);
  stopped.kill('SIGCONT');
  await sleep(100);
  await checkJobs(service, jobs);
  t.diagnostic(`${killed} workers were killed`);
  for (const { id } of jobs) {
    assert.equal(ends.get(id)?.size ?? 1, 1, 'it ended at one time');
    await service.json(204, `/v1/dubs/${id}`, { method: 'DELETE' });
  }
  assert.deepEqual(
    (await service.traces()).filter((path) => path.includes('jobs/')),
    [],
  );
  stopped.kill('SIGTERM');
  await once(stopped, 'close');
  await service.close(); // before Redis, which the hooks end first
});

test('a part whose machine dies as a whole goes to another after the lease, and the job ends once', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const redis = await redisServer(t, program!);
  const service = await testService(t, { queue: redis.url, workers: 0, lease: 5 });
  const { queue } = service.service;
  const machines = await Promise.all([0, 1].map(() => startWorker(t, redis.url, service.folder)));
  const ends = new Set<number>();
  const fences = new Map<string, number>();
  queue.watch(({ job }) => job?.finished !== undefined && ends.add(job.finished));
  const job = await addJob(service, 24, 'delay=100 split=2');
  const parts = async () => {
    const all = await queue.parts(job.id);
    for (const { id, fence } of all) fences.set(id, fence);
    return all;
  };
  const works = ({ state, progress }: Job) => state === 'running' && (progress?.done ?? 0) > 2;
  while ((await parts()).filter(works).length < 2) await sleep(10);
  const died = performance.now();
  machines[0]!.kill('SIGKILL');
  while (![...fences.values()].includes(2)) {
    await parts();
    await sleep(10);
  }
  t.diagnostic(`another took the part ${Math.round(performance.now() - died)} ms after its machine died`);
  await checkJobs(service, [job]);
  assert.deepEqual([...fences.values()].sort(), [1, 2], 'the other part was drawn once');
  assert.equal(ends.size, 1, 'it ended at one time');
  await service.json(204, `/v1/dubs/${job.id}`, { method: 'DELETE' });
  assert.deepEqual(
    (await service.traces()).filter((path) => path.includes('jobs/')),
    [],
  );
  machines[1]!.kill('SIGTERM');
  await once(machines[1]!, 'close');
  await service.close();
});

test('a clock that was an hour ahead, or behind, delays no job', { skip, timeout: 60_000 }, async (t) => {
  const redis = await redisServer(t, program!);
  const open = () => RedisQueue.open(redis.url, settings);
  const queue = await open();
  const real = Date.now;
  const clock = t.mock.method(Date, 'now', () => real() + 3_600_000);
  let tries = 0;
  const stop = queue.process(1, async () => {
    tries++;
    if (tries === 1) return { kind: 'failed', error: { code: 'ENGINE', message: 'no' } };
    return { kind: 'done', result: {}, warnings: [] };
  });
  await queue.add({ id: 'x', owner: 'a', request: 0 });
  while ((await queue.get('x'))?.attempts !== 1) await sleep(5);
  await stop(); // before its wait is over by the wrong clock
  clock.mock.restore();
  const probe = new Redis(redis.url);
  await probe.del('mt:claim:repair');
  const again = await open();
  const stopAgain = again.process(1, async () => ({ kind: 'done', result: {}, warnings: [] }));
  for (let i = 0; (await again.get('x'))!.state !== 'done'; i++) {
    assert.ok(i < 500, 'it waits for the hour that never comes');
    await sleep(20);
  }
  t.mock.method(Date, 'now', () => real() - 3_600_000);
  await again.add({ id: 'y', owner: 'a', request: 0 });
  for (let i = 0; (await again.get('y'))!.state !== 'done'; i++) {
    assert.ok(i < 500, 'it waits for a clock that went back');
    await sleep(20);
  }
  await stopAgain();
  await queue.close();
  await again.close();
  probe.disconnect();
});

test('an address where nothing answers is told at once', async () => {
  await assert.rejects(
    RedisQueue.open('redis://user:secret@127.0.0.1:1', settings),
    (error: Error & { code: string }) => {
      assert.equal(error.code, 'UNAVAILABLE');
      assert.doesNotMatch(error.message, /secret/);
      return true;
    },
  );
});
