/** The workers of this process: they take jobs from the queue and run each in a process of its own. */
import type { WorkerOptions } from '../../options/serve.ts';
import { wholeId } from '../queue/job.ts';
import { StoredWork, type WorkPlace } from '../store/stored-work.ts';
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
export function runnerSettings({ models, threads, splitSeconds, report }: WorkerOptions): RunnerSettings {
  return { models, threads, splitSeconds, report: report === 'on' };
}

/** Workers that run. */
export interface Workers {
  readonly pool: WorkerPool;
  /** Resolves when no attempt at the job, or at a part of it, runs here. */
  readonly settled: (id: string) => Promise<void>;
  close(): Promise<void>;
}

/** Starts taking jobs. */
export function startWorkers(place: WorkPlace, { count, lease, runner, settings }: WorkersOptions): Workers {
  const pool = new WorkerPool({ runner: runner ?? dubRunner(), beat: lease / 4 });
  const running = new Map<string, Set<Promise<unknown>>>();
  const { files, queue } = place;
  const stored = new StoredWork(place, lease / 4);
  const work = stored.around(workIn(files, pool, settings));
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
      await stored.close();
    },
  };
}

function dubRunner(): string {
  const own = import.meta.url;
  return new URL(`./dub-worker.${own.endsWith('.ts') ? 'ts' : 'js'}`, own).href;
}
