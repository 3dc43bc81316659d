/** How a command runs: with messages, a signal that Ctrl-C raises, and an exit code at the end. */
import type { Command } from 'commander';
import { ERROR_CODES, MuseTalkError } from '../core/errors.ts';
import { type MessageOptions, Messages } from './messages.ts';

/** What a command's work is given. */
export interface Context {
  readonly messages: Messages;
  readonly signal: AbortSignal;
}

/** Numbers of the signals that ask a program to stop; shells count exit codes from 128 on. */
const STOPPING = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
type Stopping = keyof typeof STOPPING;

/** The user, or the system, asked for the end. */
class Interruption extends Error {
  readonly signal: Stopping;

  constructor(signal: Stopping) {
    super(`stopped by ${signal}`);
    this.name = 'AbortError';
    this.signal = signal;
  }

  /** 130 after Ctrl-C, 143 after a termination. */
  get exit(): number {
    return 128 + STOPPING[this.signal];
  }
}

/**
 * Runs `work` and sets the process's exit code: 0, or that of the error. The first Ctrl-C aborts the signal, so that
 * everything can be cleaned up; the second ends the process at once.
 */
export async function perform(command: Command, work: (context: Context) => Promise<void>): Promise<void> {
  const messages = new Messages(command.opts<MessageOptions>());
  const { signal, release } = interruption(messages);
  try {
    await work({ messages, signal });
  } catch (error) {
    const cause = signal.aborted ? signal.reason : error;
    if (cause instanceof Interruption) messages.interrupted(cause.signal, cause.exit);
    else messages.error(cause);
    process.exitCode = exitCodeOf(cause);
  } finally {
    messages.clear();
    release();
  }
}

/** The exit code that stands for an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof MuseTalkError) return ERROR_CODES[error.code].exit;
  return error instanceof Interruption ? error.exit : 70;
}

function interruption(messages: Messages): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const onSignal = (name: Stopping) => {
    const reason = new Interruption(name);
    if (controller.signal.aborted) process.exit(reason.exit);
    messages.note(name === 'SIGINT' ? 'stopping; Ctrl-C again to stop at once' : 'stopping');
    controller.abort(reason);
  };
  const names = Object.keys(STOPPING) as Stopping[];
  for (const name of names) process.on(name, onSignal);
  const release = () => {
    for (const name of names) process.off(name, onSignal);
  };
  return { signal: controller.signal, release };
}
