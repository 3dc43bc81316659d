// Times the service's own share of a job: tiny jobs whose work is nothing, on the embedded queue and on Redis if it is there.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../src/server/server.ts';
import { findRedis, redisServer } from '../test/redis-server.ts';
import { client, FRAMES_RUNNER, shortVideo, spokenWav } from '../test/service.ts';

/** What one kind of queue does. */
export interface ServiceTimes {
  readonly name: string;
  /** Jobs a second, all sent at once. */
  readonly jobsPerSecond: number;
  /** Milliseconds from a request to its result, one job at a time. */
  readonly alone: number;
}

/** Times the service with each kind of queue. */
export async function* timeService({ smoke = false } = {}): AsyncGenerator<ServiceTimes> {
  const count = smoke ? 5 : 200;
  const redis = findRedis();
  yield { name: 'embedded', ...(await timeQueue('embedded', count)) };
  if (!redis) return;
  const ends: (() => Promise<unknown> | unknown)[] = [];
  const server = await redisServer({ after: (end: () => unknown) => ends.push(end) } as never, redis);
  try {
    yield { name: 'redis', ...(await timeQueue(server.url, count)) };
  } finally {
    for (const end of ends) await end();
  }
}

async function timeQueue(queue: string, count: number) {
  const data = mkdtempSync(join(tmpdir(), 'service-bench-'));
  const limits = { minFree: 0, maxQueued: 1000, createRate: 1e6, readRate: 1e6 };
  const server = await startServer(
    { port: 0, data, queue, workers: 2, ...limits },
    { runner: FRAMES_RUNNER },
  );
  try {
    const calls = client(server.url);
    const video = await calls.upload(await shortVideo());
    const sound = await calls.upload(spokenWav('frames=1'));
    const start = async () => (await calls.post(201, '/v1/dubs', { video, sound })).id as string;
    await calls.ended(await start());
    const alone: number[] = [];
    for (let i = 0; i < Math.min(10, count); i++) {
      const before = performance.now();
      await calls.ended(await start());
      alone.push(performance.now() - before);
    }
    const before = performance.now();
    const ids = await Promise.all(Array.from({ length: count }, start));
    for (const id of ids) await calls.ended(id);
    const seconds = (performance.now() - before) / 1000;
    return { jobsPerSecond: count / seconds, alone: Math.min(...alone) };
  } finally {
    await server.close();
    rmSync(data, { recursive: true, force: true });
  }
}
