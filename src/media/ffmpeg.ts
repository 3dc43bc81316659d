import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { MuseTalkError } from '../core/errors.ts';
import { findTool, type ToolName } from './tools.ts';

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** How a program of FFmpeg is run. */
export interface ToolOptions {
  /** What is being done, for errors: `read the frames of /clips/a.mp4`. */
  readonly task: string;
  /** Whose fault a failure is: a file that was given, the place that is written to, or the program. */
  readonly blame: 'BAD_FILE' | 'CANNOT_WRITE' | 'MEDIA_TOOL';
  /** Bytes for its standard input, asked for no faster than it reads them. */
  readonly input?: AsyncIterable<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Seconds of wall clock that the whole run may take. None by default: the reader sets the pace. */
  readonly timeout?: number | undefined;
  /** Seconds that it may stay silent while its next bytes are waited for, or refuse bytes. */
  readonly patience?: number | undefined;
  /** Seconds of processor time, where the system can limit it; `Infinity`, the default, sets no limit. */
  readonly cpuTime?: number | undefined;
  /** Bytes of address space, where the system can limit it. */
  readonly memory?: number | undefined;
}

/** Largest single block that FFmpeg may allocate: holds an 8K picture of 16-bit RGBA. */
const LARGEST_BLOCK = 2 ** 30 - 1;
const ERROR_TEXT_LIMIT = 64 * 1024;
const DEFAULT_PATIENCE = 120;
const DEFAULT_MEMORY = 8 * 2 ** 30;
const GRACE_MS = 2000;

/** Children that live now; ended with this process, so that none is left behind. */
const living = new Set<Child>();

/**
 * Arguments that name a file as input: pinned to a demuxer, so that nothing is guessed from its contents, and
 * behind `file:`, so that dashes, colons and percent signs in the name mean nothing.
 */
export function inputFile(path: string, demuxer: string): string[] {
  return ['-protocol_whitelist', 'file,pipe', '-f', demuxer, '-i', fileUrl(path)];
}

/** A path as FFmpeg takes it without reading anything into it. */
export function fileUrl(path: string): string {
  return `file:${resolve(path)}`;
}

/**
 * Runs ffmpeg or ffprobe and gives its standard output piece by piece. No shell is involved. The child runs only
 * as fast as its output is read; leaving the loop, an abort, or the end of this process ends it.
 *
 * @throws MuseTalkError with the code `blame` when it fails or stays silent, `CANNOT_WRITE` when the disk is full
 * or read-only; the signal's reason when aborted.
 */
export async function* streamTool(
  name: ToolName,
  args: readonly string[],
  options: ToolOptions,
): AsyncGenerator<Buffer, void, undefined> {
  options.signal?.throwIfAborted();
  const tool = await findTool(name);
  const child = start(name, tool.path, args, options);
  const ended = endOf(child);
  const errorText = collectErrors(child);
  const killer = killOn(child, options);
  const feeding = feed(child, options, killer.kill);
  try {
    yield* readPatiently(child.stdout, options, killer.kill);
    const [code, killedBy] = await ended;
    const inputError = await feeding;
    options.signal?.throwIfAborted();
    if (inputError !== undefined) throw inputError;
    const reason = killer.reason();
    if (reason || code !== 0 || namesFullDisk(errorText()))
      throw toolError(name, options, reason ?? failure(code, killedBy, errorText(), options), errorText());
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    killer.kill();
    await ended;
    await feeding;
    killer.release();
  }
}

