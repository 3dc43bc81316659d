/** When a job that failed is tried again. */
import type { Job, JobError, Outcome } from './job.ts';

/** How often, and after what wait, a job is tried again. */
export interface RetryRules {
  /** Failures after which a job is given up. */
  readonly attempts: number;
  /** Seconds before the second attempt; doubled for each one after. */
  readonly firstDelay: number;
  readonly longestDelay: number;
}

/** Three attempts, waits of seconds. */
export const RETRY: RetryRules = { attempts: 3, firstDelay: 2, longestDelay: 300 };

/** Starts of a job beyond which it is given up, whoever was to blame: a restarted service counts no failures. */
const MOST_STARTS = 25;

/** How many failures the job has now, and the seconds until its next attempt; none when it is given up. */
export function afterFailure(
  job: Pick<Job, 'attempts' | 'fence'>,
  { final = false }: Outcome & { kind: 'failed' },
  { attempts: most, firstDelay, longestDelay }: RetryRules,
): { attempts: number; delay: number | undefined } {
  const attempts = job.attempts + 1;
  if (final || attempts >= most || job.fence >= MOST_STARTS) return { attempts, delay: undefined };
  return { attempts, delay: Math.min(longestDelay, firstDelay * 2 ** (attempts - 1)) };
}

/** The error of an attempt whose worker ended or fell silent. */
export function lostError(how: string): JobError {
  return {
    code: 'WORKER_LOST',
    message: `the process that worked on the job was lost: ${how}`,
    hint: 'If this happens with one input only, that input brings it down: see the log of the job.',
  };
}
