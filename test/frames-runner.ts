/**
 * A runner for tests of the service: "draws" frames by hashing, as fast or as badly as the sound's own text says,
 * and goes on where an attempt before it was cut off. `frames=20 delay=5 crash=3 fail=NO_FACE hang=1`
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { appendFile, mkdir, readdir, readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, MuseTalkError } from '../src/core/errors.ts';
import type { JobRun } from '../src/server/work/runner.ts';

export async function runJob(run: JobRun): Promise<unknown> {
  const { folder, work, signal, onProgress, onWarning } = run;
  if ((run.request as { kind?: string }).kind === 'preview') return { picture: 'data:image/png;base64,' };
  const start = performance.now();
  const video = readFileSync(join(folder, 'video'));
  const sound = readFileSync(join(folder, 'sound'));
  const wish = (name: string) => new RegExp(`\\b${name}=(\\S+)`).exec(sound.toString('latin1'))?.[1];
  const frames = Number(wish('frames') ?? 5);
  const delay = Number(wish('delay') ?? 0);
  await appendFile(join(folder, 'starts'), `${process.pid}\n`);

  const fail = wish('fail');
  if (fail === 'ENOSPC')
    throw new MuseTalkError('CANNOT_WRITE', `cannot write ${work}/x: the disk is full`, {});
  if (fail)
    throw new MuseTalkError(fail as ErrorCode, `${folder}/video is wrong on purpose`, { hint: 'None.' });
  if (wish('warn')) onWarning('this is a test');

  const parts = join(work, 'frames');
  await mkdir(parts, { recursive: true });
  for (let i = 0; i < frames; i++) {
    const path = join(parts, String(i).padStart(6, '0'));
    const there = (await readdir(parts)).includes(String(i).padStart(6, '0'));
    if (!there) {
      signal.throwIfAborted();
      if (delay > 0) await sleep(delay, undefined, { signal });
      if (wish('crash') === String(i)) process.kill(process.pid, 'SIGKILL');
      while (wish('hang') === String(i)) for (;;);
      const hash = createHash('sha256').update(video).update(sound).update(String(i)).digest('hex');
      await writeFile(`${path}.part`, hash);
      await rename(`${path}.part`, path);
    }
    onProgress({ stage: 'draw', done: i + 1, total: frames, elapsed: (performance.now() - start) / 1000 });
  }
  const names = (await readdir(parts)).filter((name) => !name.endsWith('.part')).sort();
  const drawn = await Promise.all(names.map((name) => readFile(join(parts, name), 'utf8')));
  await writeFile(join(work, 'result.part'), drawn.join('\n'));
  // A result as large as wished: with nothing in it, and no room taken.
  if (wish('bytes')) await truncate(join(work, 'result.part'), Number(wish('bytes')));
  await rename(join(work, 'result.part'), join(work, 'result.mp4'));
  const seconds = (performance.now() - start) / 1000;
  const size = { width: 64, height: 48 };
  return { file: 'result.mp4', frames, duration: frames / 25, fps: 25, ...size, model: 'hash', seconds };
}
