/** The workers of this process: they take jobs from the queue and run each in a process of its own. */
import type { Files } from '../files.ts';
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

/** Where jobs come from, and where their files lie. */
export interface WorkPlace {
  readonly files: Files;
  readonly store: Store;
  readonly queue: Queue;
}

/** Workers that run. */
export interface Workers {
  readonly pool: WorkerPool;
  /** Resolves when no attempt at the job runs here. */
  readonly settled: (id: string) => Promise<void>;
  close(): Promise<void>;
}

/** Starts taking jobs. */
export function startWorkers(
  { files, store, queue }: WorkPlace,
  { count, lease, runner, settings }: WorkersOptions,
): Workers {
  const pool = new WorkerPool({ runner: runner ?? dubRunner(), beat: lease / 4 });
  const running = new Map<string, Promise<unknown>>();
  const work = storedWork(files, store, workIn(files, pool, settings), lease / 4);
  const stop =
    count === 0
      ? async () => {}
      : queue.process(count, (attempt) => {
          const { id } = attempt.job;
          const outcome = work(attempt);
          const tracked = outcome.finally(() => running.get(id) === tracked && running.delete(id));
          running.set(id, tracked);
          return outcome;
        });
  pool.warm(count);
  return {
    pool,
    settled: async (id) => {
      await running.get(id);
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
