/** A machine that works for services elsewhere: it takes jobs from Redis, and files from the store they share. */
import { readdir } from 'node:fs/promises';
import { MuseTalkError } from '../core/errors.ts';
import type { WorkerOptions } from '../options/serve.ts';
import { dataFolder, Files, isId } from './files.ts';
import { openQueue } from './queue/open-queue.ts';
import { RETRY, type RetryRules } from './queue/retry.ts';
import { openStore } from './store/store.ts';
import { sweepJobs } from './store/sweep-jobs.ts';
import { runnerSettings, startWorkers } from './work/workers.ts';

/** What stands around a worker: for tests. */
export interface WorkerRun {
  /** Address of the module that exports `runJob`; that of dubs by default. */
  readonly runner?: string;
  readonly retry?: Partial<RetryRules>;
}

/** Milliseconds between two looks for what crashes left here. */
const SWEEP_MS = 600_000;

/** A running worker. */
export interface RunningWorker {
  /** Ids of its worker processes. */
  readonly workers: () => readonly number[];
  /** Lets go of running jobs, which others continue, and ends all processes. */
  close(): Promise<void>;
}

/**
 * Starts working.
 *
 * @throws MuseTalkError BAD_OPTION for the embedded queue, which its service alone may open; UNAVAILABLE.
 */
export async function startWorker(options: WorkerOptions, run: WorkerRun = {}): Promise<RunningWorker> {
  if (options.queue === 'embedded')
    throw new MuseTalkError('BAD_OPTION', 'a worker needs a queue that it can share', {
      hint: 'Give --queue redis://…, as to the service.',
    });
  const files = new Files(dataFolder(options.data));
  await files.make();
  const store = await openStore(files, options);
  const limits = { perOwner: Number.POSITIVE_INFINITY, total: Number.POSITIVE_INFINITY };
  const retry = { ...RETRY, attempts: options.attempts, ...run.retry };
  const queue = await openQueue(options.queue, files, { limits, lease: options.lease, retry });
  const workers = startWorkers(
    { files, store, queue },
    {
      ...{ count: options.workers, lease: options.lease, runner: run.runner },
      settings: runnerSettings(options),
    },
  );
  const sweep = async () => sweepJobs(store, queue, (await readdir(files.jobs)).filter(isId)).catch(() => {});
  const timer = setInterval(sweep, SWEEP_MS);
  await sweep();
  return {
    workers: () => workers.pool.pids,
    close: async () => {
      clearInterval(timer);
      await workers.close();
      await queue.close();
    },
  };
}
