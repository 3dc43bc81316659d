import type { Job, JobProgress, JobWebhook, NewJob, Outcome } from './job.ts';

/** Limits on what waits. */
export interface QueueLimits {
  /** Unfinished jobs of one owner, and of all; parts are not counted. */
  readonly perOwner: number;
  readonly total: number;
}

/** Unfinished jobs; one that was split runs, and its parts are not counted. */
export interface QueueCounts {
  readonly queued: number;
  readonly running: number;
}

/** A job that changed; `removed` when it is gone. */
export interface Change {
  readonly id: string;
  readonly owner: string;
  readonly job: Job | undefined;
}

/** One attempt at a job, as a worker sees it. */
export interface Attempt {
  readonly job: Job;
  readonly fence: number;
  /** Aborted when the job is canceled or the right to it is lost. */
  readonly signal: AbortSignal;
  /** Says that the attempt is alive, and how far it is. */
  beat(progress?: JobProgress): void;
}

/** The reason of an attempt's signal when workers stop and the job shall be continued by others. */
export class WorkersStop extends Error {
  constructor() {
    super('the workers stop');
    this.name = 'AbortError';
  }
}

/** Runs one attempt; never throws. */
export type Work = (attempt: Attempt) => Promise<Outcome>;

/**
 * Where jobs wait, run and rest. Two kinds stand behind it: one in this process (`EmbeddedQueue`) and one on Redis
 * (`RedisQueue`).
 *
 * Each job ends exactly once: whatever workers die or come back late, one outcome is written, under the newest fence.
 *
 * An attempt may split its job. Each part is then a job too, with a place in the fair order, leases, fences and
 * retries of its own; when all are done the job itself runs again, and a part that fails for good ends it.
 */
export interface Queue {
  /**
   * Takes a job in. One with a key that the owner has used before is not taken again: the earlier one is given.
   *
   * @throws MuseTalkError QUEUE_FULL; CONFLICT for a used key with another request; CANNOT_WRITE.
   */
  add(job: NewJob): Promise<{ readonly job: Job; readonly created: boolean }>;
  get(id: string): Promise<Job | undefined>;
  /** The parts of a job that was split, in order; none once it has ended. */
  parts(id: string): Promise<Job[]>;
  /** The job that an owner made under a key. */
  byKey(owner: string, key: string): Promise<Job | undefined>;
  /** Jobs of an owner, newest first, older than `before` where that is given. */
  list(owner: string, options: { limit: number; before?: string | undefined }): Promise<Job[]>;
  /** Ends an unfinished job; gives the job as it is then. A running attempt is aborted. */
  cancel(id: string): Promise<Job | undefined>;
  /** Forgets a finished job. */
  remove(id: string): Promise<void>;
  /** Jobs that ended before a time, oldest first. */
  finishedBefore(time: number, limit: number): Promise<Job[]>;
  /** Ended jobs whose webhook waits. */
  withWebhook(): Promise<Job[]>;
  setWebhook(id: string, webhook: JobWebhook): Promise<void>;
  /** True for one caller in `ms`, wherever the callers are. */
  claim(name: string, ms: number): Promise<boolean>;
  counts(): Promise<QueueCounts>;
  /** Jobs, and parts of jobs, that would come before this one. */
  position(job: Job): Promise<number | undefined>;
  /** Tells of every change of a job or of its parts, progress included, until the returned function is called. */
  watch(listener: (change: Change) => void): () => void;
  /** Works on up to `count` jobs at a time; the returned function stops that and waits for attempts to end. */
  process(count: number, work: Work): () => Promise<void>;
  /** Whether the store behind it answers. */
  healthy(): Promise<boolean>;
  close(): Promise<void>;
}