/** Runs ffmpeg or ffprobe to its end and gives all it wrote to its standard output, at most `limit` bytes. */
export async function runTool(
  name: ToolName,
  args: readonly string[],
  { limit = 2 ** 24, ...options }: ToolOptions & { limit?: number },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of streamTool(name, args, options)) {
    size += chunk.length;
    if (size > limit) throw toolError(name, options, `${name} printed more than ${limit} bytes`, '');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function start(name: ToolName, path: string, args: readonly string[], options: ToolOptions): Child {
  const all = ['-hide_banner', '-v', 'error', '-max_alloc', String(LARGEST_BLOCK)];
  if (name === 'ffmpeg') all.push('-nostdin');
  const { cpuTime = Infinity } = options;
  if (name === 'ffmpeg' && Number.isFinite(cpuTime) && process.platform !== 'win32')
    all.push('-timelimit', String(Math.ceil(cpuTime)));
  const [program, prefix] = withLimits(path, options);
  if (living.size === 0) process.once('exit', endAll);
  const child = spawn(program, [...prefix, ...all, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own, so that whatever it starts ends with it.
    detached: process.platform !== 'win32',
    windowsHide: true,
    env: environment(),
  });
  living.add(child);
  child.once('close', () => {
    living.delete(child);
    if (living.size === 0) process.removeListener('exit', endAll);
  });
  return child;
}

/** Variables that a program reading files of strangers has no need to know. */
const SECRET = /TOKEN|SECRET|PASSWORD|KEY$|^AWS_/i;

/**
 * The child's environment: without secrets, without the variable that makes FFmpeg write a report file, and without
 * character set modules, which static builds cannot load (they crash on transport streams, whose names are in old
 * alphabets).
 */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => name !== 'FFREPORT' && !SECRET.test(name));
  return { ...Object.fromEntries(kept), GCONV_PATH: '/nonexistent' };
}

function withLimits(
  path: string,
  { memory = DEFAULT_MEMORY, cpuTime = Infinity }: ToolOptions,
): [program: string, args: string[]] {
  const prlimit = '/usr/bin/prlimit';
  if (process.platform !== 'linux' || !existsSync(prlimit)) return [path, []];
  const seconds = Math.ceil(cpuTime);
  // A signal that says why, and some seconds later one that nobody can ignore.
  const cpu = Number.isFinite(seconds) ? [`--cpu=${seconds}:${seconds + 5}`] : [];
  return [prlimit, [`--as=${memory}`, '--core=0', ...cpu, '--', path]];
}

/** Exit code and signal, or the error of a program that could not be started; never rejects. */
function endOf(child: Child): Promise<[code: number | null, signal: string | null]> {
  return new Promise((done) => {
    child.once('close', (code, signal) => done([code, signal]));
    child.once('error', () => child.pid === undefined && done([127, null]));
  });
}

function collectErrors(child: Child): () => string {
  let text = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (chunk: string) => {
    // Beginning and end say what happened; a damaged file can print millions of lines between them.
    text =
      text.length < ERROR_TEXT_LIMIT
        ? text + chunk
        : text.slice(0, ERROR_TEXT_LIMIT / 2) + chunk.slice(-1024);
  });
  return () => text;
}

/** Ends the child on abort and at its time limit; tells afterwards why, if it was for a reason of ours. */
function killOn(child: Child, { signal, timeout }: ToolOptions) {
  let why: string | undefined;
  let last: NodeJS.Timeout | undefined;
  const kill = (reason?: string) => {
    why ??= reason;
    child.stdin.destroy();
    child.stdout.destroy();
    if (child.exitCode !== null || child.signalCode !== null || last) return;
    endGroup(child, 'SIGTERM');
    last = setTimeout(() => endGroup(child, 'SIGKILL'), GRACE_MS);
  };
  const onAbort = () => kill();
  signal?.addEventListener('abort', onAbort, { once: true });
  const limit =
    timeout === undefined
      ? undefined
      : setTimeout(() => kill(`it took more than ${timeout} seconds`), timeout * 1000);
  child.once('close', () => {
    clearTimeout(last);
    clearTimeout(limit);
  });
  return { kill, reason: () => why, release: () => signal?.removeEventListener('abort', onAbort) };
}

function endGroup(child: Child, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch {
    // It ended by itself between the question and the signal.
  }
}

function endAll(): void {
  for (const child of living) endGroup(child, 'SIGKILL');
}

/** Hands the input over as fast as the child takes it. Gives the error of the input itself, if it had one. */
async function feed(child: Child, options: ToolOptions, kill: (why?: string) => void): Promise<unknown> {
  const { stdin } = child;
  stdin.on('error', () => {}); // a child that ends early says why on its standard error
  if (options.input === undefined) {
    stdin.end();
    return undefined;
  }
  const source = options.input[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await nextWhileAlive(source, child);
      if (next === 'ended' || stdin.destroyed) {
        source.return?.()?.catch(() => {}); // not waited for: it may be stuck, and nobody wants its bytes
        return undefined;
      }
      if (next.done) break;
      if (!stdin.write(next.value)) await drained(stdin, options, kill);
    }
    stdin.end();
    return undefined;
  } catch (error) {
    kill();
    return error ?? new Error('the input failed');
  }
}

