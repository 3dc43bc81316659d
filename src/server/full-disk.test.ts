// A disk that is full, or read-only, at each write of the service in turn: a named error, nothing left, no job lost.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  childrenLeft,
  type Json,
  shortVideo,
  spokenWav,
  type TestService,
  testService,
} from '../../test/service.ts';
import { startServer } from './server.ts';

const FULL = process.env.MUSETALK_FULL === '1';

/** Lets the nth write fail from now on, and only that one; 0 counts them. */
interface Fault {
  arm(nth: number, code: 'ENOSPC' | 'EROFS'): void;
  /** Writes since it was armed. */
  readonly count: number;
}

/** Puts a fault before every call by which the service's own process writes. */
function injectFault(t: TestContext): Fault {
  const fault = { count: 0, nth: 0, code: '', armed: false };
  const fails = () => {
    if (!fault.armed || ++fault.count !== fault.nth) return undefined;
    return Object.assign(new Error(`${fault.code}: on purpose`), { code: fault.code, syscall: 'write' });
  };
  const writes = (flags: unknown) => /[wa+]/.test(String(flags ?? 'r'));
  const promised = ['writeFile', 'appendFile', 'mkdir', 'rename', 'link', 'copyFile', 'open', 'cp'] as const;
  for (const name of promised) {
    const real = fs.promises[name] as (...args: unknown[]) => Promise<unknown>;
    const broken = async (...args: unknown[]) => {
      const error = name === 'open' && !writes(args[1]) ? undefined : fails();
      if (error) throw error;
      return real(...args);
    };
    t.mock.method(fs.promises, name, broken as never);
  }
  for (const name of ['open', 'write', 'writev', 'fsync'] as const) {
    const real = fs[name] as (...args: unknown[]) => unknown;
    const broken = (...args: unknown[]) => {
      const error = name === 'open' && !writes(args[1]) ? undefined : fails();
      if (!error) return real(...args);
      const done = args.at(-1) as (error: Error) => void;
      return process.nextTick(done, error);
    };
    t.mock.method(fs, name, broken as never);
  }
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  return {
    arm: (nth, code) => Object.assign(fault, { count: 0, nth, code, armed: true }),
    get count() {
      return fault.count;
    },
  };
}

/** All that a user does, as far as it goes; every refusal says by name that the disk is at fault. */
async function useService(service: TestService, name: string): Promise<void> {
  const check = async (answer: Response): Promise<Json> => {
    const text = await answer.text();
    if (answer.ok) return text === '' ? {} : JSON.parse(text);
    const { error } = JSON.parse(text);
    assert.ok([503, 507].includes(answer.status), `${name}: ${answer.status} ${text}`);
    assert.ok(['CANNOT_WRITE', 'UNAVAILABLE'].includes(error.code), `${name}: ${text}`);
    assert.ok(!text.includes(service.folder), `${name}: ${text}`);
    return undefined;
  };
  const form = new FormData();
  form.set('file', new Blob([new Uint8Array(await shortVideo())]), 'v.mp4');
  const video = await check(await service.ask('/v1/uploads', { method: 'POST', body: form }));
  const sound = await check(
    await service.ask('/v1/uploads', { method: 'PUT', body: new Uint8Array(spokenWav('frames=1')) }),
  );
  const tus = { 'tus-resumable': '1.0.0' };
  const begun = await service.ask('/v1/uploads', {
    method: 'POST',
    headers: { ...tus, 'upload-length': '44' },
  });
  await check(begun);
  const place = begun.headers.get('location');
  if (begun.ok && place)
    await check(
      await service.ask(place, {
        ...{ method: 'PATCH', body: new Uint8Array(spokenWav().subarray(0, 44)) },
        headers: { ...tus, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' },
      }),
    );
  if (!video || !sound) return;
  const body = JSON.stringify({
    ...{ video: video.id, sound: sound.id },
    options: { active_speaker_detection: { bounding_boxes: [[1, 1, 20, 20]] } },
  });
  const headers = { 'content-type': 'application/json' };
  const dub = await check(await service.ask('/v1/dubs', { method: 'POST', headers, body }));
  if (!dub) return;
  const { status, error } = await service.ended(dub.id);
  assert.equal(status, 'COMPLETED', `${name}: ${JSON.stringify(error)}`);
}

/** Removes what there is, as its owner may. */
async function tidy(service: TestService): Promise<void> {
  for (const kind of ['dubs', 'uploads'])
    for (const { id } of (await service.json(200, `/v1/${kind}`)).data)
      await service.ask(`/v1/${kind}/${id}`, { method: 'DELETE' });
}

test('a disk that is full or read-only at any one write gives a named error, and leaves nothing behind', async (t) => {
  const service = await testService(t, { workers: 1 });
  await useService(service, 'nothing fails');
  await tidy(service);
  const clean = await service.traces();
  const fault = injectFault(t);
  fault.arm(0, 'ENOSPC');
  await useService(service, 'counted');
  const { count } = fault;
  await tidy(service);
  assert.ok(count > 15, `${count} writes`);
  t.diagnostic(`${count} writes`);
  for (let nth = 1; nth <= count; nth++)
    for (const code of FULL
      ? (['ENOSPC', 'EROFS'] as const)
      : ([nth % 2 === 1 ? 'ENOSPC' : 'EROFS'] as const)) {
      fault.arm(nth, code);
      await useService(service, `write ${nth} of ${count}, ${code}`);
      fault.arm(0, code);
      await tidy(service);
      assert.deepEqual(await service.traces(), clean, `write ${nth} of ${count}, ${code}`);
    }
  await useService(service, 'after all that');
  assert.deepEqual(await service.service.queue.counts(), { queued: 0, running: 0 });
  assert.deepEqual(await childrenLeft(), []);
});

test('on a disk that is really full, uploads are refused by name, and taken again once there is room', async (t) => {
  const folder = await mountSmall(t, 2);
  if (!folder) return;
  const service = await testService(t, { data: folder, workers: 0 });
  const large = Buffer.concat([spokenWav(), Buffer.alloc(3 << 20)]);
  const { error } = await service.json(507, '/v1/uploads', { method: 'PUT', body: new Uint8Array(large) });
  assert.equal(error.code, 'CANNOT_WRITE');
  await service.upload(spokenWav());
  assert.equal((await service.traces()).filter((path) => path.endsWith('.part')).length, 0);
  assert.equal((await service.json(200, '/v1/uploads')).data.length, 1);
  await service.close();
});

test('a service does not start in a folder that it may not write to', async (t) => {
  const folder = await mountSmall(t, 1);
  if (!folder) return;
  execFileSync('mount', ['-o', 'remount,ro', folder]);
  await assert.rejects(startServer({ port: 0, data: folder, workers: 0 }), { code: 'CANNOT_WRITE' });
});

/** A file system of some MiB in memory; undefined, and a line that says so, where this user may mount none. */
async function mountSmall(t: TestContext, size: number): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'small-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}m`, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    await rm(folder, { recursive: true });
    t.skip('no file system can be mounted here');
    return undefined;
  }
  t.after(async () => {
    execFileSync('umount', ['-l', folder]);
    await rm(folder, { recursive: true });
  });
  return folder;
}
