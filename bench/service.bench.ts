// Times the service's own share of a job: tiny jobs whose work is next to nothing, on the embedded queue, and on Redis
// where it is there.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../src/server/server.ts';
import { findRedis, redisServer } from '../test/redis-server.ts';
import { client, FRAMES_RUNNER, type Json, shortVideo, spokenWav } from '../test/service.ts';

/** What one kind of queue does. */
export interface ServiceTimes {
  readonly name: string;
  /** Jobs a second, all sent at once. */
  readonly jobsPerSecond: number;
  /**
   * Milliseconds that the service itself takes for one job alone, from the request until a reader of its events hears
   * of the end, without what its worker spent in the work: the middle one of all, and the one that 95 % stay below.
   */
  readonly own: { readonly middle: number; readonly slow: number };
  /** The same from the first byte of the uploads on, all of them new: sent, synced to disk, looked into. */
  readonly withUploads: { readonly middle: number; readonly slow: number };
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

async function timeQueue(queue: string, count: number): Promise<Omit<ServiceTimes, 'name'>> {
  const data = mkdtempSync(join(tmpdir(), 'service-bench-'));
  const limits = { minFree: 0, maxQueued: 1000, createRate: 1e6, readRate: 1e6 };
  const server = await startServer(
    { port: 0, data, queue, workers: 2, ...limits },
    { runner: FRAMES_RUNNER },
  );
  try {
    const calls = client(server.url);
    const bring = async () => ({
      video: await calls.upload(await shortVideo()),
      sound: await calls.upload(spokenWav('frames=1')),
    });
    const start = async (inputs: object) => (await calls.post(201, '/v1/dubs', inputs)).id as string;
    const end = (id: string) => endOf(calls, id);
    const inputs = await bring();
    for (let i = 0; i < 3; i++) await end(await start(inputs));

    const ones = Math.min(30, count);
    const own = await timeEach(ones, async () => end(await start(inputs)));
    const withUploads = await timeEach(ones, async () => end(await start(await bring())));
    const before = performance.now();
    const ids = await Promise.all(Array.from({ length: count }, () => start(inputs)));
    await Promise.all(ids.map(end));
    const seconds = (performance.now() - before) / 1000;
    return { jobsPerSecond: count / seconds, own, withUploads };
  } finally {
    await server.close();
    rmSync(data, { recursive: true, force: true });
  }
}

/** Runs jobs one after another; milliseconds of each, without what its worker spent. */
async function timeEach(count: number, run: () => Promise<Json>) {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const before = performance.now();
    const { result } = await run();
    times.push(performance.now() - before - result.seconds * 1000);
  }
  times.sort((a, b) => a - b);
  return { middle: times[count >> 1]!, slow: times[Math.floor(count * 0.95)]! };
}

/** The job as the last of its events tells it. */
async function endOf(calls: ReturnType<typeof client>, id: string): Promise<Json> {
  const answer = await calls.ask(`/v1/dubs/${id}/events`);
  const [, data] = /event: end\ndata: (.*)/.exec(await answer.text()) ?? [];
  if (data === undefined) throw new Error(`the events of ${id} ended without an end`);
  const dub = JSON.parse(data);
  if (dub.status !== 'COMPLETED') throw new Error(data);
  return dub;
}
