/**
 * A runner for tests of the service: "draws" frames by hashing, as fast or as badly as the sound's own text says,
 * and goes on where an attempt before it was cut off; a job that shall be split leaves a plan, without which none of its
 * parts can be drawn. `frames=20 delay=5 split=4 crash=3 fail=NO_FACE hang=1`
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { appendFile, mkdir, readdir, readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, MuseTalkError } from '../src/core/errors.ts';
import { partFolders } from '../src/server/files.ts';
import type { JobRun } from '../src/server/work/runner.ts';

/** A stretch of frames. */
interface Stretch {
  readonly first: number;
  readonly frames: number;
}

interface Request {
  readonly kind?: 'dub' | 'part' | 'preview';
  readonly plan?: string;
  readonly part?: Stretch;
}

export async function runJob(run: JobRun<Request>): Promise<unknown> {
  const { folder, work, request, parts, onWarning } = run;
  if (request.kind === 'preview') return { picture: 'data:image/png;base64,' };
  const start = performance.now();
  const { wish } = inputs(folder);
  const frames = Number(wish('frames') ?? 5);
  await appendFile(join(folder, 'starts'), `${process.pid}\n`);

  const fail = wish('fail');
  if (fail === 'ENOSPC')
    throw new MuseTalkError('CANNOT_WRITE', `cannot write ${work}/x: the disk is full`, {});
  if (fail)
    throw new MuseTalkError(fail as ErrorCode, `${folder}/video is wrong on purpose`, { hint: 'None.' });
  if (wish('warn')) onWarning('this is a test');

  const split = Number(wish('split') ?? 0);
  if (request.part) {
    await readFile(join(folder, request.plan!, 'plan', 'frames'));
    await draw(run, request.part);
    return {};
  }
  if (split > 0 && parts === undefined) return { split: await planned(work, frames, split) };
  if (parts === undefined) await draw(run, { first: 0, frames });
  const folders = parts === undefined ? [work] : await partFolders(folder, parts);
  const drawn = await Promise.all(folders.map(drawnIn));
  await writeFile(join(work, 'result.part'), drawn.flat().join('\n'));
  // A result as large as wished: with nothing in it, and no room taken.
  if (wish('bytes')) await truncate(join(work, 'result.part'), Number(wish('bytes')));
  await rename(join(work, 'result.part'), join(work, 'result.mp4'));
  const seconds = (performance.now() - start) / 1000;
  const size = { width: 64, height: 48 };
  return { file: 'result.mp4', frames, duration: frames / 25, fps: 25, ...size, model: 'hash', seconds };
}

function inputs(folder: string) {
  const video = readFileSync(join(folder, 'video'));
  const sound = readFileSync(join(folder, 'sound'));
  const wish = (name: string) => new RegExp(`\\b${name}=(\\S+)`).exec(sound.toString('latin1'))?.[1];
  return { video, sound, wish };
}

async function planned(work: string, frames: number, count: number): Promise<Request[]> {
  await mkdir(join(work, 'plan'), { recursive: true });
  await writeFile(join(work, 'plan', 'frames'), String(frames));
  const starts = Array.from({ length: count + 1 }, (_, i) => Math.floor((i * frames) / count));
  return starts.slice(0, -1).map((first, i) => ({
    ...{ kind: 'part', plan: basename(work), part: { first, frames: starts[i + 1]! - first } },
  }));
}

/** Each frame is a file that is there whole or not at all. */
async function draw({ folder, work, signal, onProgress }: JobRun, { first, frames }: Stretch): Promise<void> {
  const start = performance.now();
  const { video, sound, wish } = inputs(folder);
  const delay = Number(wish('delay') ?? 0);
  const place = join(work, 'frames');
  await mkdir(place, { recursive: true });
  for (let i = first; i < first + frames; i++) {
    const name = String(i).padStart(6, '0');
    const path = join(place, name);
    if (!(await readdir(place)).includes(name)) {
      signal.throwIfAborted();
      if (delay > 0) await sleep(delay, undefined, { signal });
      if (wish('crash') === String(i)) process.kill(process.pid, 'SIGKILL');
      while (wish('hang') === String(i)) for (;;);
      const hash = createHash('sha256').update(video).update(sound).update(String(i)).digest('hex');
      await writeFile(`${path}.part`, hash);
      await rename(`${path}.part`, path);
    }
    const elapsed = (performance.now() - start) / 1000;
    onProgress({ stage: 'draw', done: i + 1 - first, total: frames, elapsed });
  }
}

async function drawnIn(work: string): Promise<string[]> {
  const names = (await readdir(join(work, 'frames'))).filter((name) => !name.endsWith('.part')).sort();
  return Promise.all(names.map((name) => readFile(join(work, 'frames', name), 'utf8')));
}
