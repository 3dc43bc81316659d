import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Answer, dropsAfter, honest, serve } from '../../test/hostile-server.ts';
import { MuseTalkError } from '../core/errors.ts';
import { type DownloadOptions, download } from './download.ts';

const BODY = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 31 + (i >> 8)) % 251));
const SHA256 = createHash('sha256').update(BODY).digest('hex');
const EXACT = { bytes: BODY.length, sha256: SHA256 };
const QUICK = { firstWait: 0.01, attempts: 3, patience: 20 } satisfies DownloadOptions;

async function place(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'musetalk download '));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'deep', 'network.bin');
}

/** What lies beside and at the target. */
async function leftAt(target: string): Promise<string[]> {
  return (await readdir(join(target, '..')).catch(() => [])).sort();
}

function fails(code: string, words: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof MuseTalkError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    return true;
  };
}

test('a file comes whole, is named at the end, and its progress reaches its size', async (t) => {
  const { base } = await serve(t, BODY, { '/a': honest });
  const target = await place(t);
  const shown: number[] = [];
  await download(`${base}/a`, target, EXACT, { ...QUICK, onProgress: ({ done }) => shown.push(done) });
  assert.deepEqual(await readFile(target), BODY);
  assert.deepEqual(await leftAt(target), ['network.bin']);
  assert.equal(shown.at(-1), BODY.length);
});

test('a server that breaks off is asked for the rest, as often as each answer brings something', async (t) => {
  const { base, seen } = await serve(t, BODY, { '/a': dropsAfter(15_000) });
  const target = await place(t);
  await download(`${base}/a`, target, EXACT, QUICK);
  assert.deepEqual(await readFile(target), BODY);
  assert.equal(seen.length, 7);
  assert.equal(seen[1]!.range, 'bytes=15000-');
});

test('what an interrupted run left is continued by the next', async (t) => {
  const { base, seen } = await serve(t, BODY, { '/stuck': stuckAfter(40_000), '/a': honest });
  const target = await place(t);
  const controller = new AbortController();
  const onProgress = ({ done }: { done: number }) => done >= 40_000 && controller.abort(new Error('enough'));
  const { signal } = controller;
  await assert.rejects(download(`${base}/stuck`, target, EXACT, { ...QUICK, signal, onProgress }), /enough/);
  assert.deepEqual(await leftAt(target), ['network.bin.part']);

  await download(`${base}/a`, target, EXACT, QUICK);
  assert.deepEqual(await readFile(target), BODY);
  assert.equal(seen.at(-1)!.range, 'bytes=40000-');
});

test('a server that ignores ranges sends all again, and the file is right', async (t) => {
  const { base } = await serve(t, BODY, {
    '/a': (request, response, context) =>
      context.attempt === 1
        ? dropsAfter(30_000)(request, response, context)
        : honest(request, response, { ...context, start: 0 }),
  });
  const target = await place(t);
  await download(`${base}/a`, target, EXACT, QUICK);
  assert.deepEqual(await readFile(target), BODY);
});

test('a part that is not of this file is found out by the hash and removed', async (t) => {
  const { base } = await serve(t, BODY, { '/a': honest });
  const target = await place(t);
  await download(`${base}/a`, target, EXACT, QUICK); // makes the folder
  await rm(target);
  await writeFile(`${target}.part`, Buffer.alloc(50_000, 7));
  await assert.rejects(download(`${base}/a`, target, EXACT, QUICK), fails('WRONG_FILE', /SHA-256/));
  assert.deepEqual(await leftAt(target), []);
  await download(`${base}/a`, target, EXACT, QUICK);
  assert.deepEqual(await readFile(target), BODY);
});

