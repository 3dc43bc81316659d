/** What the command line prints: progress on one line, warnings, errors. All of it goes to stderr. */
import { inspect } from 'node:util';
import { ERROR_CODES, MuseTalkError } from '../core/errors.ts';
import type { DubProgress } from '../dub/progress.ts';

/** Exit code after an interruption, as shells count it: 128 + SIGINT. */
const INTERRUPTED = 130;

/** The exit code that stands for an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof MuseTalkError) return ERROR_CODES[error.code].exit;
  return isInterruption(error) ? INTERRUPTED : 70;
}

/** Message and hint; with `debug` everything that is known. */
export function printError(error: unknown, { debug = false } = {}): void {
  if (isInterruption(error)) console.error('interrupted');
  else if (error instanceof MuseTalkError) {
    console.error(`error: ${error.message}`);
    if (error.hint) console.error(`hint: ${error.hint}`);
  } else console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  if (debug) console.error(inspect(error, { depth: 6 }));
}

/** A listener that keeps one line of a terminal up to date, and says nothing where stderr is no terminal. */
export function progressLine(): { listen: (progress: DubProgress) => void; clear: () => void } {
  const { stderr } = process;
  let last = 0;
  const clear = () => {
    if (stderr.isTTY) stderr.write('\r\x1b[K');
  };
  return {
    listen: ({ stage, done, total, remaining }) => {
      const now = performance.now();
      if (!stderr.isTTY || (now - last < 100 && done < total)) return;
      last = now;
      const count = total > 0 ? ` ${done}/${total}` : '';
      const left = remaining === undefined ? '' : `, ${Math.ceil(remaining)} s left`;
      stderr.write(`\r\x1b[K${stage}${count}${left}`);
    },
    clear,
  };
}

/** A signal that aborts at the first Ctrl-C or SIGTERM; the second ends the process at once. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      process.once(name, () => process.exit(INTERRUPTED));
      controller.abort(new DOMException(`stopped by ${name}`, 'AbortError'));
    });
  }
  return controller.signal;
}

function isInterruption(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
