/** Around an attempt: its inputs come from the store, and what it made goes back there. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MuseTalkError } from '../../core/errors.ts';
import { type Files, sizeOf, workName } from '../files.ts';
import { type Outcome, wholeId } from '../queue/job.ts';
import { type Attempt, type Work, WorkersStop } from '../queue/queue.ts';
import { LOG_NAME, outcomeOf } from '../work/attempt.ts';
import { FolderStore } from './folder-store.ts';
import type { Store } from './store.ts';

/** Work whose files are brought here and taken away; `beat`: seconds between signs of life meanwhile. */
export function storedWork(files: Files, store: Store, work: Work, beat: number): Work {
  if (store instanceof FolderStore) return work; // files lie where they are worked on
  return async (attempt) => {
    try {
      await whileAlive(attempt, beat, store.load(wholeId(attempt.job), attempt.signal));
      const outcome = await work(attempt);
      await whileAlive(attempt, beat, keep(files, store, attempt, outcome));
      return outcome;
    } catch (error) {
      return outcomeOf(error, attempt, files);
    }
  };
}

async function keep(
  files: Files,
  store: Store,
  { job: { id, part }, fence, signal }: Attempt,
  { kind }: Outcome,
): Promise<void> {
  if (kind === 'released' || kind === 'split' || part) return; // others go on with what lies here
  const own = workName(fence);
  let kept = false;
  try {
    if (kind === 'done') await store.save(id, await filesOf(files.job(id), own), signal);
    else if (kind !== 'canceled' && (await sizeOf(join(files.job(id), LOG_NAME))) !== undefined)
      await store.save(id, [LOG_NAME]);
    kept = true;
  } finally {
    // Who removes a job does not wait for machines elsewhere: what comes after that goes again.
    if (signal.aborted) await store.remove(id, own);
    // One that failed, or was stopped, may go on from its folder; with its lease lost it is perhaps another's already.
    const { reason } = signal;
    const goesOn = kind === 'failed' || reason instanceof WorkersStop || reason instanceof MuseTalkError;
    if ((kept || signal.aborted) && !goesOn) await store.release(id);
  }
}

/** What an attempt made: files of its folder, not of folders in it, which are for going on. */
async function filesOf(folder: string, own: string): Promise<string[]> {
  const entries = await readdir(join(folder, own), { withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.part'))
    .map(({ name }) => `${own}/${name}`);
}

async function whileAlive(attempt: Attempt, beat: number, task: Promise<void>): Promise<void> {
  const timer = setInterval(() => attempt.beat(), beat * 1000);
  try {
    await task;
  } finally {
    clearInterval(timer);
  }
}
