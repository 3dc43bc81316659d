/**
 * What the command line says while it works. Results go to stdout; progress, warnings and errors to stderr, in one of
 * four ways: a line that is kept up to date on a terminal, plain lines elsewhere, nothing but errors with `--quiet`,
 * and with `--json` everything as one JSON object a line on stdout.
 */
import { inspect } from 'node:util';
import { type Command, Option } from 'commander';
import { ERROR_CODES, MuseTalkError } from '../core/errors.ts';
import { bytes, clock, rate } from './words.ts';

/** How far something is. */
export interface Progress {
  /** What is being done, for programs: `draw`. */
  readonly stage: string;
  /** The same for people: `drawing`; the stage by default. */
  readonly title?: string | undefined;
  readonly done: number;
  /** 0 or undefined where it is not known. */
  readonly total?: number | undefined;
  readonly unit?: 'frames' | 'bytes' | undefined;
  /** What is told in place of a speed and a time left, for work that knows both better. */
  readonly details?: readonly string[] | undefined;
  /** Numbers for programs. */
  readonly values?: Readonly<Record<string, number>> | undefined;
}

/** What people choose about messages. */
export interface MessageOptions {
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly debug?: boolean | undefined;
}

/** The two streams of a process, or what a test takes for them. */
export interface Streams {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; isTTY?: boolean; columns?: number };
}

/** Adds the flags that choose how a command speaks. */
export function addMessageFlags(command: Command): Command {
  const flags: [string, string][] = [
    ['--json', 'tell progress, warnings, errors and the result as JSON, one object a line'],
    ['-q, --quiet', 'say nothing but errors and the result'],
    ['--debug', 'with an error, print all that is known about it'],
  ];
  for (const [flag, text] of flags) command.addOption(new Option(flag, text).helpGroup('Messages:'));
  return command;
}

/** Milliseconds between two updates of a terminal's line, two JSON events, and two plain lines. */
const TERMINAL_PAUSE = 100;
const JSON_PAUSE = 200;
const PLAIN_PAUSE = 5000;

/** Speaks to people or programs. */
export class Messages {
  readonly #options: MessageOptions;
  readonly #streams: Streams;
  readonly #meter = new Meter();
  #lastShown = Number.NEGATIVE_INFINITY;
  #stage: string | undefined;
  #lineShown = false;

  constructor(options: MessageOptions, streams: Streams = process) {
    this.#options = options;
    this.#streams = streams;
  }

  /** Tells how far the work is, as often as is useful. */
  progress(progress: Progress): void {
    const { json, quiet } = this.#options;
    const speed = progress.details ? {} : this.#meter.at(progress);
    if (quiet && !json) return;
    const { stderr } = this.#streams;
    const now = performance.now();
    const pause = json ? JSON_PAUSE : stderr.isTTY ? TERMINAL_PAUSE : PLAIN_PAUSE;
    const isNew = progress.stage !== this.#stage;
    // The last word of a stage is worth its line for programs and terminals, who need not scroll.
    const isLast = progress.done === progress.total && (json || stderr.isTTY);
    if (!isNew && !isLast && now - this.#lastShown < pause) return;
    this.#lastShown = now;
    this.#stage = progress.stage;
    if (json) {
      const { title, details, ...facts } = progress;
      this.#json('progress', { ...facts, ...speed });
    } else if (stderr.isTTY) this.#line(lineOf(progress, speed));
    else stderr.write(`${lineOf(progress, speed)}\n`);
  }

  /** Something that the user should know, though the work goes on. */
  warning(message: string): void {
    if (this.#options.json) this.#json('warning', { message });
    else if (!this.#options.quiet) this.#error(`warning: ${message}`);
  }

  /** A word for people only. */
  note(message: string): void {
    if (!this.#options.json && !this.#options.quiet) this.#error(message);
  }

  /** What the work came to: `facts` for programs, `text` for people. */
  result(facts: object, text: string): void {
    this.clear();
    if (this.#options.json) this.#json('result', facts);
    else this.#streams.stdout.write(`${text}\n`);
  }

  /** An error: message and hint, and all that is known with `--debug`. */
  error(error: unknown): void {
    const { json, debug } = this.#options;
    if (json) this.#json('error', errorFacts(error));
    else {
      this.#error(`error: ${messageOf(error)}`);
      const hint = hintOf(error);
      if (hint) this.#error(`hint: ${hint}`);
    }
    if (debug) this.#streams.stderr.write(`${inspect(error, { depth: 6 })}\n`);
  }

  /** The work was stopped from outside. */
  interrupted(signal: string, exit: number): void {
    if (this.#options.json) this.#json('interrupted', { signal, exit });
    else this.note(`stopped by ${signal}`);
  }

  /** Takes the line of progress away. */
  clear(): void {
    if (!this.#lineShown) return;
    this.#streams.stderr.write('\r\x1b[K');
    this.#lineShown = false;
  }

  #line(text: string): void {
    const { stderr } = this.#streams;
    // A line that wraps cannot be taken back.
    stderr.write(`\r\x1b[K${text.slice(0, Math.max(20, (stderr.columns ?? 80) - 1))}`);
    this.#lineShown = true;
  }

  #error(text: string): void {
    this.clear();
    this.#streams.stderr.write(`${text}\n`);
  }

  #json(event: string, facts: object): void {
    this.#streams.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
  }
}

interface Speed {
  /** Frames or bytes a second since the stage began. */
  readonly perSecond?: number;
  /** Seconds until it ends at that speed. */
  readonly remaining?: number;
}

/** Measures the speed of a stage from its first word on: what was done before says nothing about it. */
class Meter {
  #stage: string | undefined;
  #since = 0;
  #before = 0;

  at({ stage, done, total }: Progress): Speed {
    const now = performance.now();
    if (stage !== this.#stage || done < this.#before) {
      this.#stage = stage;
      this.#since = now;
      this.#before = done;
    }
    const seconds = (now - this.#since) / 1000;
    const made = done - this.#before;
    if (made <= 0 || seconds < 0.2) return {};
    const perSecond = made / seconds;
    const remaining = total ? { remaining: rounded((total - done) / perSecond) } : {};
    return { perSecond: rounded(perSecond), ...remaining };
  }
}

/** Thousandths are more than a measured speed can say. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function lineOf(
  { stage, title = stage, done, total, unit = 'frames', details = [] }: Progress,
  speed: Speed,
): string {
  const parts = [title];
  const show = unit === 'bytes' ? bytes : String;
  if (total) parts.push(`${show(done)} of ${show(total)}`, `${Math.floor((100 * done) / total)} %`);
  else if (done > 0) parts.push(show(done));
  parts.push(...details);
  if (speed.perSecond !== undefined) parts.push(rate(speed.perSecond, unit));
  if (speed.remaining !== undefined && done !== total) parts.push(`${clock(speed.remaining)} left`);
  return parts.join('  ');
}

/** An error that this program did not foresee is a fault of its own. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function hintOf(error: unknown): string | undefined {
  if (error instanceof MuseTalkError) return error.hint;
  return 'This is a fault of the program. Run it again with --debug, and report what it prints.';
}

function errorFacts(error: unknown): object {
  if (!(error instanceof MuseTalkError))
    return { code: 'INTERNAL', message: messageOf(error), hint: hintOf(error), exit: 70 };
  const { code, message, hint, facts } = error;
  return { code, message, hint, facts, exit: ERROR_CODES[code].exit };
}