const html = '<!DOCTYPE html><title>Sign in</title>';
const refusals: [name: string, answer: Answer, code: string, words: RegExp][] = [
  [
    'a web page',
    (_, r) => r.writeHead(200, { 'content-type': 'text/html' }).end(html),
    'WRONG_FILE',
    /web page/,
  ],
  ['a web page that calls itself bytes', (_, r) => r.writeHead(200).end(html), 'WRONG_FILE', /web page/],
  [
    'a pointer of Git LFS',
    (_, r) => r.writeHead(200).end('version https://git-lfs.github.com/spec/v1\noid sha256:00\n'),
    'WRONG_FILE',
    /Git LFS/,
  ],
  [
    'a file of another size',
    (_, r) => r.writeHead(200, { 'content-length': 9 }).end('something'),
    'WRONG_FILE',
    /has 9 bytes, not 100000/,
  ],
  [
    'a wrong file of the right size',
    (_, r) => r.writeHead(200, { 'content-length': BODY.length }).end(Buffer.alloc(BODY.length, 1)),
    'WRONG_FILE',
    /SHA-256/,
  ],
  [
    'more bytes than the file has, without a length',
    (_, r) => r.writeHead(200).end(Buffer.concat([BODY, BODY])),
    'WRONG_FILE',
    /more than 100000/,
  ],
  ['a 404', (_, r) => r.writeHead(404).end(), 'DOWNLOAD', /answered 404/],
  ['a 403', (_, r) => r.writeHead(403).end(), 'DOWNLOAD', /answered 403/],
  [
    'a 500 every time',
    (_, r) => r.writeHead(500).end(),
    'DOWNLOAD',
    /in 3 attempts: the server answered 500/,
  ],
  [
    'a redirect to a file of this machine',
    (_, r) => r.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    'DOWNLOAD',
    /not followed/,
  ],
  [
    'redirects without end',
    (request, r) => r.writeHead(302, { location: request.url! }).end(),
    'DOWNLOAD',
    /more than 5 redirects/,
  ],
  ['silence', () => {}, 'DOWNLOAD', /nothing came for 0.4 seconds/],
  ['a broken connection', (_, r) => r.destroy(), 'DOWNLOAD', /in 3 attempts/],
  [
    'a length that is longer than what comes',
    (_, r) => {
      r.writeHead(200, { 'content-length': BODY.length });
      r.write(BODY.subarray(0, 10), () => setTimeout(() => r.destroy(), 60));
    },
    'DOWNLOAD',
    /in \d attempts/,
  ],
  [
    'another range than it was asked for',
    (_, r, { body, start }) => {
      if (start === 0) return dropsAfter(100)(_, r, { body, start, attempt: 0, base: '' });
      r.writeHead(206, { 'content-range': `bytes 5-${body.length - 1}/${body.length}` }).end(
        body.subarray(5),
      );
    },
    'DOWNLOAD',
    /in 3 attempts/,
  ],
];

for (const [name, answer, code, words] of refusals) {
  test(`${name} is refused, and no file appears`, async (t) => {
    const { base } = await serve(t, BODY, { '/a': answer });
    const target = await place(t);
    const patience = name === 'silence' ? 0.4 : QUICK.patience;
    await assert.rejects(download(`${base}/a`, target, EXACT, { ...QUICK, patience }), fails(code, words));
    assert.equal(existsSync(target), false);
    assert.deepEqual(
      (await leftAt(target)).filter((left) => !left.endsWith('.part')),
      [],
    );
  });
}

test('a web page that comes instead of the rest does not cost what came before', async (t) => {
  const { base } = await serve(t, BODY, { '/stuck': dropsAfter(60_000), '/portal': refusals[1]![1] });
  const target = await place(t);
  await assert.rejects(download(`${base}/stuck`, target, EXACT, { ...QUICK, attempts: 1 }));
  await assert.rejects(download(`${base}/portal`, target, EXACT, QUICK), fails('WRONG_FILE', /web page/));
  assert.equal((await readFile(`${target}.part`)).length, 60_000);
});

