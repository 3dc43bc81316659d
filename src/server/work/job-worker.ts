/**
 * The program of a worker process: runs one job after another as its parent orders, and ends with its parent.
 *
 * Arguments: the address of the runner's module.
 */
import { MuseTalkError } from '../../core/errors.ts';
import type { JobProgress } from '../queue/job.ts';
import type { Answer, Order, RunJob } from './runner.ts';

const [, , runner] = process.argv;
const { runJob } = (await import(runner!)) as { runJob: RunJob };
let current: AbortController | undefined;

/** Milliseconds between two words of progress within a stage. */
const PROGRESS_MS = 150;

process.on('disconnect', () => process.exit(0));
// The parent decides when its workers end; Ctrl-C in a terminal reaches them too.
process.on('SIGINT', () => {});
process.on('message', (message: Order) => {
  if (message.order === 'abort') current?.abort(new DOMException('the job was stopped', 'AbortError'));
  else void work(message);
});
say({ answer: 'ready' });

async function work({ run, beat }: Order & { order: 'run' }): Promise<void> {
  const controller = new AbortController();
  current = controller;
  const alive = setInterval(() => say({ answer: 'beat' }), beat);
  let last = Number.NEGATIVE_INFINITY;
  let stage: string | undefined;
  const onProgress = (progress: JobProgress) => {
    const now = performance.now();
    if (progress.stage === stage && now - last < PROGRESS_MS && progress.done < progress.total) return;
    [last, stage] = [now, progress.stage];
    say({ answer: 'progress', progress });
  };
  try {
    const onWarning = (warning: string) => say({ answer: 'warning', warning });
    const result = await runJob({ ...run, signal: controller.signal, onProgress, onWarning });
    say({ answer: 'done', result });
  } catch (error) {
    if (!(error instanceof MuseTalkError)) console.error(error);
    say({ answer: 'error', error: describe(error) });
  } finally {
    clearInterval(alive);
    current = undefined;
  }
}

function say(answer: Answer): void {
  if (process.connected) process.send!(answer);
}

function describe(error: unknown) {
  if (!(error instanceof MuseTalkError))
    return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
  const { code, message, hint, cause } = error;
  const room = /ENOSPC|EDQUOT|EROFS|disk is full/.test(
    `${(cause as NodeJS.ErrnoException)?.code} ${message}`,
  );
  return { code, message, hint, room };
}
