// A dub that is cancelled while its result is measured: real work in a real worker, of which nothing may be left.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { make, scratch } from '../../../test/media-fixtures.ts';
import { testService } from '../../../test/service.ts';

const CLIP = fileURLToPath(new URL('../../../test/fixtures/grid/briz6n.mp4', import.meta.url));
const RUNNER = new URL('./dub-worker.ts', import.meta.url).href;

/** Seconds in which a report ends that is told to: less than after which its process is ended by force. */
const PROMPT = 8;

test('a dub that is cancelled during its report ends at once, and leaves no process and no half of a report', async (t) => {
  const root = await scratch(t);
  const cut = (name: string, ...args: string[]) => make(join(root, name), '-i', CLIP, ...args);
  const bytes = await Promise.all(
    [cut('v.mp4', '-frames:v', '12', '-an'), cut('a.wav', '-vn', '-t', '1.8')].map(async (path) =>
      readFile(await path),
    ),
  );
  const service = await testService(t, { workers: 1, threads: 1, lease: 30 }, { runner: RUNNER });
  const [video, sound] = await Promise.all(bytes.map((file) => service.upload(file)));
  const { id } = await service.post(201, '/v1/dubs', { video, sound, options: { model: 'mini' } });

  const reached = async (): Promise<void> => {
    const { status, progress, error } = await service.json(200, `/v1/dubs/${id}`);
    assert.ok(status === 'PENDING' || status === 'PROCESSING', `${status} ${JSON.stringify(error)}`);
    if (progress?.stage === 'report' && progress.done > 0) return;
    await sleep(20);
    return reached();
  };
  await reached();
  const asked = performance.now();
  await service.post(200, `/v1/dubs/${id}/cancel`, {});
  const { status, result } = await service.ended(id);
  assert.equal(status, 'CANCELED');
  assert.equal(result?.quality, undefined);

  while (mediaPrograms().length > 0) {
    assert.ok(performance.now() - asked < 1000 * PROMPT, `still running: ${mediaPrograms()}`);
    await sleep(20);
  }
  assert.deepEqual(
    (await service.traces()).filter((path) => /report\.(html|json)/.test(path)),
    [],
  );
  await service.json(409, `/v1/dubs/${id}/report`);
});

/** Programs of FFmpeg that this process, or one that it has started, runs. */
function mediaPrograms(): string[] {
  if (process.platform !== 'linux') return [];
  const found = readdirSync('/proc').flatMap((pid) => {
    try {
      const stat = /^\d+ \((.*)\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'));
      return stat ? [{ pid: Number(pid), name: stat[1]!, state: stat[2]!, parent: Number(stat[3]) }] : [];
    } catch {
      return []; // no process, or one that has ended meanwhile
    }
  });
  const parents = new Map(found.map(({ pid, parent }) => [pid, parent]));
  const isOwn = (pid: number): boolean =>
    pid === process.pid || (parents.has(pid) && isOwn(parents.get(pid)!));
  return found.flatMap(({ pid, name, state }) =>
    pid !== process.pid && state !== 'Z' && /ff|prlimit/.test(name) && isOwn(pid) ? [name] : [],
  );
}
