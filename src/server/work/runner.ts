/** What a worker process runs, and how it talks with the process that started it. */
import type { MediaLimits } from '../../media/limits.ts';
import type { JobError, JobProgress } from '../queue/job.ts';

/** One attempt as a runner gets it. */
export interface JobRun<Request = unknown> {
  readonly id: string;
  readonly request: Request;
  /** The job's folder, with its inputs. Only read. */
  readonly folder: string;
  /** Where this attempt writes; holds what an earlier attempt left to be continued. */
  readonly work: string;
  /** How many parts the job was split into, now that they are done. */
  readonly parts?: number | undefined;
  readonly settings: RunnerSettings;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: JobProgress) => void;
  readonly onWarning: (warning: string) => void;
}

/** What the one who runs the service decides, for all jobs. */
export interface RunnerSettings {
  readonly models?: string | undefined;
  readonly threads?: number | undefined;
  /** What inputs may ask for. */
  readonly limits?: Partial<MediaLimits> | undefined;
  /** Length of the parts of a long dub; none are made without one, or with 0. */
  readonly splitSeconds?: number | undefined;
  /** Whether finished dubs are measured. */
  readonly report?: boolean | undefined;
}

/** What a runner gives where the job is to be split: a request for each part. */
export interface SplitWork {
  readonly split: readonly unknown[];
}

/**
 * A runner's module exports this as `runJob`. It gives what is kept as the job's result, or {@link SplitWork}. Values
 * must survive JSON; files are named under `work`.
 */
export type RunJob = (run: JobRun) => Promise<unknown>;

/** To a worker process. */
export type Order =
  | {
      readonly order: 'run';
      readonly run: Pick<JobRun, 'id' | 'request' | 'folder' | 'work' | 'parts' | 'settings'>;
      /** Milliseconds between signs of life. */
      readonly beat: number;
    }
  | { readonly order: 'abort' };

/** From a worker process. */
export type Answer =
  | { readonly answer: 'ready' }
  | { readonly answer: 'beat' }
  | { readonly answer: 'progress'; readonly progress: JobProgress }
  | { readonly answer: 'warning'; readonly warning: string }
  | { readonly answer: 'done'; readonly result: unknown }
  | { readonly answer: 'error'; readonly error: JobError & { readonly room?: boolean } };
