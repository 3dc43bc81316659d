/** Changes of jobs as server-sent events: every event is the whole job, so that one that is missed is no loss. */
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { MuseTalkError } from '../core/errors.ts';
import { FINAL, type Job } from './queue/job.ts';
import type { Change, Queue } from './queue/queue.ts';

/** Limits of event streams, and what they tell. */
export interface EventOptions {
  /** Streams open at once, of one owner and of all. */
  readonly perOwner: number;
  readonly total: number;
  /** Milliseconds between signs of life. */
  readonly heartbeat: number;
  /** The job as its owner sees it. */
  readonly view: (job: Job) => Promise<unknown>;
}

interface Told {
  readonly number: number;
  readonly job: Job;
}

interface Stream {
  readonly owner: string;
  readonly response: ServerResponse;
  /** The newest change that a slow reader has not been sent. */
  behind: Told | undefined;
  end: () => void;
}

/** Events kept for readers that come back. */
const KEPT = 32;

/** Bytes that may wait for a reader before it is told only the newest. */
const WAITING_BYTES = 64 * 1024;

/** Tells readers of changes, each as fast as it reads. */
export class Events {
  readonly #options: EventOptions;
  readonly #streams = new Map<string, Set<Stream>>();
  readonly #recent = new Map<string, Told[]>();
  /** Tells numbers of this run from those of an earlier one. */
  readonly #run = randomBytes(4).toString('hex');
  readonly #unwatch: () => void;
  readonly #timer: NodeJS.Timeout;
  #number = 0;
  #open = 0;

  constructor(queue: Queue, options: EventOptions) {
    this.#options = options;
    this.#unwatch = queue.watch((change) => this.#hear(change));
    this.#timer = setInterval(() => this.#beat(), options.heartbeat);
    this.#timer.unref();
  }

  /** Streams that are open. */
  get open(): number {
    return this.#open;
  }

  /**
   * Answers with the job's events from `lastId` on (from now on without one), until the job has ended. `begin` is
   * called before the first byte, when nothing can be refused any more.
   *
   * @throws MuseTalkError RATE_LIMITED with too many streams.
   */
  async stream(
    job: Job,
    response: ServerResponse,
    lastId: string | undefined,
    begin: () => void,
  ): Promise<void> {
    this.#checkRoom(job.owner);
    begin();
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    const stream: Stream = { owner: job.owner, response, behind: undefined, end: () => {} };
    const streams = this.#streams.get(job.id) ?? new Set();
    this.#streams.set(job.id, streams.add(stream));
    this.#open++;
    const closed = new Promise<void>((done) => {
      stream.end = () => {
        if (!streams.delete(stream)) return;
        this.#open--;
        if (streams.size === 0) this.#streams.delete(job.id);
        response.end();
        done();
      };
    });
    response.on('close', stream.end).on('drain', () => void this.#catchUp(stream));
    response.write('retry: 2000\n\n');
    for (const told of this.#since(job, lastId)) await this.#send(stream, told);
    await closed;
  }

  #since(job: Job, lastId: string | undefined): Told[] {
    const [run, number] = (lastId ?? '').split('-');
    const recent = this.#recent.get(job.id) ?? [];
    const missed = run === this.#run ? recent.filter((told) => told.number > Number(number)) : [];
    // What a reader knows already is not repeated, but for the end, which closes its stream.
    if (missed.length > 0) return missed;
    if (run === this.#run && recent.at(-1)?.number === Number(number) && !FINAL.has(job.state)) return [];
    return [{ number: recent.at(-1)?.number ?? ++this.#number, job }];
  }

  #hear({ id, job }: Change): void {
    if (!job) {
      this.#recent.delete(id);
      for (const stream of this.#streams.get(id) ?? []) {
        stream.response.write('event: removed\ndata: {}\n\n');
        stream.end();
      }
      return;
    }
    const told = { number: ++this.#number, job };
    const recent = this.#recent.get(id) ?? [];
    recent.push(told);
    if (recent.length > KEPT) recent.shift();
    this.#recent.set(id, recent);
    if (this.#recent.size > 1000) this.#forgetOldest();
    for (const stream of this.#streams.get(id) ?? []) void this.#send(stream, told);
  }

  /** The first of the map are the oldest; those that somebody follows stay. */
  #forgetOldest(): void {
    for (const id of this.#recent.keys()) {
      if (this.#streams.has(id)) continue;
      this.#recent.delete(id);
      return;
    }
  }

  async #send(stream: Stream, told: Told): Promise<void> {
    const { response } = stream;
    if (response.writableLength > WAITING_BYTES) {
      stream.behind = told;
      return;
    }
    const { number, job } = told;
    const view = await this.#options.view(job);
    if (response.writableEnded || response.destroyed) return;
    const event = FINAL.has(job.state) ? 'end' : job.progress ? 'progress' : 'status';
    response.write(`id: ${this.#run}-${number}\nevent: ${event}\ndata: ${JSON.stringify(view)}\n\n`);
    if (FINAL.has(job.state)) stream.end();
  }

  async #catchUp(stream: Stream): Promise<void> {
    const told = stream.behind;
    stream.behind = undefined;
    if (told) await this.#send(stream, told);
  }

  #beat(): void {
    for (const streams of this.#streams.values())
      for (const { response } of streams) if (response.writableLength === 0) response.write(': \n\n');
  }

  #checkRoom(owner: string): void {
    let own = 0;
    for (const streams of this.#streams.values())
      for (const stream of streams) if (stream.owner === owner) own++;
    const { perOwner, total } = this.#options;
    if (own < perOwner && this.#open < total) return;
    throw new MuseTalkError('RATE_LIMITED', `${own} of your event streams are open, ${this.#open} of all`, {
      hint: `Close some: one may open ${perOwner}.`,
      facts: { limit: perOwner, retryAfter: 5 },
    });
  }

  close(): void {
    clearInterval(this.#timer);
    this.#unwatch();
    for (const streams of [...this.#streams.values()]) for (const stream of [...streams]) stream.end();
  }
}
