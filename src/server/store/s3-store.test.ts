// The store on a server of the S3 protocol: one of the tests that checks every signature, or the one that
// MUSETALK_TEST_STORE (s3://bucket/prefix) names, with AWS_ENDPOINT_URL and keys beside it.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { addJob, checkJobs } from '../../../test/counted-jobs.ts';
import { findRedis, redisServer } from '../../../test/redis-server.ts';
import { type S3Server, s3Server, useS3Keys } from '../../../test/s3-server.ts';
import { FRAMES_RUNNER, filesUnder, shortVideo, spokenWav, testService } from '../../../test/service.ts';
import { Files, newId } from '../files.ts';
import { type RunningWorker, startWorker } from '../worker.ts';
import { S3Store } from './s3-store.ts';
import type { Store, StoredFile, StoreOptions } from './store.ts';

const given = process.env.MUSETALK_TEST_STORE;

async function server(t: TestContext): Promise<{ options: StoreOptions; s3: S3Server }> {
  const s3 = await s3Server(t, 'musetalk-test');
  useS3Keys(t);
  return { options: { store: 's3://musetalk-test/some/place', storeEndpoint: s3.endpoint }, s3 };
}

async function openStore(t: TestContext, options: StoreOptions): Promise<{ store: Store; files: Files }> {
  const root = await mkdtemp(join(tmpdir(), 'store-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const files = new Files(root);
  await files.make();
  return { store: await S3Store.open(files, options), files };
}

async function put(files: Files, job: string, name: string, bytes: string | Buffer): Promise<void> {
  await mkdir(join(files.job(job), name, '..'), { recursive: true });
  await writeFile(join(files.job(job), name), bytes);
}

async function textOf(file: StoredFile | undefined): Promise<string> {
  if (!file || 'folder' in file) throw new Error('there is no answer');
  let text = '';
  for await (const chunk of (file.body ?? []) as Readable) text += String(chunk);
  return text;
}

async function lifeOf(t: TestContext, options: StoreOptions): Promise<void> {
  const { store, files } = await openStore(t, options);
  const [job, other] = [newId(), newId()];
  const large = randomBytes(17 * 2 ** 20); // two parts
  await put(files, job, 'video', large);
  await put(files, job, 'sound', 'speech');
  await put(files, job, 'work-1/result.mp4', 'the result');
  await put(files, other, 'video', 'of another');
  await store.save(job, ['video', 'sound', 'work-1/result.mp4']);
  await store.save(other, ['video']);
  await store.release(job);
  assert.deepEqual((await filesUnder(files.root)).sort(), [`jobs/${other}/video`]);

  await store.load(job);
  assert.deepEqual(await readFile(join(files.job(job), 'video')), large);
  assert.equal(await readFile(join(files.job(job), 'sound'), 'utf8'), 'speech');
  assert.deepEqual(
    (await filesUnder(files.job(job))).sort(),
    ['sound', 'video'],
    'results of attempts stay there',
  );
  for (const name of ['work-2/plan/a', 'part-0-1/0', 'part-0-2/0', 'part-1-1/0', 'part-10-7/0']) {
    await put(files, job, name, name);
    await store.save(job, [name]);
  }
  await store.release(job);
  await put(files, job, 'part-0-1/1', 'of an attempt that was cut off here');
  await put(files, job, 'part-1-2/0', 'of one that goes on from what the store has');
  await store.load(job, { whole: true, parts: 2 });
  assert.deepEqual((await filesUnder(files.job(job))).sort(), [
    ...['part-0-1/1', 'part-0-2/0', 'part-1-2/0', 'sound', 'video', 'work-2/plan/a'],
  ]);
  await store.forget(job, { allBut: 'work-1' });

  const ask = (name: string, headers = {}, method = 'GET') => store.file(job, name, { method, headers });
  const whole = await ask('work-1/result.mp4');
  assert.ok(whole && 'status' in whole);
  assert.deepEqual([whole.status, whole.headers['content-length']], [200, '10']);
  assert.equal(await textOf(whole), 'the result');
  const part = await ask('work-1/result.mp4', { range: 'bytes=4-7' });
  assert.ok(part && 'status' in part);
  assert.deepEqual([part.status, part.headers['content-range']], [206, 'bytes 4-7/10']);
  assert.equal(await textOf(part), 'resu');
  const beyond = await ask('work-1/result.mp4', { range: 'bytes=99-' });
  assert.ok(beyond && 'status' in beyond && beyond.status === 416);
  const same = await ask('work-1/result.mp4', { 'if-none-match': whole.headers.etag });
  assert.ok(same && 'status' in same && same.status === 304);
  const head = await ask('work-1/result.mp4', {}, 'HEAD');
  assert.ok(head && 'status' in head && head.headers['content-length'] === '10');
  assert.equal(await ask('work-2/result.mp4'), undefined);
  assert.equal(String(await store.bytes(job, 'sound')), 'speech');
  assert.equal(String(await store.bytes(job, 'sound', 3)), 'spe');
  assert.equal(await store.bytes(job, 'nothing'), undefined);

  const ids: string[] = [];
  for await (const id of store.jobs()) ids.push(id);
  assert.ok(ids.includes(job) && ids.includes(other));
  await store.forget(job, { only: 'work-1' });
  assert.equal(await ask('work-1/result.mp4'), undefined);
  assert.equal(String(await store.bytes(job, 'sound')), 'speech');
  for (const id of [job, other]) await store.remove(id);
  assert.equal(await store.bytes(job, 'sound'), undefined);
  assert.equal(await store.healthy(), true);
}

test('what is saved is loaded, sent whole and in parts, listed and removed', async (t) => {
  const { options, s3 } = await server(t);
  await lifeOf(t, options);
  assert.deepEqual([...s3.objects.keys()], [], 'nothing is left');
  assert.equal(s3.begun.size, 0);
});

test('the same on the server that the environment names', { skip: given === undefined }, async (t) => {
  await lifeOf(t, { store: given! });
});

test('calls that fail are made again; what cannot be stored is told, and leaves nothing', async (t) => {
  const { options, s3 } = await server(t);
  const { store, files } = await openStore(t, options);
  const job = newId();
  await put(files, job, 'video', 'frames');
  let broken = 0;
  s3.fault = (call, response) => {
    if (!call.startsWith('PUT') || broken >= 2) return false;
    if (broken++ === 0) response.destroy();
    else response.writeHead(503).end();
    return true;
  };
  await store.save(job, ['video']);
  assert.equal(String(await store.bytes(job, 'video')), 'frames');

  s3.fault = (call, response) => {
    if (!call.startsWith('PUT')) return false;
    response.writeHead(507).end('<Error><Code>XMinioStorageFull</Code></Error>');
    return true;
  };
  await assert.rejects(store.save(job, ['video']), { code: 'CANNOT_WRITE' });
  await put(files, job, 'work-1/result.mp4', Buffer.alloc(17 * 2 ** 20));
  s3.fault = (call, response) => {
    if (!call.includes('partNumber=2')) return false;
    response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>');
    return true;
  };
  await assert.rejects(store.save(job, ['work-1/result.mp4']), {
    code: 'UNAVAILABLE',
    message: /AccessDenied/,
  });
  assert.equal(s3.begun.size, 0, 'parts of it are given up');

  s3.fault = (call, response) => {
    if (!/^GET .*video$/.test(call)) return false;
    response.writeHead(200, { 'content-length': 6 }).write('fra', () => response.destroy());
    return true;
  };
  await store.release(job);
  await assert.rejects(store.load(job), { code: 'UNAVAILABLE' });
  assert.deepEqual(await filesUnder(files.job(job)), [], 'no half of an input stays');
  s3.fault = undefined;
  await store.load(job);
  assert.equal(await readFile(join(files.job(job), 'video'), 'utf8'), 'frames');
});

test('a store without keys, with wrong ones, or that is not there is told at the start, and no key with it', async (t) => {
  const { options, s3 } = await server(t);
  const open = (more: object = {}) => openStore(t, { ...options, ...more });
  await assert.rejects(open({ store: 's3://other-bucket' }), {
    code: 'UNAVAILABLE',
    message: /NoSuchBucket/,
  });
  await assert.rejects(open({ storeEndpoint: 'http://127.0.0.1:1' }), { code: 'UNAVAILABLE' });
  process.env.AWS_SECRET_ACCESS_KEY = 'not-the-secret';
  await assert.rejects(open(), (error: Error & { code: string }) => {
    assert.deepEqual([error.code, /SignatureDoesNotMatch/.test(error.message)], ['UNAVAILABLE', true]);
    assert.doesNotMatch(JSON.stringify([error.message, error.stack, error]), /not-the-secret|TESTKEY/);
    return true;
  });
  delete process.env.AWS_SECRET_ACCESS_KEY;
  const before = s3.calls.length;
  await assert.rejects(open(), { code: 'BAD_OPTION', message: /no keys/ });
  assert.equal(s3.calls.length, before);
});

test('a service with its files in a bucket: dubbed, watched, fetched in parts, deleted without a trace', async (t) => {
  const { options, s3 } = await server(t);
  const service = await testService(t, options);
  const before = await service.traces();
  const video = await service.upload(await shortVideo());
  const sound = await service.upload(spokenWav('frames=3'));
  const { id } = await service.post(201, '/v1/dubs', { video, sound });
  const dub = await service.ended(id);
  assert.equal(dub.status, 'COMPLETED', JSON.stringify(dub.error));
  assert.ok(
    !(await service.traces()).some((path) => path.startsWith('jobs/')),
    'the work lies in the bucket alone',
  );
  const whole = await service.ask(`/v1/dubs/${id}/result`);
  assert.deepEqual([whole.status, whole.headers.get('content-type')], [200, 'video/mp4']);
  const text = await whole.text();
  assert.equal(text.split('\n').length, 3);
  const part = await service.ask(`/v1/dubs/${id}/result`, { headers: { range: 'bytes=2-5' } });
  assert.deepEqual([part.status, await part.text()], [206, text.slice(2, 6)]);
  assert.equal(part.headers.get('content-range'), `bytes 2-5/${text.length}`);
  const beyond = await service.ask(`/v1/dubs/${id}/result`, { headers: { range: 'bytes=999999-' } });
  assert.equal(beyond.status, 416);
  const head = await service.ask(`/v1/dubs/${id}/result`, { method: 'HEAD' });
  assert.equal(head.headers.get('content-length'), String(text.length));
  const source = await service.ask(`/v1/dubs/${id}/source`);
  assert.deepEqual(Buffer.from(await source.arrayBuffer()), await shortVideo());

  const bad = await service.upload(spokenWav('fail=ENGINE'));
  const failed = await service.post(201, '/v1/dubs', { video, sound: bad });
  assert.equal((await service.ended(failed.id)).status, 'FAILED');
  assert.match(
    await (await service.ask(`/v1/dubs/${failed.id}/log`)).text(),
    /attempt 1: ENGINE.*\nattempt 2/s,
  );
  assert.equal((await service.json(200, '/readyz')).status, 'ok');

  for (const one of [failed.id, id]) await service.json(204, `/v1/dubs/${one}`, { method: 'DELETE' });
  assert.deepEqual([...s3.objects.keys()], []);
  assert.deepEqual(await service.traces(), before);
});

const redis = findRedis();

/** A service without workers of its own, and machines that work for it, each with a folder of its own. */
async function apart(t: TestContext, machines: number) {
  const { options, s3 } = await server(t);
  const { url } = await redisServer(t, redis!);
  const service = await testService(t, { ...options, queue: url, workers: 0 });
  const work = { workers: 1, lease: 5, attempts: 3, splitSeconds: 0, report: 'off' } as const;
  const folders: string[] = [];
  const workers: RunningWorker[] = [];
  for (let i = 0; i < machines; i++) {
    const data = await mkdtemp(join(tmpdir(), 'scratch-'));
    folders.push(data);
    t.after(() => rm(data, { recursive: true, force: true }));
    workers.push(await startWorker({ ...options, queue: url, data, ...work }, { runner: FRAMES_RUNNER }));
  }
  const close = async () => {
    for (const worker of workers) await worker.close();
    await service.close();
  };
  return { s3, service, folders, close };
}

/** Waits some seconds for something to be empty. */
async function emptied(what: () => Promise<string[]> | string[]): Promise<void> {
  for (let i = 0; i < 500 && (await what()).length > 0; i++)
    await new Promise((done) => setTimeout(done, 10));
  assert.deepEqual(await what(), []);
}

test('a split job is shared by machines that have only the bucket in common, and made as if by one', {
  skip: redis === undefined,
  timeout: 60_000,
}, async (t) => {
  const { s3, service, folders, close } = await apart(t, 2);
  const job = await addJob(service, 12, 'delay=50 split=4');
  const worked = new Set<string>();
  const looking = setInterval(async () => {
    for (const folder of folders)
      if ((await filesUnder(folder)).some((path) => /part-\d-1.frames/.test(path))) worked.add(folder);
  }, 10);
  await checkJobs(service, [job]);
  clearInterval(looking);
  assert.equal(worked.size, 2, 'both machines drew');
  const others = () => [...s3.objects.keys()].filter((key) => /work-1|part-/.test(key));
  await emptied(others);
  for (const folder of folders) await emptied(() => filesUnder(folder));
  await service.json(204, `/v1/dubs/${job.id}`, { method: 'DELETE' });
  assert.deepEqual([...s3.objects.keys()], []);
  await close();
});

test('what a late machine brings after a DELETE goes again', {
  skip: redis === undefined,
  timeout: 60_000,
}, async (t) => {
  const { s3, service, folders, close } = await apart(t, 1);
  const video = await service.upload(await shortVideo());
  const sound = await service.upload(spokenWav('frames=3'));
  const { id } = await service.post(201, '/v1/dubs', { video, sound });
  const dub = await service.ended(id);
  assert.equal(dub.status, 'COMPLETED', JSON.stringify(dub.error));
  assert.equal((await (await service.ask(`/v1/dubs/${id}/result`)).text()).split('\n').length, 3);

  // The worker is about to store its result when the dub is deleted; its last call ends after that.
  const late = await service.upload(spokenWav('frames=2'));
  let deleted: Promise<unknown> | undefined;
  s3.fault = (call, response) => {
    if (!/^PUT .*work-1\/result\.mp4/.test(call) || deleted) return false;
    const key = call.split('/').slice(2).join('/');
    deleted = service.json(204, `/v1/dubs/${second.id}`, { method: 'DELETE' });
    void deleted.then(() => {
      s3.objects.set(key, Buffer.from('late'));
      response.writeHead(200).end();
    });
    return true;
  };
  const second = await service.post(201, '/v1/dubs', { video, sound: late });
  while (!deleted) await new Promise((done) => setTimeout(done, 10));
  await deleted;
  await emptied(() => [...s3.objects.keys()].filter((key) => key.includes(second.id)));
  await service.json(204, `/v1/dubs/${id}`, { method: 'DELETE' });
  assert.deepEqual([...s3.objects.keys()], []);
  await emptied(() => filesUnder(folders[0]!));
  await close();
});
