import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { children, scratch } from '../../test/media-fixtures.ts';
import { inputFile, runTool, streamTool } from './ffmpeg.ts';

const endless = ['-f', 'lavfi', '-i', 'testsrc2=s=320x240', '-f', 'rawvideo', 'pipe:1'];
const never = [
  '-f',
  'rawvideo',
  '-pix_fmt',
  'gray',
  '-s',
  '16x16',
  '-i',
  'pipe:0',
  '-f',
  'rawvideo',
  'pipe:1',
];
const read = { task: 'read', blame: 'BAD_FILE' } as const;

test('leaving the loop early ends the child', { timeout: 20_000 }, async () => {
  for await (const bytes of streamTool('ffmpeg', endless, read)) {
    assert.ok(bytes.length > 0);
    break;
  }
  assert.deepEqual(children(), []);
});

test('a slow reader holds the child back', { timeout: 20_000 }, async () => {
  const stream = streamTool('ffmpeg', endless, read);
  await stream.next();
  const before = process.memoryUsage().rss;
  await sleep(1000);
  assert.ok(process.memoryUsage().rss - before < 50e6);
  await stream.return();
});

test("an abort passes the signal's reason on and leaves no child", { timeout: 20_000 }, async () => {
  const reason = new Error('enough');
  const before = AbortSignal.abort(reason);
  await assert.rejects(runTool('ffmpeg', endless, { ...read, signal: before }), reason);

  const control = new AbortController();
  const running = runTool('ffmpeg', endless, { ...read, signal: control.signal, limit: Infinity });
  setTimeout(() => control.abort(reason), 300);
  await assert.rejects(running, reason);
  assert.deepEqual(children(), []);
});

test('an abort does not wait for an input that is stuck', { timeout: 20_000 }, async () => {
  const control = new AbortController();
  const stuck = (async function* () {
    yield Buffer.alloc(256);
    await new Promise(() => {});
  })();
  const running = runTool('ffmpeg', never, { ...read, input: stuck, signal: control.signal });
  setTimeout(() => control.abort(), 300);
  await assert.rejects(running, { name: 'AbortError' });
  assert.deepEqual(children(), []);
});

test('a child that takes too long, or stays silent, is ended', { timeout: 20_000 }, async () => {
  const long = runTool('ffmpeg', endless, { ...read, timeout: 0.5, limit: Infinity });
  await assert.rejects(long, { code: 'BAD_FILE', message: /took more than 0.5 seconds/ });

  const silent = ['-re', '-f', 'lavfi', '-i', 'color=r=1/100:d=1000', '-f', 'null', '-'];
  const waiting = runTool('ffmpeg', silent, { ...read, patience: 0.5 });
  await assert.rejects(waiting, { message: /nothing moved for 0.5 seconds/ });
  assert.deepEqual(children(), []);
});

test('processor time is limited where the system can', {
  timeout: 120_000,
  skip: process.platform === 'win32',
}, async () => {
  const busy = ['-f', 'lavfi', '-i', 'testsrc2=s=1280x720', '-f', 'null', '-'];
  await assert.rejects(runTool('ffmpeg', busy, { ...read, cpuTime: 1 }), { message: /processor time/ });
  if (process.platform !== 'linux') return;
  const probing = ['-f', 'lavfi', '-i', 'testsrc2=s=1280x720', '-show_entries', 'packet=pts', '-of', 'csv'];
  const long = runTool('ffprobe', probing, { ...read, cpuTime: 1, limit: Infinity });
  await assert.rejects(long, { message: /processor time/ });
});

test("an error is our sentence first, then FFmpeg's words", { timeout: 20_000 }, async (t) => {
  const path = join(await scratch(t), 'noise.mp4');
  await writeFile(path, Buffer.concat([Buffer.from('\0\0\0\x18ftypmp42'), Buffer.alloc(5000, 7)]));
  const args = [...inputFile(path, 'mov'), '-f', 'null', '-'];
  await assert.rejects(
    runTool('ffmpeg', args, { task: `read ${path}`, blame: 'BAD_FILE' }),
    (error: Error) => {
      assert.match(error.message, /^cannot read .*noise\.mp4: .*(moov atom not found|Invalid data)/);
      assert.doesNotMatch(error.message, /0x[0-9a-f]{6}/);
      return true;
    },
  );
});

test('an error of the input comes through as it is', { timeout: 20_000 }, async () => {
  const reason = new Error('the network ran out of memory');
  const failing = (async function* () {
    yield Buffer.alloc(256);
    throw reason;
  })();
  await assert.rejects(runTool('ffmpeg', never, { ...read, input: failing }), reason);
  assert.deepEqual(children(), []);
});

test('a child that ends before its input does is no broken pipe', { timeout: 20_000 }, async () => {
  let closed = false;
  const input = (async function* () {
    try {
      for (;;) yield Buffer.alloc(2 ** 20);
    } finally {
      closed = true;
    }
  })();
  await runTool('ffmpeg', [...never.slice(0, -3), '-frames:v', '1', '-f', 'rawvideo', 'pipe:1'], {
    ...read,
    input,
  });
  assert.ok(closed);
});

test('a program that is gone is told', { timeout: 20_000 }, async (t) => {
  const own = process.env.FFMPEG_PATH;
  t.after(() => {
    if (own === undefined) delete process.env.FFMPEG_PATH;
    else process.env.FFMPEG_PATH = own;
  });
  process.env.FFMPEG_PATH = '/nowhere/ffmpeg';
  await assert.rejects(runTool('ffmpeg', ['-version'], read), { code: 'MEDIA_TOOL', message: /nowhere/ });
});

test('the end of this process is the end of its children', {
  timeout: 30_000,
  skip: process.platform !== 'linux',
}, async () => {
  const module = fileURLToPath(new URL('./ffmpeg.ts', import.meta.url));
  const program = `import(${JSON.stringify(module)}).then(async ({ streamTool }) => {
    const stream = streamTool('ffmpeg', ${JSON.stringify(endless)}, { task: 'x', blame: 'BAD_FILE' });
    await stream.next();
    const { execFileSync } = await import('node:child_process');
    console.log(execFileSync('ps', ['-o', 'pid=', '--ppid', String(process.pid)]).toString());
    process.exit(0);
  })`;
  const parent = spawn(process.execPath, ['--import', 'tsx', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  parent.stdout.on('data', (chunk) => chunks.push(chunk));
  await once(parent, 'close');
  await sleep(200);
  const pids = Buffer.concat(chunks).toString().match(/\d+/g)?.map(Number) ?? [];
  assert.ok(pids.length > 0);
  assert.deepEqual(pids.filter(runs), []);
});

/** Whether a process runs; one that ended but was not waited for (Z) does not. */
function runs(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
