// Real dubs with mini, shared out among workers: split and whole are the same, whoever dies in the middle.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { make, scratch } from '../../test/media-fixtures.ts';
import { findRedis, redisServer } from '../../test/redis-server.ts';
import { type TestService, testService } from '../../test/service.ts';
import { dub } from '../dub/dub.ts';
import type { ServeInput } from '../options/serve.ts';

const CLIP = fileURLToPath(new URL('../../test/fixtures/grid/briz6n.mp4', import.meta.url));
const RUNNER = new URL('./work/dub-worker.ts', import.meta.url).href;
const FULL = process.env.MUSETALK_FULL === '1';
const redis = FULL ? findRedis() : undefined;

/** Two segments of two seconds; three where there is time: the clip goes to and fro under its own sound, said twice. */
const FRAMES = FULL ? 124 : 75;
const PARTS = FULL ? 3 : 2;

async function dubWhole(t: TestContext): Promise<{ sound: Buffer; alone: Buffer }> {
  const root = await scratch(t);
  const times = ['-stream_loop', FULL ? '1' : '0'];
  const sound = await make(join(root, 'speech.wav'), ...times, '-i', CLIP, '-vn', '-t', '5');
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

/** Waits until the parts are drawn. */
async function drawing(service: TestService, id: string): Promise<{ done: number; total: number }> {
  for (;;) {
    const { status, progress, error } = await service.json(200, `/v1/dubs/${id}`);
    assert.match(status, /PENDING|PROCESSING/, JSON.stringify(error));
    if (progress?.stage === 'draw' && progress.done > 0) return progress;
    await sleep(10);
  }
}

const small: ServeInput = { workers: 2, threads: 1, lease: 20, splitSeconds: 1.5, report: 'off' };

async function checkSplit(service: TestService, { sound, alone }: Awaited<ReturnType<typeof dubWhole>>) {
  const before = await service.traces();
  const id = await startDub(service, sound);
  assert.equal((await drawing(service, id)).total, FRAMES, 'progress is that of all parts together');
  assert.equal((await service.service.queue.parts(id)).length, PARTS);
  for (const pid of service.workers().slice(0, 1)) process.kill(pid, 'SIGKILL');
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

test('a split dub is the unsplit one, byte for byte, though a worker is killed in the middle', async (t) => {
  const whole = await dubWhole(t);
  await checkSplit(await testService(t, small, { runner: RUNNER }), whole);
  if (!redis) return;
  const { url } = await redisServer(t, redis);
  const service = await testService(t, { ...small, queue: url }, { runner: RUNNER });
  await checkSplit(service, whole);
  await service.close();
});