test('a server that is busy is asked again after the time that it names', async (t) => {
  const { base } = await serve(t, BODY, {
    '/a': (request, response, context) =>
      context.attempt === 1
        ? response.writeHead(503, { 'retry-after': '1' }).end()
        : honest(request, response, context),
  });
  const waits: (number | undefined)[] = [];
  const onProgress = ({ stage, seconds }: { stage: string; seconds?: number }) =>
    stage === 'wait' && waits.push(seconds);
  await download(`${base}/a`, await place(t), EXACT, { ...QUICK, onProgress });
  assert.deepEqual(waits, [1]);
});

test('a redirect to another place of the web is followed', async (t) => {
  const { base } = await serve(t, BODY, {
    '/a': (_, response) => response.writeHead(302, { location: '/b' }).end(),
    '/b': honest,
  });
  const target = await place(t);
  await download(`${base}/a`, target, EXACT, QUICK);
  assert.deepEqual(await readFile(target), BODY);
});

test('where only the least size is known, a part that is whole already gets its name', async (t) => {
  const { base } = await serve(t, BODY, { '/a': honest });
  const target = await place(t);
  const atLeast = { bytes: { atLeast: 99_000 } };
  await download(`${base}/a`, target, atLeast, QUICK);
  await rm(target);
  await writeFile(`${target}.part`, BODY);
  await download(`${base}/a`, target, atLeast, QUICK);
  assert.deepEqual(await readFile(target), BODY);
});

test('an abort while waiting ends the wait with its own reason', async (t) => {
  const { base } = await serve(t, BODY, { '/a': (_, response) => response.writeHead(500).end() });
  const controller = new AbortController();
  const reason = new Error('no longer wanted');
  setTimeout(() => controller.abort(reason), 100);
  const { signal } = controller;
  await assert.rejects(
    download(`${base}/a`, await place(t), EXACT, { attempts: 9, firstWait: 60, signal }),
    (error) => error === reason,
  );
});

test('two downloads of one file do not write into each other', async (t) => {
  const { base } = await serve(t, BODY, { '/a': honest, '/stuck': stuckAfter(10) });
  const target = await place(t);
  const controller = new AbortController();
  const { signal } = controller;
  const first = download(`${base}/stuck`, target, EXACT, { signal, patience: 10 });
  await new Promise((resolve) => setTimeout(resolve, 100));
  await assert.rejects(download(`${base}/a`, target, EXACT, QUICK), fails('CANNOT_WRITE', /already/));
  controller.abort(new Error('enough'));
  await assert.rejects(first, /enough/);
  // A lock whose process is gone does not hold anybody up.
  await writeFile(`${target}.part.lock`, '4194303');
  await download(`${base}/a`, target, EXACT, QUICK);
});

test('a full disk is told as such, and no file appears', { skip: !existsSync('/dev/full') }, async (t) => {
  const { base } = await serve(t, BODY, { '/a': honest });
  const target = await place(t);
  await mkdir(dirname(target), { recursive: true });
  await symlink('/dev/full', `${target}.part`); // every write to it fails with ENOSPC
  await assert.rejects(
    download(`${base}/a`, target, EXACT, QUICK),
    fails('CANNOT_WRITE', /the disk is full/),
  );
  assert.equal(existsSync(target), false);
  assert.equal(existsSync(`${target}.part.lock`), false);
});

for (const address of ['file:///etc/passwd', 'ftp://example.org/a', 'data:,a', '/etc/passwd', ''])
  test(`"${address}" is no address to download from`, async (t) => {
    await assert.rejects(
      download(address, await place(t), EXACT, QUICK),
      fails('BAD_OPTION', /not an address/),
    );
  });

/** Sends some bytes and then nothing, without closing. */
function stuckAfter(bytes: number): Answer {
  return (_request, response, { body }) => {
    response.writeHead(200, { 'content-length': body.length });
    response.write(body.subarray(0, bytes));
  };
}
