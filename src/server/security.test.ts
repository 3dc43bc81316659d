import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { shortVideo, spokenWav, type TestService, testService } from '../../test/service.ts';
import { startServer } from './server.ts';

const ALICE = 'alice-token-1';
const BOB = 'bob-token-22';

async function twoUsers(t: TestContext): Promise<TestService> {
  const folder = await mkdtemp(join(tmpdir(), 'tokens-'));
  t.after(() => rm(folder, { recursive: true }));
  const tokens = join(folder, 'tokens');
  await writeFile(tokens, `# who may call\nalice ${ALICE}\nbob: ${BOB}\n`);
  return testService(t, { tokens });
}

/** A raw request, with headers that `fetch` would not send. */
function raw(
  url: string,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: object } = {},
) {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>((done, fail) => {
    const asked = request(new URL(path, url), { method, headers: { ...headers } }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      answer.on('end', () => done({ status: answer.statusCode!, headers: answer.headers, body }));
    });
    asked.on('error', fail);
    asked.end();
  });
}

test('a service that others can reach does not start without a token', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'open-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const host of ['0.0.0.0', '::', '192.168.1.5'])
    await assert.rejects(startServer({ host, port: 0, data: folder, workers: 0 }), { code: 'BAD_OPTION' });
});

test('two services do not share a folder', async (t) => {
  const service = await testService(t, { workers: 0 });
  await assert.rejects(startServer({ port: 0, data: service.folder, workers: 0 }), { code: 'CONFLICT' });
});

test('with tokens, every route but the open ones asks for one; each user sees what is his own', async (t) => {
  const service = await twoUsers(t);
  const api = await service.json(200, '/openapi.json');
  for (const [path, operations] of Object.entries<Record<string, { security?: unknown[] }>>(api.paths))
    for (const [method, { security }] of Object.entries(operations)) {
      if (security?.length === 0) continue;
      const url = path.replace('{id}', '0'.repeat(26));
      for (const token of [undefined, 'wrong-token', ALICE.slice(0, -1), `${ALICE}x`]) {
        const answer = await service.ask(url, {
          method: method.toUpperCase(),
          ...(token !== undefined && { token }),
        });
        assert.equal(answer.status, 401, `${method} ${path}`);
        await answer.body?.cancel();
      }
    }
  const video = await service.upload(await shortVideo(), ALICE);
  const sound = await service.upload(spokenWav(), ALICE);
  const { id } = await service.post(201, '/v1/dubs', { video, sound }, { token: ALICE });
  await service.ended(id, ALICE);
  for (const path of [
    `/v1/uploads/${video}`,
    ...['', '/events', '/result', '/source', '/report', '/log'].map((end) => `/v1/dubs/${id}${end}`),
  ])
    await service.json(404, path, { token: BOB });
  await service.json(404, `/v1/dubs/${id}`, { token: BOB, method: 'DELETE' });
  await service.json(404, `/v1/dubs/${id}/cancel`, { token: BOB, method: 'POST' });
  await service.json(404, `/v1/uploads/${video}`, { token: BOB, method: 'DELETE' });
  await service.json(404, `/v1/uploads/${video}`, {
    token: BOB,
    method: 'DELETE',
    headers: { 'tus-resumable': '1.0.0' },
  });
  assert.equal(
    (
      await service.ask(`/v1/uploads/${video}`, {
        token: BOB,
        method: 'HEAD',
        headers: { 'tus-resumable': '1.0.0' },
      })
    ).status,
    404,
  );
  const stolen = await service.post(404, '/v1/dubs', { video, sound }, { token: BOB });
  assert.equal(stolen.error.code, 'NOT_FOUND');
  assert.deepEqual((await service.json(200, '/v1/dubs', { token: BOB })).data, []);
  assert.deepEqual((await service.json(200, '/v1/uploads', { token: BOB })).data, []);
  assert.equal((await service.ask('/v1/dubs', { headers: { 'x-api-key': ALICE } })).status, 200);
});

