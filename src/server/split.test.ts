// Real dubs with mini, shared out among workers: split and whole are the same, whoever dies in the middle.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { musetalk } from '../../test/cli.ts';
import { make, scratch } from '../../test/media-fixtures.ts';
import { findRedis, redisServer } from '../../test/redis-server.ts';
import { s3Server, useS3Keys } from '../../test/s3-server.ts';
import { type TestService, testService } from '../../test/service.ts';
import { dub } from '../dub/dub.ts';
import type { ServeInput } from '../options/serve.ts';

const CLIP = fileURLToPath(new URL('../../test/fixtures/grid/briz6n.mp4', import.meta.url));
const RUNNER = new URL('./work/dub-worker.ts', import.meta.url).href;
const FULL = process.env.MUSETALK_FULL === '1';
const redis = FULL ? findRedis() : undefined;

/**
 * Just long enough for a second segment; for three where there is time: the clip goes to and fro under its own sound,
 * said twice.
 */
const SECONDS = FULL ? 5 : 2.4;
const FRAMES = FULL ? 124 : 60;
const PARTS = FULL ? 3 : 2;

async function dubWhole(t: TestContext): Promise<{ sound: Buffer; alone: Buffer }> {
  const root = await scratch(t);
  const times = ['-stream_loop', FULL ? '1' : '0'];
  const sound = await make(join(root, 'speech.wav'), ...times, '-i', CLIP, '-vn', '-t', String(SECONDS));
  const output = join(root, 'alone.mp4');
  const report = await dub({ video: CLIP, sound, output, model: 'mini', threads: 1, resume: true });
  assert.equal(report.frameCount, FRAMES);
  return { sound: await readFile(sound), alone: await readFile(output) };
}

async function startDub(service: TestService, sound: Buffer, more: object = {}): Promise<string> {
  const [video, speech] = [await service.upload(await readFile(CLIP)), await service.upload(sound)];
  const request = { video, sound: speech, options: { model: 'mini' }, ...more };
  return (await service.post(201, '/v1/dubs', request)).id;
}

/** Waits until parts are drawn, so many at once. */
async function drawing(service: TestService, id: string, count: number): Promise<void> {
  for (;;) {
    const { status, progress, error } = await service.json(200, `/v1/dubs/${id}`);
    assert.match(status, /PENDING|PROCESSING/, JSON.stringify(error));
    const parts = await service.service.queue.parts(id);
    const drawn = parts.filter((part) => part.state === 'running' && (part.progress?.done ?? 0) > 0);
    if (drawn.length >= count) {
      assert.equal(parts.length, PARTS);
      assert.equal(progress.total, FRAMES, 'progress is that of all parts together');
      return;
    }
    await sleep(10);
  }
}

const small: ServeInput = { workers: 2, threads: 1, lease: 20, splitSeconds: 1.2, report: 'off' };

async function checkSplit(
  service: TestService,
  { sound, alone }: Awaited<ReturnType<typeof dubWhole>>,
  { atWork, kill }: { atWork: number; kill: () => void },
) {
  const before = await service.traces();
  const id = await startDub(service, sound);
  await drawing(service, id, atWork);
  kill();
  const ended = await service.ended(id);
  assert.equal(ended.status, 'COMPLETED', JSON.stringify(ended.error));
  assert.deepEqual([ended.result.frames, ended.result.model], [FRAMES, 'mini']);
  const made = Buffer.from(await (await service.ask(ended.outputUrl)).arrayBuffer());
  assert.ok(made.equals(alone), 'the same bytes as an unsplit dub');
  const left = (await service.traces()).filter((path) => path.startsWith(`jobs/${id}/`));
  assert.ok(!left.some((path) => /part-|resume/.test(path)), left.join(' '));
  await service.json(204, `/v1/dubs/${id}`, { method: 'DELETE' });
  assert.deepEqual(await service.traces(), before, 'nothing is left');
}

/** Kills a process of the service's own. */
function killOne(service: TestService) {
  const kill = () => {
    for (const pid of service.workers().slice(0, 1)) process.kill(pid, 'SIGKILL');
  };
  return { atWork: 1, kill };
}

/** `musetalk worker` as a program of its own, in a folder that it shares with nobody. */
async function startMachine(t: TestContext, queue: string, endpoint: string): Promise<ChildProcess> {
  const flags = {
    ...{ queue, store: STORE, 'store-endpoint': endpoint, data: await scratch(t), threads: 1, lease: 5 },
    ...{ 'split-seconds': small.splitSeconds, report: small.report },
  };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return new Promise((done) => {
    const started = (child: ChildProcess) => {
      t.after(() => child.kill('SIGKILL'));
      child.stderr!.once('data', () => done(child));
    };
    void musetalk(['worker', ...args], { started });
  });
}

const BUCKET = 'musetalk-test';
const STORE = `s3://${BUCKET}/dubs`;

test('a split dub is the unsplit one, byte for byte, though a worker is killed in the middle', async (t) => {
  const whole = await dubWhole(t);
  const service = await testService(t, small, { runner: RUNNER });
  await checkSplit(service, whole, killOne(service));
  if (!redis) return;
  const { url } = await redisServer(t, redis);
  const shared = await testService(t, { ...small, queue: url }, { runner: RUNNER });
  await checkSplit(shared, whole, killOne(shared));
  await shared.close();

  // Machines that have nothing but the bucket in common; one of them dies as a whole.
  useS3Keys(t);
  const s3 = await s3Server(t, BUCKET);
  const apart = { store: STORE, storeEndpoint: s3.endpoint, queue: url, workers: 0 };
  const away = await testService(t, { ...small, ...apart, lease: 5 }, { runner: RUNNER });
  const machines = [await startMachine(t, url, s3.endpoint), await startMachine(t, url, s3.endpoint)];
  const kill = () => void machines[0]!.kill('SIGKILL');
  await checkSplit(away, whole, { atWork: 2, kill });
  assert.deepEqual([...s3.objects.keys()], []);
  machines[1]!.kill('SIGTERM');
  await once(machines[1]!, 'close');
  await away.close();
});
