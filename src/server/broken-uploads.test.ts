import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { childrenLeft, filesUnder, shortVideo, spokenWav, testService } from '../../test/service.ts';

/** Broken uploads of each run; `npm run test:full` sends 1,000. */
const COUNT = process.env.MUSETALK_FULL === '1' ? 1000 : 90;

type Break = (send: Wire) => Promise<void>;

const BREAKS: Break[] = [
  // A form without its end.
  async ({ write }) => write(form('x.mp4', 'RIFF....'.repeat(50), { end: false, length: 5000 })),
  // A form that dies at 99 %.
  async ({ write }) => write(form('x.mp4', 'x'.repeat(9900), { end: false, length: 10_000 })),
  // Many parts, names that are empty, a boundary that never comes.
  async ({ write }) => write(form('', '', { parts: 300 })),
  async ({ write }) =>
    write(
      'POST /v1/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data\r\nContent-Length: 3\r\n\r\nabc',
    ),
  async ({ write }) =>
    write(
      'POST /v1/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=\r\nContent-Length: 3\r\n\r\nabc',
    ),
  // Bytes that end too early, come in broken chunks, or are no media at all.
  async ({ write }) =>
    write(
      `PUT /v1/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(99_000)}`,
    ),
  async ({ write }) =>
    write(
      'PUT /v1/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n',
    ),
  async ({ write }) => write('PUT /v1/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\nhello'),
  async ({ write }) => write('PUT /v1/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n'),
  // tus: lengths that lie, offsets that do not fit, creations with a body that breaks off.
  async ({ write }) => write(tus('POST', '/v1/uploads', { 'upload-length': '-5' })),
  async ({ write }) => write(tus('POST', '/v1/uploads', { 'upload-length': '999999999999999' })),
  async ({ write }) =>
    write(tus('PATCH', `/v1/uploads/${'0'.repeat(26)}`, { 'upload-offset': '0', 'content-length': '10' })),
  async ({ write, read }) => {
    await write(tus('POST', '/v1/uploads', { 'upload-length': '5', 'content-length': '0' }));
    const id = /location: (\S+)/i.exec(await read())?.[1];
    await write(tus('PATCH', id!, { 'upload-offset': '0', 'content-length': '5' }));
    await write('hello'); // complete, and no media: not kept
  },
];

/** Those of them whose client dies in the middle. */
const CUT = new Set([BREAKS[0], BREAKS[1], BREAKS[5]]);

interface Wire {
  write(text: string): Promise<void>;
  read(): Promise<string>;
}

function form(name: string, content: string, { end = true, parts = 1, length = 0 }): string {
  const part = `--b\r\nContent-Disposition: form-data; name=""; filename="${name}"\r\n\r\n${content}\r\n`;
  const body = part.repeat(parts) + (end ? '--b--\r\n' : '');
  const head = `POST /v1/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n`;
  return `${head}Content-Length: ${length || body.length}\r\n\r\n${body}`;
}