test('a page gets a cookie for a token, and a cookie that was changed is none', async (t) => {
  const service = await twoUsers(t);
  const answer = await service.ask('/v1/session', {
    ...{ method: 'POST', body: JSON.stringify({ token: BOB }) },
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(answer.status, 204);
  const set = answer.headers.get('set-cookie')!;
  assert.match(set, /HttpOnly; SameSite=Strict/);
  const cookie = set.split(';')[0]!;
  assert.equal((await service.ask('/v1/dubs', { headers: { cookie } })).status, 200);
  const alice = Buffer.from('alice').toString('base64url');
  for (const forged of [
    cookie.slice(0, -1),
    cookie.replace(/=[\w-]+/, `=${alice}`),
    `${cookie}x`,
    'musetalk-session=..',
  ])
    assert.equal((await service.ask('/v1/dubs', { headers: { cookie: forged } })).status, 401);
  await service.post(401, '/v1/session', { token: 'not-a-token' });
});

test('pages of other origins, and other names for this machine, get nothing done', async (t) => {
  const { url } = await testService(t, { workers: 0 });
  const { host } = new URL(url);
  assert.equal((await raw(url, '/v1/dubs', { headers: { host: 'evil.example' } })).status, 403);
  assert.equal(
    (await raw(url, '/v1/dubs', { headers: { host: `localhost:${new URL(url).port}` } })).status,
    200,
  );
  const post = (headers: object) => raw(url, '/v1/uploads', { method: 'PUT', headers: { host, ...headers } });
  assert.equal((await post({ origin: 'https://evil.example' })).status, 403);
  assert.equal((await post({ origin: 'null' })).status, 403);
  assert.notEqual((await post({ origin: url })).status, 403);
  const answer = await raw(url, '/v1/dubs', { headers: { host, origin: 'https://evil.example' } });
  assert.equal(answer.headers['access-control-allow-origin'], undefined);
  const asked = await raw(url, '/v1/uploads', {
    method: 'OPTIONS',
    headers: { host, origin: 'https://evil.example' },
  });
  assert.equal(asked.headers['access-control-allow-origin'], undefined);
});

test('every answer forbids what it does not need', async (t) => {
  const service = await testService(t, { workers: 0 });
  for (const path of ['/healthz', '/docs', '/openapi.json', '/v1/dubs', '/nothing', '/v1/dubs/x']) {
    const { headers } = await service.ask(path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
    assert.match(headers.get('content-security-policy')!, /default-src 'none'/, path);
    assert.doesNotMatch(headers.get('content-security-policy')!, /unsafe-inline|unsafe-eval|\*/, path);
  }
  const docs = await (await service.ask('/docs')).text();
  assert.match(docs, /<code>input\[\]\.assetId<\/code>/, 'fields within lists and choices are told too');
  assert.doesNotMatch(docs, /<script|https?:\/\//i);
});

test('rate, queue, size, room and length have limits, each with its own error', async (t) => {
  const tokens = { maxQueued: 1, maxUpload: 40_000, maxStorage: 60_000, maxDuration: 1, maxPixels: 64 * 48 };
  const service = await testService(t, { ...tokens, createRate: 12 });
  const video = await service.upload(await shortVideo());
  const sound = await service.upload(spokenWav('frames=500 delay=20'));
  await service.post(201, '/v1/dubs', { video, sound });
  const full = await service.post(429, '/v1/dubs', { video, sound });
  assert.deepEqual([full.error.code, full.error.facts.limit], ['QUEUE_FULL', 1]);
  const body = Buffer.alloc(50_000, 'x');
  const large = await service.json(413, '/v1/uploads', { method: 'PUT', body });
  assert.deepEqual([large.error.code, large.error.facts.limit], ['TOO_LARGE', 40_000]);
  const chunked = new ReadableStream({
    pull(controller) {
      controller.enqueue(new Uint8Array(10_000));
    },
  });
  const endless = await service
    .ask('/v1/uploads', { method: 'PUT', body: chunked, duplex: 'half' })
    .catch(() => undefined);
  assert.ok(endless === undefined || endless.status === 413);
  const long = await service.upload(
    Buffer.concat([spokenWav().subarray(0, 40), Buffer.from([0, 0x90, 0, 0]), Buffer.alloc(0x9000)]),
  );
  const tooLong = await service.post(413, '/v1/dubs', { video, sound: long });
  assert.deepEqual([tooLong.error.code, tooLong.error.facts.what], ['TOO_LARGE', 'seconds']);
  const room = await service.json(413, '/v1/uploads', { method: 'PUT', body: Buffer.alloc(30_000) });
  assert.equal(room.error.code, 'STORAGE_FULL');
  let last: Response | undefined;
  for (let i = 0; i < 12; i++) {
    last = await service.ask('/v1/uploads', { method: 'PUT', body: 'x' });
    if (last.status === 429) break;
    await last.body?.cancel();
  }
  assert.equal(last!.status, 429);
  assert.ok(Number(last!.headers.get('retry-after')) >= 1);
  assert.equal(((await last!.json()) as { error: { code: string } }).error.code, 'RATE_LIMITED');
});

test('models and options that would name files of this machine are not taken', async (t) => {
  const service = await testService(t, { workers: 0 });
  const [video, sound] = [await service.upload(await shortVideo()), await service.upload(spokenWav())];
  const wrong: object[] = [
    { options: { model: '../../etc' } },
    { options: { model: '/etc/passwd' } },
    { model: 'a/b' },
    { options: { models: '/etc' } },
    { options: { coords: '/etc/passwd' } },
    { options: { saveCoords: '/elsewhere/x' } },
    { options: { parsing: '/etc' } },
    { options: { frames: '/elsewhere/x' } },
    { options: { overwrite: true } },
    { options: { threads: 256 } },
    { video: '/etc/passwd' },
    { video: 'file:///etc/passwd' },
    { video: { url: 'file:///etc/passwd' } },
    { video: '../../../../etc/passwd' },
    { video: `..%2f${video}` },
    { output: '/elsewhere/x.mp4' },
    { webhookUrl: 'http://a.example/' },
  ];
  for (const one of wrong) {
    const { error } = await service.post(400, '/v1/dubs', { video, sound, ...one });
    assert.equal(error.code, 'BAD_OPTION', JSON.stringify(one));
  }
  const off = await service.post(422, '/v1/dubs', { video: { url: 'https://1.1.1.1/x.mp4' }, sound });
  assert.equal(off.error.code, 'ADDRESS_REFUSED', 'addresses as inputs are off');
  for (const path of [
    '/v1/dubs/..%2f..%2fkey',
    '/v1/dubs/%2e%2e/result',
    '/../key',
    '/v1/uploads/..%5ckey',
    `/v1/dubs/${'a'.repeat(26)}%00`,
  ]) {
    const { status } = await raw(service.url, path);
    assert.ok(status === 400 || status === 404, `${path}: ${status}`);
  }
});

test('a client that drips, or says nothing, is let go', async (t) => {
  const { url } = await testService(t, { workers: 0 }, { pace: { least: 100, seconds: 0.2 }, idle: 0.6 });
  const { port } = new URL(url);
  const heads = [
    'PUT /v1/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n',
    'PUT /v1/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'POST /v1/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n',
    'POST /v1/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 100000\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: 100000\r\n\r\n',
    'POST /v1/dubs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{',
    '',
  ];
  const lives = heads.map(
    (head) =>
      new Promise<number>((done) => {
        const start = performance.now();
        const socket = connect(Number(port), '127.0.0.1', () => socket.write(head));
        const drip = setInterval(() => head !== '' && socket.writable && socket.write('x'), 50);
        socket.on('error', () => {}).resume();
        socket.on('close', () => {
          clearInterval(drip);
          done(performance.now() - start);
        });
      }),
  );
  for (const ms of await Promise.all(lives)) assert.ok(ms < 5000, `${ms} ms`);
});
