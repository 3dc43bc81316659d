/** Worker processes: started when needed, kept for the next job, ended when they hang or misbehave. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { MuseTalkError } from '../../core/errors.ts';
import type { JobError, JobProgress } from '../queue/job.ts';
import type { Answer, JobRun, Order } from './runner.ts';

/** How processes are run. */
export interface PoolOptions {
  /** Address (`file:` URL) of the module that exports `runJob`. */
  readonly runner: string;
  /** Seconds between signs of life. */
  readonly beat: number;
  /** Seconds that a job may take to stop after it was told to. */
  readonly grace?: number;
  /** Jobs after which a process is replaced, so that what engines leak does not add up. */
  readonly jobsPerProcess?: number;
}

/** Who hears of a run. */
export interface PoolRun {
  readonly signal: AbortSignal;
  readonly onBeat: () => void;
  readonly onProgress: (progress: JobProgress) => void;
  readonly onWarning: (warning: string) => void;
}

/** An error that a runner threw in its process. */
export class RunnerError extends Error {
  readonly details: JobError & { readonly room?: boolean };

  constructor(details: JobError & { readonly room?: boolean }) {
    super(details.message);
    this.name = 'RunnerError';
    this.details = details;
  }
}

interface Worker {
  readonly child: ChildProcess;
  /** The last words on its standard error. */
  words: string;
  jobs: number;
  /** Resolves when it takes orders, or has ended before. */
  readonly ready: Promise<void>;
}

/** Variables that are nobody's business but the service's own. */
const SECRET = /TOKEN|SECRET|PASSWORD|KEY$|^AWS_/i;

/** Milliseconds after which a process that takes no orders is ended. */
const START_MS = 120_000;

const WORDS_KEPT = 16 * 1024;

/** Processes that run jobs. */
export class WorkerPool {
  readonly #options: Required<PoolOptions>;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = { grace: 10, jobsPerProcess: 100, ...options };
  }

  /** Ids of the processes that live. */
  get pids(): number[] {
    return [...this.#all].flatMap(({ child }) => child.pid ?? []);
  }

  /** Starts processes ahead of need. */
  warm(count: number): void {
    while (this.#idle.length < count) this.#idle.push(this.#start());
  }

  /**
   * Runs a job in a process of its own.
   *
   * @throws RunnerError with what the runner threw; MuseTalkError WORKER_LOST when the process ended; the signal's
   * reason after an abort.
   */
  async run(
    run: Pick<JobRun, 'id' | 'request' | 'folder' | 'work' | 'parts' | 'settings'>,
    on: PoolRun,
  ): Promise<unknown> {
    on.signal.throwIfAborted();
    if (this.#closed) throw new MuseTalkError('UNAVAILABLE', 'the workers are stopped');
    const worker = this.#takeIdle() ?? this.#start();
    worker.jobs++;
    let ended = false;
    try {
      await this.#started(worker, on);
      return await this.#converse(worker, { order: 'run', run, beat: this.#options.beat * 1000 }, on);
    } catch (error) {
      ended = !(error instanceof RunnerError);
      on.signal.throwIfAborted();
      throw error;
    } finally {
      if (ended || this.#closed || worker.jobs >= this.#options.jobsPerProcess) end(worker.child);
      else if (alive(worker.child)) this.#idle.push(worker);
    }
  }

  #converse(worker: Worker, order: Order, on: PoolRun): Promise<unknown> {
    const { child } = worker;
    return new Promise((resolve, reject) => {
      let last: NodeJS.Timeout | undefined;
      const abort = () => {
        // A worker that lost its lease is perhaps stopped or stuck, and nobody waits for it any more.
        if (on.signal.reason instanceof MuseTalkError) return end(child);
        if (child.connected) child.send({ order: 'abort' } satisfies Order, () => {});
        last = setTimeout(() => end(child), this.#options.grace * 1000);
      };
      const finish = (settle: () => void) => {
        clearTimeout(last);
        child.off('message', hear).off('close', lost);
        on.signal.removeEventListener('abort', abort);
        settle();
      };
      const hear = (message: Answer) => {
        if (message.answer === 'done') finish(() => resolve(message.result));
        else if (message.answer === 'error') finish(() => reject(new RunnerError(message.error)));
        else if (message.answer === 'progress') on.onProgress(message.progress);
        else if (message.answer === 'warning') on.onWarning(message.warning);
        else if (message.answer === 'beat') on.onBeat();
      };
      const lost = (code: number | null, signal: string | null) => {
        const how = signal ? `it was ended by ${signal}` : `it ended with code ${code}`;
        finish(() => reject(new MuseTalkError('WORKER_LOST', how, { facts: { words: worker.words } })));
      };
      child.on('message', hear).once('close', lost);
      on.signal.addEventListener('abort', abort, { once: true });
      if (!alive(child)) lost(child.exitCode, child.signalCode);
      else child.send(order, () => {});
      if (on.signal.aborted) abort();
    });
  }

  /** Waits for a process to start, for as long as a loaded machine may take; it counts as alive meanwhile. */
  async #started({ child, ready }: Worker, on: PoolRun): Promise<void> {
    const alive = setInterval(on.onBeat, this.#options.beat * 1000);
    const limit = setTimeout(() => end(child), START_MS);
    try {
      await ready;
    } finally {
      clearInterval(alive);
      clearTimeout(limit);
    }
  }

  #takeIdle(): Worker | undefined {
    for (let worker = this.#idle.pop(); worker; worker = this.#idle.pop())
      if (alive(worker.child)) return worker;
    return undefined;
  }

  #start(): Worker {
    const own = import.meta.url;
    const fromSources = own.endsWith('.ts');
    const program = fileURLToPath(new URL(`./job-worker.${fromSources ? 'ts' : 'js'}`, own));
    const child = fork(program, [this.#options.runner], {
      execArgv: fromSources ? ['--import', import.meta.resolve('tsx')] : [],
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !SECRET.test(name))),
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'json',
    });
    const ready = new Promise<void>((done) => {
      child.once('message', () => done()).once('close', () => done());
    });
    const worker: Worker = { child, words: '', jobs: 0, ready };
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      worker.words = (worker.words + text).slice(-WORDS_KEPT);
    });
    child.on('error', () => {}); // a process that could not be started, or a message to one that is gone
    child.setMaxListeners(0);
    this.#all.add(worker);
    child.once('close', () => this.#all.delete(worker));
    return worker;
  }

  /** Ends all processes; jobs in them are lost. */
  async close(): Promise<void> {
    this.#closed = true;
    const ends = [...this.#all].map(
      ({ child }) => new Promise<void>((done) => (alive(child) ? child.once('close', () => done()) : done())),
    );
    for (const { child } of this.#all) end(child);
    await Promise.all(ends);
  }
}

function alive(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** At once and for sure: a stopped process obeys no other signal. */
function end(child: ChildProcess): void {
  child.kill('SIGKILL');
}
