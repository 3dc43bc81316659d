// Workers and services that die, hang or stop at random: each job ends once, with the frames it would have had alone.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { addJob, addJobs, type Calls, checkJobs } from '../../test/counted-jobs.ts';
import { client, FRAMES_RUNNER, type TestService, testService } from '../../test/service.ts';

const FULL = process.env.MUSETALK_FULL === '1';
const JOBS = FULL ? 50 : 6;
const FRAMES = 12;

/** Counts the endings of each job. */
function countEnds(service: TestService): Map<string, number> {
  const ends = new Map<string, number>();
  service.service.queue.watch(({ id, job }) => {
    if (job?.finished !== undefined) ends.set(id, (ends.get(id) ?? 0) + 1);
  });
  return ends;
}

test(`${JOBS} jobs with workers killed at random end once each, with the same frames as alone`, async (t) => {
  const service = await testService(t, { workers: 3, attempts: 20 });
  const ends = countEnds(service);
  let killed = 0;
  let random = 12345;
  // With each step forward one dies, or none: on a machine however slow, work gets on between two deaths.
  service.service.queue.watch(({ job }) => {
    random = (random * 1103515245 + 12345) % 2 ** 31;
    const pids = service.workers();
    if (!job?.progress || random % 10 >= 3 || killed >= (FULL ? 40 : 5)) return;
    kill(pids[(random >> 8) % pids.length]!, 'SIGKILL');
    killed++;
  });
  const jobs = await addJobs(service, JOBS, { frames: FRAMES, delay: 40 });
  const dubs = await checkJobs(service, jobs);
  const lost = dubs.reduce((sum, { attempts }) => sum + attempts, 0);
  t.diagnostic(`${killed} workers were killed, ${lost} of them at work`);
  assert.ok(killed > 1, `${killed} workers were killed`);
  for (const { id } of jobs) assert.equal(ends.get(id), 1);
});

test('a worker that is stopped beyond its lease loses the job, and does no harm when it goes on', async (t) => {
  const service = await testService(t, { workers: 1, lease: 2, attempts: 20 });
  const [job] = await addJobs(service, 1, { frames: FRAMES, delay: 60 });
  while (!((await service.json(200, `/v1/dubs/${job!.id}`)).progress?.done > 2)) await sleep(10);
  const [stopped] = service.workers();
  kill(stopped!, 'SIGSTOP');
  const [dub] = await checkJobs(service, [job!]);
  assert.ok(dub.attempts >= 1);
  kill(stopped!, 'SIGCONT');
  await sleep(50);
  await checkJobs(service, [job!]);
});

test('a worker whose program hangs is ended with its lease, and the job given up in the end', async (t) => {
  const service = await testService(t, { workers: 1, lease: 2, attempts: 2 });
  const { id } = await addJob(service, 4, 'hang=2');
  const dub = await service.ended(id);
  assert.deepEqual([dub.status, dub.error.code, dub.attempts], ['FAILED', 'WORKER_LOST', 2]);
});

test('a service that is killed goes on at its next start, where it was; nothing runs on without it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'killed-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const first = await startProcess(t, folder);
  const jobs = await addJobs(first.calls, 4, { frames: FRAMES, delay: 30 });
  while ((await first.calls.json(200, `/v1/dubs/${jobs[0]!.id}`)).status === 'PENDING') await sleep(10);
  const workers = childrenOf(first.child.pid!);
  first.child.kill('SIGKILL');
  await once(first.child, 'close');
  for (let i = 0; i < 250 && workers.some(alive); i++) await sleep(20);
  assert.deepEqual(workers.filter(alive), [], 'workers end with their service');
  const second = await startProcess(t, folder);
  await checkJobs(second.calls, jobs);
  for (const line of (await readFile(join(folder, 'queue', 'jobs.jsonl'), 'utf8')).trimEnd().split('\n'))
    JSON.parse(line);
  for (const { id } of jobs) await second.calls.json(204, `/v1/dubs/${id}`, { method: 'DELETE' });
  second.child.kill('SIGTERM');
  const [code] = await once(second.child, 'close');
  assert.equal(code, 0);
});

/** A service in a process of its own, on a free port. */
async function startProcess(t: TestContext, folder: string): Promise<{ child: ChildProcess; calls: Calls }> {
  const port = await freePort();
  const program = fileURLToPath(new URL('../../test/service-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', program, folder, String(port), FRAMES_RUNNER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [line] = await once(child.stdout!.setEncoding('utf8'), 'data');
  return { child, calls: client(String(line).trim()) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself.
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function childrenOf(pid: number): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').flatMap((name) => {
    try {
      const parent = /^\d+ \(.*\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'latin1'))?.[1];
      return Number(parent) === pid ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}