/** The next bytes of the input, or word that the child ended while they were waited for. */
function nextWhileAlive(
  source: AsyncIterator<Uint8Array>,
  child: Child,
): Promise<IteratorResult<Uint8Array> | 'ended'> {
  return new Promise((done, fail) => {
    const ended = () => done('ended');
    if (!living.has(child)) return ended();
    child.once('close', ended);
    source
      .next()
      .then(done, fail)
      .finally(() => child.off('close', ended));
  });
}

function drained(stdin: Writable, options: ToolOptions, kill: (why?: string) => void): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(() => kill(silence(options)), patienceOf(options) * 1000);
    const finish = () => {
      clearTimeout(timer);
      stdin.off('drain', finish).off('close', finish);
      done();
    };
    stdin.on('drain', finish).on('close', finish);
    if (stdin.destroyed) finish();
  });
}

async function* readPatiently(
  stdout: Readable,
  options: ToolOptions,
  kill: (why?: string) => void,
): AsyncGenerator<Buffer, void, undefined> {
  const reader = stdout[Symbol.asyncIterator]();
  for (;;) {
    // With an input the pace is the caller's, and `drained` watches; without one it is the child's.
    const timer = options.input
      ? undefined
      : setTimeout(() => kill(silence(options)), patienceOf(options) * 1000);
    const next = await reader
      .next()
      .catch(prematureEnd)
      .finally(() => clearTimeout(timer));
    if (next.done) return;
    yield next.value;
  }
}

/** A stream that was destroyed by `kill` ends here; why is told from the signal or the reason kept there. */
function prematureEnd(error: NodeJS.ErrnoException): IteratorReturnResult<undefined> {
  if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  return { done: true, value: undefined };
}

function patienceOf({ patience = DEFAULT_PATIENCE }: ToolOptions): number {
  return patience;
}

function silence(options: ToolOptions): string {
  return `nothing moved for ${patienceOf(options)} seconds`;
}

function failure(
  code: number | null,
  killedBy: string | null,
  text: string,
  { cpuTime }: ToolOptions,
): string {
  const words = firstLines(text);
  // ffmpeg catches the signal of the limit and ends by itself, with 255 and without a word.
  if (killedBy === 'SIGXCPU' || (code === 255 && Number.isFinite(cpuTime ?? Infinity) && !words))
    return 'it used more processor time than allowed';
  if (killedBy)
    return /^SIG(SEGV|ABRT|BUS|ILL|FPE)$/.test(killedBy)
      ? `it crashed (${killedBy})`
      : `it was ended by ${killedBy}`;
  return words || `exit code ${code}`;
}

/** FFmpeg's own words: the first lines that say something, without addresses and without the file's name. */
function firstLines(text: string): string {
  const lines = text
    .split('\n')
    .map((line) =>
      line
        .replace(/\[([^@\]]+) @ 0x[0-9a-f]+\]/g, '$1:')
        .replace(/file:\S*: /, '')
        .trim(),
    )
    .filter((line) => line && !/^(Last message repeated|Conversion failed)/.test(line));
  return [...new Set(lines)].slice(0, 3).join('; ').slice(0, 500);
}

function namesFullDisk(text: string): boolean {
  return /No space left on device|Disk quota exceeded|File too large/.test(text);
}

function toolError(name: ToolName, options: ToolOptions, why: string, text: string): MuseTalkError {
  const full = namesFullDisk(text);
  const readOnly = /Read-only file system/.test(text);
  const noMemory = /Cannot allocate memory/.test(text);
  const code = full || readOnly ? 'CANNOT_WRITE' : noMemory ? 'TOO_LARGE' : options.blame;
  return new MuseTalkError(
    code,
    `cannot ${options.task}: ${full ? 'the disk is full' : readOnly ? 'the file system is read-only' : why}`,
    {
      hint: HINTS[full ? 'full' : code],
      facts: { tool: name, words: text.slice(0, 2000) },
    },
  );
}

const HINTS: Readonly<Record<string, string>> = {
  full: 'Free some space, or write to another disk.',
  CANNOT_WRITE: 'Write to another folder, or change its permissions.',
  BAD_FILE:
    'Check that the file plays to its end; if it does, convert it with another program and try again.',
  TOO_LARGE: 'Use a file with smaller pictures.',
  MEDIA_TOOL: 'Run the doctor command to see which FFmpeg is used; another version may help.',
};
