// `musetalk models` against a server on this machine.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { musetalk } from '../cli.ts';
import { type Answer, dropsAfter, honest, serve } from '../hostile-server.ts';

/** As large as the manifest wants the tiny decoder at least, which has no published hash. */
const BODY = Buffer.alloc(4_900_000, 'weights ');
const TAESD = 'taesd/taesd_decoder.pth';
const QUICK = ['--retries', '2', '--retry-wait', '0.05'];

async function modelsFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'musetalk pull '));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The last JSON object that a run printed. */
function last(stdout: string): Record<string, unknown> {
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

test('pull fetches by name through a server that breaks off, shows the licence, and list and verify see the file', async (t) => {
  const { base, seen } = await serve(t, BODY, { [`/m/${TAESD}`]: dropsAfter(2_000_000) });
  const models = await modelsFolder(t);
  const env = { MUSETALK_MODELS: models, MUSETALK_MODELS_URL: `${base}/m` };
  const pulled = await musetalk(['models', 'pull', 'taesd', ...QUICK], { env });
  assert.equal(pulled.code, 0, pulled.stderr);
  assert.match(pulled.stderr, /taesd: madebyollin\/taesd, licence MIT/);
  assert.match(pulled.stdout, /fetched taesd\/taesd_decoder\.pth/);
  assert.ok(seen.length >= 3);
  assert.deepEqual(await readFile(join(models, TAESD)), BODY);

  const listed = await musetalk(['models', 'list'], { env });
  assert.match(listed.stdout, /taesd +taesd\/taesd_decoder\.pth +present +4\.90 MB/);
  const verified = await musetalk(['models', 'verify', 'taesd', '--json'], { env });
  assert.equal(verified.code, 0);
  const sha256 = createHash('sha256').update(BODY).digest('hex');
  assert.deepEqual(last(verified.stdout).files, [{ path: join(models, TAESD), verdict: 'unknown', sha256 }]);

  const again = await musetalk(['models', 'pull', 'taesd', '--json'], { env });
  assert.deepEqual(last(again.stdout).fetched, []);
});

test('Ctrl-C keeps what came, and the next pull continues there', async (t) => {
  const stuck: Answer = (_request, response, { body }) => {
    response.writeHead(200, { 'content-length': body.length });
    response.write(body.subarray(0, 3_000_000));
  };
  const { base, seen } = await serve(t, BODY, { [`/stuck/${TAESD}`]: stuck, [`/m/${TAESD}`]: honest });
  const models = await modelsFolder(t);
  const started = (child: ChildProcess) => {
    child.stdout!.once('data', () => setTimeout(() => child.kill('SIGINT'), 500));
  };
  const args = ['models', 'pull', 'taesd', '--json', '--models', models];
  const stopped = await musetalk([...args, '--from', `${base}/stuck`], { started });
  assert.equal(stopped.code, 130);
  assert.equal(existsSync(join(models, TAESD)), false);
  assert.equal(existsSync(join(models, `${TAESD}.part.lock`)), false);

  const finished = await musetalk([...args, '--from', `${base}/m`]);
  assert.equal(finished.code, 0, finished.stdout);
  assert.match(seen.at(-1)!.range ?? '', /^bytes=[1-9]\d*-$/);
  assert.deepEqual(await readFile(join(models, TAESD)), BODY);
});

const refusals: [what: string, answer: Answer, code: number, words: RegExp][] = [
  [
    'a page of HTML',
    (_, r) => r.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    3,
    /web page/,
  ],
  ['another file of the same size', (_, r) => r.writeHead(200).end(Buffer.alloc(547)), 3, /SHA-256/],
  ['nothing but errors', (_, r) => r.writeHead(500).end(), 7, /in 3 attempts: the server answered 500/],
];

for (const [what, answer, code, words] of refusals)
  test(`a server that gives ${what} is refused, and no file appears`, async (t) => {
    const { base } = await serve(t, BODY, { '/sd-vae/config.json': answer });
    const models = await modelsFolder(t);
    const args = ['models', 'pull', 'sd-vae', '--models', models, '--from', base, ...QUICK];
    const ended = await musetalk(args);
    assert.match(ended.stderr, words);
    assert.equal(ended.code, code);
    assert.equal(existsSync(join(models, 'sd-vae/config.json')), false);
  });

test('files on the hub are asked for at the mirror that HF_ENDPOINT names', async (t) => {
  const { base, seen } = await serve(t, BODY, {});
  const models = await modelsFolder(t);
  await musetalk(['models', 'pull', 'dwpose', '--models', models, ...QUICK], { env: { HF_ENDPOINT: base } });
  assert.equal(seen[0]?.path, '/yzd-v/DWPose/resolve/main/dw-ll_ucoco_384.pth');
});

test('verify fails on a file that is not the published one, and on one that is named and missing', async (t) => {
  const models = await modelsFolder(t);
  const missing = await musetalk(['models', 'verify', 'bisenet', '--models', models]);
  assert.equal(missing.code, 5);
  assert.match(missing.stderr, /hint: musetalk models pull bisenet/);
});
