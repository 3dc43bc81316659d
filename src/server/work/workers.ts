/** The workers of this process: they take jobs from the queue and run each in a process of its own. */
import type { WorkerOptions } from '../../options/serve.ts';
import type { Files } from '../files.ts';
import { wholeId } from '../queue/job.ts';
import type { Queue } from '../queue/queue.ts';
import type { Store } from '../store/store.ts';
import { storedWork } from '../store/stored-work.ts';
import { workIn } from './attempt.ts';
import { WorkerPool } from './pool.ts';
import type { RunnerSettings } from './runner.ts';

/** How many, and how they work. */
export interface WorkersOptions {
  readonly count: number;
  /** Seconds of silence after which the queue takes a worker for lost. */
  readonly lease: number;
  /** Address of the module that exports `runJob`. */
  readonly runner: string | undefined;
  readonly settings: RunnerSettings;
}

/** What the options say of the work itself. */
export function runnerSettings({
  models,
  threads,
  store,
  splitSeconds,
  report,
}: WorkerOptions): RunnerSettings {
  // Parts read what their job has prepared, which lies in the shared folder and is not sent anywhere.
  const shared = store === 'folder';
  return { models, threads, splitSeconds: shared ? splitSeconds : 0, report: report === 'on' };
}

/** Where jobs come from, and where their files lie. */
export interface WorkPlace {
  readonly files: Files;
  readonly store: Store;
  readonly queue: Queue;
}

/** Workers that run. */
export interface Workers {
  readonly pool: WorkerPool;
  /** Resolves when no attempt at the job, or at a part of it, runs here. */
  readonly settled: (id: string) => Promise<void>;
  close(): Promise<void>;
}

/** Starts taking jobs. */
export function startWorkers(
  { files, store, queue }: WorkPlace,
  { count, lease, runner, settings }: WorkersOptions,
): Workers {
  const pool = new WorkerPool({ runner: runner ?? dubRunner(), beat: lease / 4 });
  const running = new Map<string, Set<Promise<unknown>>>();
  const work = storedWork(files, store, workIn(files, pool, settings), lease / 4);
  const stop =
    count === 0
      ? async () => {}
      : queue.process(count, (attempt) => {
          const id = wholeId(attempt.job);
          const outcome = work(attempt);
          const own = running.get(id) ?? new Set();
          running.set(id, own.add(outcome));
          return outcome.finally(() => own.delete(outcome) && own.size === 0 && running.delete(id));
        });
  pool.warm(count);
  return {
    pool,
    settled: async (id) => {
      await Promise.allSettled(running.get(id) ?? []);
    },
    close: async () => {
      const stopped = stop();
      await pool.close();
      await stopped;
    },
  };
}

function dubRunner(): string {
  const own = import.meta.url;
  return new URL(`./dub-worker.${own.endsWith('.ts') ? 'ts' : 'js'}`, own).href;
}