function tus(method: string, path: string, headers: Record<string, string>): string {
  const lines = Object.entries({
    ...{ host: '127.0.0.1', 'tus-resumable': '1.0.0' },
    ...(method === 'PATCH' && { 'content-type': 'application/offset+octet-stream' }),
    ...headers,
  });
  return `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

/** Sends one broken upload, waits a little for an answer, and hangs up. */
async function sendBroken(port: number, kind: Break): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1');
  let heard = '';
  socket.setEncoding('latin1').on('data', (text: string) => (heard += text));
  socket.on('error', () => {});
  const closed = new Promise<void>((done) => socket.on('close', () => done()));
  const write = (text: string) => new Promise<void>((done) => socket.write(text, 'latin1', () => done()));
  const read = async () => {
    const before = heard.length;
    for (let i = 0; i < 400 && heard.length === before && !socket.destroyed; i++) await sleep(5);
    return heard.slice(before);
  };
  await kind({ write, read });
  // Half a body gets no answer: the client dies. A whole one, however broken, gets one.
  await (CUT.has(kind) ? sleep(20) : Promise.race([closed, read()]));
  socket.destroy();
  await closed;
  return heard;
}

test(`${COUNT} broken uploads leave no file, no process, no descriptor, and the service at work`, async (t) => {
  const service = await testService(t, { workers: 1 });
  const port = Number(new URL(service.url).port);
  const before = await service.traces();
  await service.json(200, '/healthz');
  const openBefore = descriptors();
  const answers: string[] = [];
  for (let i = 0; i < COUNT; i += 15)
    answers.push(
      ...(await Promise.all(
        Array.from({ length: Math.min(15, COUNT - i) }, (_, k) =>
          sendBroken(port, BREAKS[(i + k) % BREAKS.length]!),
        ),
      )),
    );
  for (const answer of answers) assert.doesNotMatch(answer, /^HTTP\/1\.1 5/m);
  assert.ok(
    answers.filter((text) => /^HTTP\/1\.1 4/.test(text)).length > COUNT / 3,
    'most are told what is wrong',
  );
  for (let i = 0; i < 200 && (await service.traces()).length > before.length; i++) await sleep(20);
  assert.deepEqual(await service.traces(), before);
  assert.ok(descriptors() <= openBefore + 5, `${descriptors()} descriptors, ${openBefore} before`);
  assert.deepEqual(await childrenLeft(), []);
  await service.upload(await shortVideo());
});

test('a tus upload that is broken off goes on where it was, and is gone once its time is over', async (t) => {
  const service = await testService(t, { workers: 0 });
  const wav = spokenWav();
  const headers = { 'tus-resumable': '1.0.0' };
  const name = Buffer.from('speech.wav').toString('base64');
  const create = await service.ask('/v1/uploads', {
    ...{
      method: 'POST',
      headers: { ...headers, 'upload-length': String(wav.length), 'upload-metadata': `filename ${name}` },
    },
  });
  assert.equal(create.status, 201);
  const path = create.headers.get('location')!;
  assert.match(path, /^\/v1\/uploads\/[0-9a-z]{26}$/);
  const patch = (offset: number, end: number) =>
    service.ask(path, {
      ...{ method: 'PATCH', body: new Uint8Array(wav.subarray(offset, end)) },
      headers: {
        ...headers,
        'upload-offset': String(offset),
        'content-type': 'application/offset+octet-stream',
      },
    });
  assert.equal((await patch(0, 1000)).status, 204);
  assert.equal((await patch(500, 900)).status, 409, 'a part that was sent already');
  const head = await service.ask(path, { method: 'HEAD', headers });
  assert.equal(head.headers.get('upload-offset'), '1000');
  assert.equal((await service.json(200, path)).complete, false);
  const early = await service.post(409, '/v1/dubs', { video: path.slice(-26), sound: path.slice(-26) });
  assert.equal(early.error.code, 'CONFLICT');
  assert.equal((await patch(1000, wav.length)).status, 204);
  const upload = await service.json(200, path);
  assert.deepEqual([upload.complete, upload.kind, upload.name], [true, 'WAV', 'speech.wav']);

  const other = await service.ask('/v1/uploads', {
    method: 'POST',
    headers: { ...headers, 'upload-length': '100' },
  });
  assert.equal(other.status, 201);
  await service.service.uploads.sweep(Date.now() + 1000);
  assert.deepEqual(
    (await filesUnder(service.folder)).filter((file) => file.startsWith('uploads/')),
    [],
  );
});

test('a tus upload that lies about its length, or dies at 99 %, can go on from what has come', async (t) => {
  const service = await testService(t, { workers: 0 });
  const port = Number(new URL(service.url).port);
  const wav = spokenWav().toString('latin1');
  const { length } = wav;
  const heard = await sendBroken(port, async ({ write, read }) => {
    await write(tus('POST', '/v1/uploads', { 'upload-length': String(length), 'content-length': '0' }));
    const path = /location: (\S+)/i.exec(await read())![1]!;
    const head = { 'upload-offset': '0', 'content-length': String(length) };
    await write(tus('PATCH', path, head) + wav.slice(0, Math.floor(length * 0.99)));
    await sleep(50);
  });
  const path = /location: (\S+)/i.exec(heard)![1]!;
  const headers = { 'tus-resumable': '1.0.0' };
  let offset = 0;
  for (let i = 0; i < 100 && offset === 0; i++) {
    offset = Number((await service.ask(path, { method: 'HEAD', headers })).headers.get('upload-offset'));
    await sleep(20);
  }
  assert.ok(offset > 0 && offset < length, `${offset} of ${length}`);
  const patch = (body: string) =>
    service.ask(path, {
      ...{ method: 'PATCH', body: new Uint8Array(Buffer.from(body, 'latin1')) },
      headers: {
        ...headers,
        'upload-offset': String(offset),
        'content-type': 'application/offset+octet-stream',
      },
    });
  const more = await patch(`${wav.slice(offset)}${'x'.repeat(5000)}`);
  assert.ok(more.status >= 400 && more.status < 500, `${more.status}: more than was announced`);
  offset = Number((await service.ask(path, { method: 'HEAD', headers })).headers.get('upload-offset'));
  if (offset < length) assert.equal((await patch(wav.slice(offset))).status, 204);
  assert.equal((await service.json(200, path)).bytes, length);
});

test('a form brings a file with a name that means nothing', async (t) => {
  const service = await testService(t, { workers: 0 });
  for (const name of [
    '../../etc/cron.d/x',
    'con',
    'a\u202eb.mp4',
    'x'.repeat(4000),
    'C:\\x\\y.mp4',
    '-i',
    'file:///x',
  ]) {
    const body = new FormData();
    body.set('file', new Blob([await shortVideo()]), name);
    const upload = await service.json(201, '/v1/uploads', { method: 'POST', body });
    assert.match(upload.id, /^[0-9a-z]{26}$/);
    assert.ok(upload.name.length <= 200 && !/[\u202e\0]/.test(upload.name), upload.name);
  }
  const names = ['a\0b.mp4', '../../x', '\u202e4pm.exe', 'x'.repeat(4096)];
  for (const name of names) {
    const query = new URLSearchParams({ name });
    const upload = await service.json(201, `/v1/uploads?${query}`, {
      ...{ method: 'PUT', body: new Uint8Array(spokenWav()) },
    });
    assert.ok(upload.name.length <= 200 && !/[\u202e\0]/.test(upload.name), upload.name);
  }
  for (const name of names.slice(0, 3)) {
    const sent = await service.ask('/v1/uploads', {
      method: 'POST',
      headers: {
        ...{ 'tus-resumable': '1.0.0', 'upload-length': '10' },
        'upload-metadata': `filename ${Buffer.from(name).toString('base64')}`,
      },
    });
    const upload = await service.json(200, sent.headers.get('location')!);
    assert.ok(!/[\u202e\0]/.test(upload.name), upload.name);
  }
  const raw = await sendBroken(Number(new URL(service.url).port), async ({ write }) =>
    write(form('a\0../b.mp4', (await shortVideo()).toString('latin1'), {})),
  );
  assert.match(raw, /^HTTP\/1\.1 (201|4\d\d)/);
  for (const file of await filesUnder(service.folder))
    assert.match(file, /^(key|queue\/jobs\.jsonl|uploads\/[0-9a-z]{26}(\.json)?)$/);
});

function descriptors(): number {
  return process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
}
