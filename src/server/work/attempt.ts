/** From an attempt of the queue to a run in a worker process, and from its end to an outcome. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ERROR_CODES, type ErrorCode, MuseTalkError } from '../../core/errors.ts';
import type { Files } from '../files.ts';
import { type JobError, type Outcome, wholeId } from '../queue/job.ts';
import { type Attempt, type Work, WorkersStop } from '../queue/queue.ts';
import { lostError } from '../queue/retry.ts';
import { RunnerError, type WorkerPool } from './pool.ts';
import type { RunnerSettings, SplitWork } from './runner.ts';

/** What a job leaves for its owner to read when attempts fail. */
export const LOG_NAME = 'log.txt';

/** The work of a queue's attempts: each runs in a process of the pool, in the job's folder. */
export function workIn(files: Files, pool: WorkerPool, settings: RunnerSettings): Work {
  return async (attempt) => {
    const { job, fence, signal } = attempt;
    const warnings: string[] = [];
    try {
      const id = wholeId(job);
      const work = await files.openWork(id, fence, job.part?.index);
      const { request, parts } = job;
      const run = { id, request, folder: files.job(id), work, parts, settings };
      const result = await pool.run(run, {
        signal,
        onBeat: () => attempt.beat(),
        onProgress: (progress) => attempt.beat(progress),
        onWarning: (warning) => warnings.push(warning),
      });
      if (isSplit(result)) return { kind: 'split', requests: result.split };
      return { kind: 'done', result, warnings: [...new Set(warnings)] };
    } catch (error) {
      return outcomeOf(error, attempt, files);
    }
  };
}

function isSplit(result: unknown): result is SplitWork {
  return Array.isArray((result as Partial<SplitWork> | undefined)?.split);
}

/** What an error means for the job; what failed attempts said goes to the job's log too. */
export async function outcomeOf(
  error: unknown,
  { job, fence, signal }: Attempt,
  files: Files,
): Promise<Outcome> {
  if (signal.aborted)
    return signal.reason instanceof WorkersStop ? { kind: 'released' } : { kind: 'canceled' };
  const { code, message, hint, room = false, words } = describe(error);
  const part = job.part ? `part ${job.part.index + 1}, ` : '';
  const told: JobError = { code, message: withoutPaths(message, files), hint };
  await appendFile(
    join(files.job(wholeId(job)), LOG_NAME),
    withoutPaths(`${part}attempt ${fence}: ${code}: ${message}\n${words ? `${words.trim()}\n` : ''}`, files),
  ).catch(() => {}); // the folder is gone, or the disk is full: the job's error says enough
  if (isFaultOfInput(code)) return { kind: 'rejected', error: told };
  return { kind: 'failed', error: told, room, final: code === 'MODEL_MISSING' };
}

function describe(error: unknown): JobError & { room?: boolean; words?: string } {
  if (error instanceof RunnerError) return error.details;
  if (error instanceof MuseTalkError && error.code === 'WORKER_LOST')
    return { ...lostError(error.message), words: String(error.facts.words ?? '') };
  if (error instanceof MuseTalkError) return { code: error.code, message: error.message, hint: error.hint };
  const room = /^(ENOSPC|EDQUOT|EROFS)$/.test((error as NodeJS.ErrnoException)?.code ?? '');
  return {
    code: room ? 'CANNOT_WRITE' : 'INTERNAL',
    message: String((error as Error)?.message ?? error),
    room,
  };
}

/** Codes whose status blames the request are the input's fault: trying again would end the same way. */
function isFaultOfInput(code: string): boolean {
  const known = ERROR_CODES[code as ErrorCode];
  return known !== undefined && known.status >= 400 && known.status < 500;
}

/** Error texts name files; where they lie on this machine is nobody's business. */
export function withoutPaths(text: string, { root }: Pick<Files, 'root'>): string {
  return text.replaceAll(root, '').replaceAll(/\/jobs\/[0-9a-z]{26}\/((work|part-\d+)-\d+\/)?/g, '');
}
