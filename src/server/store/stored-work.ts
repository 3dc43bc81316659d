/**
 * Around attempts, where files do not lie where they are worked on: what an attempt needs comes from the store, and
 * what it made goes back there.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MuseTalkError } from '../../core/errors.ts';
import { type Files, sizeOf, workName } from '../files.ts';
import { FINAL, type Outcome, wholeId } from '../queue/job.ts';
import { type Attempt, type Queue, type Work, WorkersStop } from '../queue/queue.ts';
import { LOG_NAME, outcomeOf } from '../work/attempt.ts';
import { SPEECH } from '../work/segments.ts';
import { FolderStore } from './folder-store.ts';
import type { Store } from './store.ts';

/** Where jobs come from, and where their files lie. */
export interface WorkPlace {
  readonly files: Files;
  readonly store: Store;
  readonly queue: Queue;
}

/** Brings the files of attempts, takes them away, and clears this machine's disk of jobs that have ended. */
export class StoredWork {
  readonly #place: WorkPlace;
  readonly #beat: number;
  /** Attempts that run here, by their job. */
  readonly #running = new Map<string, number>();
  /** Jobs of which something lies here. */
  readonly #here = new Set<string>();
  /** The last load of a job's files: the next one finds what it brought. */
  readonly #loading = new Map<string, Promise<void>>();
  readonly #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | undefined;

  /** @param beat seconds between signs of life, and between two looks for jobs that have ended. */
  constructor(place: WorkPlace, beat: number) {
    this.#place = place;
    this.#beat = beat;
    if (place.store instanceof FolderStore) return; // files lie where they are worked on
    this.#timer = setInterval(() => {
      this.#sweeping ??= this.#sweep()
        .catch(() => {}) // the next one may go better
        .finally(() => {
          this.#sweeping = undefined;
        });
    }, beat * 1000);
    this.#timer.unref();
  }

  /** The same work, with files brought and taken away. */
  around(work: Work): Work {
    if (!this.#timer) return work;
    return async (attempt) => {
      const id = wholeId(attempt.job);
      this.#here.add(id);
      this.#running.set(id, (this.#running.get(id) ?? 0) + 1);
      try {
        await this.#whileAlive(attempt, this.#load(attempt));
        const outcome = await work(attempt);
        await this.#whileAlive(attempt, this.#keep(attempt, outcome));
        return outcome;
      } catch (error) {
        return outcomeOf(error, attempt, this.#place.files);
      } finally {
        const others = this.#running.get(id)! - 1;
        if (others > 0) this.#running.set(id, others);
        else this.#running.delete(id);
        if (others === 0) this.#loading.delete(id);
      }
    };
  }

  /** Ends looking for jobs that have ended. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
  }

  /** One load at a time of a job's files: its parts need the same ones. */
  #load({ job, signal }: Attempt): Promise<void> {
    const id = wholeId(job);
    const { part, parts } = job;
    const before = this.#loading.get(id) ?? Promise.resolve();
    const load = before
      .catch(() => {}) // it was told to the attempt that it was for
      .then(() =>
        this.#place.store.load(id, { whole: (part ?? parts) !== undefined, parts: parts ?? 0, signal }),
      );
    this.#loading.set(id, load);
    return load;
  }

  async #keep(attempt: Attempt, outcome: Outcome): Promise<void> {
    const { job, fence, signal } = attempt;
    const { store } = this.#place;
    if (outcome.kind === 'released') return; // goes on with what lies here
    const [id, own] = [wholeId(job), workName(fence, job.part?.index)];
    let kept = false;
    try {
      const stop = outcome.kind === 'done' || outcome.kind === 'split' ? signal : undefined;
      await store.save(id, await this.#made(attempt, outcome), stop);
      kept = true;
    } finally {
      // Who removes a job does not wait for machines elsewhere: what comes after that goes again.
      if (signal.aborted) await store.forget(id, { only: own });
      // One that failed, or was stopped, may go on from its folder; with its lease lost it is perhaps another's already.
      const { reason } = signal;
      const stopped = reason instanceof WorkersStop || reason instanceof MuseTalkError;
      const goesOn = outcome.kind === 'failed' || outcome.kind === 'split' || stopped;
      const shared = job.part !== undefined || job.parts !== undefined; // gone once all know that it has ended
      if ((kept || signal.aborted) && !goesOn && !shared) await this.#release(id);
    }
  }

  /** Names of the files that are to be kept of an attempt. */
  async #made({ job, fence }: Attempt, { kind }: Outcome): Promise<string[]> {
    if (kind === 'canceled') return [];
    const folder = this.#place.files.job(wholeId(job));
    const own = workName(fence, job.part?.index);
    if (kind === 'split') return [...(await filesIn(folder, own)), ...(await present(folder, SPEECH))];
    if (kind !== 'done') return present(folder, LOG_NAME);
    const made = await filesIn(folder, own);
    // Folders in that of a finished job are for going on.
    return job.part ? made : made.filter((name) => name.lastIndexOf('/') === own.length);
  }

  async #release(id: string): Promise<void> {
    this.#here.delete(id);
    await this.#place.store.release(id);
  }

  /** Removes what lies here of jobs that have ended; and of one that was split, what its parts brought to the store. */
  async #sweep(): Promise<void> {
    const { store, queue } = this.#place;
    for (const id of [...this.#here]) {
      if (this.#running.has(id)) continue;
      const job = await queue.get(id);
      if (job && !FINAL.has(job.state)) continue;
      if (!job) await store.remove(id);
      else if (job.state === 'done' && job.parts !== undefined)
        await store.forget(id, { allBut: workName(job.fence) });
      if (!this.#running.has(id)) await this.#release(id);
    }
  }

  async #whileAlive(attempt: Attempt, task: Promise<void>): Promise<void> {
    const timer = setInterval(() => attempt.beat(), this.#beat * 1000);
    try {
      await task;
    } finally {
      clearInterval(timer);
    }
  }
}

/** The files under a folder of a job's, by their names within the job; those that were not finished are left out. */
async function filesIn(job: string, own: string): Promise<string[]> {
  const entries = await readdir(join(job, own), { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.part'))
    .map(({ parentPath, name }) => join(parentPath, name).slice(job.length + 1));
}

async function present(job: string, name: string): Promise<string[]> {
  return (await sizeOf(join(job, name))) === undefined ? [] : [name];
}
