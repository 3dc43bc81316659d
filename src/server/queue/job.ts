/** What a queue holds: jobs, whatever their work is. */

/**
 * - `queued`: waits for a worker, perhaps for its next attempt
 * - `running`
 * - `split`: was divided, and waits for its parts
 * - `done`
 * - `failed`: given up after the attempts that were allowed, by no fault of the input
 * - `rejected`: the input cannot be dubbed
 * - `canceled`
 */
export type JobState = 'queued' | 'running' | 'split' | 'done' | 'failed' | 'rejected' | 'canceled';

/** States that a job does not leave. */
export const FINAL: ReadonlySet<JobState> = new Set(['done', 'failed', 'rejected', 'canceled']);

/** Why a job ended badly. */
export interface JobError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** How far a job is. Not kept: a restarted service learns it from the worker again. */
export interface JobProgress {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  /** Seconds since this attempt began, and until this stage ends. */
  readonly elapsed: number;
  readonly remaining?: number | undefined;
}

/** A call to make when a job has ended. */
export interface JobWebhook {
  readonly url: string;
  readonly state: 'waiting' | 'delivered' | 'given up';
  readonly attempts: number;
  /** What the last failed call said. */
  readonly problem?: string | undefined;
}

/** A job as the queue keeps it. Times are wall-clock milliseconds, for display alone. */
export interface Job<Request = unknown, Result = unknown> {
  readonly id: string;
  /** Whose it is. */
  readonly owner: string;
  readonly request: Request;
  readonly state: JobState;
  /** Place in the fair order: see `FairOrder`. */
  readonly turn: number;
  /** Order of arrival. */
  readonly sequence: number;
  /** How often it was handed to a worker. The number goes with each lease; results under an older one are refused. */
  readonly fence: number;
  /** Attempts that failed. */
  readonly attempts: number;
  readonly created: number;
  readonly started?: number | undefined;
  readonly finished?: number | undefined;
  readonly progress?: JobProgress | undefined;
  readonly warnings: readonly string[];
  readonly result?: Result | undefined;
  readonly error?: JobError | undefined;
  /** Under which a repeated request finds this job. */
  readonly key?: string | undefined;
  /** Fingerprint of the request that came with the key. */
  readonly keyed?: string | undefined;
  readonly webhook?: JobWebhook | undefined;
  /** How many parts it was divided into. Once they are done it runs again, to put them together. */
  readonly parts?: number | undefined;
  /** Of a part: the job that it is a part of, and which one. Parts are the queue's own and in no list. */
  readonly part?: { readonly of: string; readonly index: number } | undefined;
}

/** The id of a part of a job. */
export function partId(id: string, index: number): string {
  return `${id}.${index}`;
}

/** The id of the job as a whole, of a part too. */
export function wholeId({ id, part }: Pick<Job, 'id' | 'part'>): string {
  return part?.of ?? id;
}

/** What comes in. */
export interface NewJob<Request = unknown> {
  readonly id: string;
  readonly owner: string;
  readonly request: Request;
  readonly key?: string | undefined;
  readonly keyed?: string | undefined;
  readonly webhook?: string | undefined;
}

/** How one attempt ended. */
export type Outcome<Result = unknown> =
  | { readonly kind: 'done'; readonly result: Result; readonly warnings: readonly string[] }
  /** What is left to do falls into parts, one for each request, that anybody may work on. */
  | { readonly kind: 'split'; readonly requests: readonly unknown[] }
  /** Trying again would end the same way. */
  | { readonly kind: 'rejected'; readonly error: JobError }
  /**
   * It may go better next time, unless `final`. `room`: for want of room on the disk, which concerns all jobs.
   */
  | { readonly kind: 'failed'; readonly error: JobError; readonly room?: boolean; readonly final?: boolean }
  | { readonly kind: 'canceled' }
  /** The worker stops; the job goes back to its place and nothing is counted. */
  | { readonly kind: 'released' };

/** The right of one worker to one job, until it falls silent. */
export interface Lease<Request = unknown> {
  readonly job: Job<Request>;
  readonly fence: number;
}
