/**
 * Calls to clients when their jobs end. A call says what the job's own page says, signed and dated; whatever becomes
 * of it, the job's state stays what it is.
 */
import { createHash, createHmac } from 'node:crypto';
import { deadline } from '../core/deadline.ts';
import { MuseTalkError } from '../core/errors.ts';
import { call, checkAddress, type OutboundRules } from './net/outbound.ts';
import { FINAL, type Job } from './queue/job.ts';
import type { Queue } from './queue/queue.ts';
import { statusOf } from './view.ts';

/** Rules of calls. */
export interface WebhookOptions extends OutboundRules {
  /** The key that signs the calls to an owner. */
  readonly secretOf: (owner: string) => string;
  /** The job as its owner sees it. */
  readonly view: (job: Job) => Promise<unknown>;
  /** Seconds for one call. */
  readonly timeout?: number;
  /** Seconds before each repetition. */
  readonly delays?: readonly number[];
}

const DELAYS = [2, 10, 60, 300, 1800];

/** Bytes of an answer that are read, to let the connection end well. */
const ANSWER_BYTES = 64 * 1024;

/** Makes the calls, again and again where needed. */
export class Webhooks {
  readonly #queue: Queue;
  readonly #options: WebhookOptions & { readonly timeout: number; readonly delays: readonly number[] };
  readonly #unwatch: () => void;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #calls = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(queue: Queue, options: WebhookOptions) {
    this.#queue = queue;
    this.#options = { timeout: 10, delays: DELAYS, ...options };
    this.#unwatch = queue.watch(({ id, job }) => {
      if (!job) this.#forget(id);
      else if (FINAL.has(job.state) && job.webhook?.state === 'waiting' && job.webhook.attempts === 0)
        this.#after(0, job.id);
    });
  }

  /** Takes up the calls that an earlier run of the service still had to make. */
  async resume(): Promise<void> {
    for (const { id } of await this.#queue.withWebhook()) this.#after(0, id);
  }

  async close(): Promise<void> {
    this.#unwatch();
    this.#stop.abort();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await Promise.all(this.#calls);
  }

  #after(seconds: number, id: string): void {
    if (this.#timers.has(id) || this.#stop.signal.aborted) return;
    const timer = setTimeout(() => {
      this.#timers.delete(id);
      const calling = this.#deliver(id).catch(() => {}); // the store failed; the next start takes it up
      this.#calls.add(calling);
      void calling.finally(() => this.#calls.delete(calling));
    }, seconds * 1000);
    this.#timers.set(id, timer);
  }

  #forget(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  async #deliver(id: string): Promise<void> {
    const job = await this.#queue.get(id);
    if (job?.webhook?.state !== 'waiting') return;
    const { url, attempts } = job.webhook;
    // Several services may share a queue; one of them calls.
    if (!(await this.#queue.claim(`webhook ${id} ${attempts}`, this.#options.timeout * 3000))) return;
    const problem = await this.#call(job, url);
    if (this.#stop.signal.aborted) return;
    const delay = this.#options.delays[attempts];
    const state = problem === undefined ? 'delivered' : delay === undefined ? 'given up' : 'waiting';
    await this.#queue.setWebhook(id, {
      url,
      state,
      attempts: attempts + 1,
      ...(problem !== undefined && { problem }),
    });
    if (state === 'waiting') this.#after(delay!, id);
  }

  /** Makes one call; gives what went wrong. */
  async #call(job: Job, url: string): Promise<string | undefined> {
    const { secretOf, view, timeout } = this.#options;
    const { signal, end } = deadline(timeout * 1000, this.#stop.signal);
    try {
      const target = await checkAddress(url, this.#options);
      const type = `dub.${statusOf(job.state).toLowerCase()}`;
      const delivery = createHash('sha256').update(`${job.id} ${job.state}`).digest('hex').slice(0, 32);
      const body = JSON.stringify({ id: delivery, type, data: await view(job) });
      const seconds = Math.floor(Date.now() / 1000);
      const headers = {
        'content-type': 'application/json',
        'musetalk-delivery': delivery,
        'musetalk-signature': signature(secretOf(job.owner), seconds, body),
      };
      const answer = await call(target, { method: 'POST', headers, body, signal }, this.#options);
      const { statusCode = 0 } = answer;
      await readSome(answer);
      return statusCode >= 200 && statusCode < 300 ? undefined : `the answer was ${statusCode}`;
    } catch (error) {
      if (error instanceof MuseTalkError) return error.message;
      return signal.aborted ? `no answer within ${timeout} s` : (error as Error).message;
    } finally {
      end();
    }
  }
}

/** What goes into the header `musetalk-signature`: `t=<seconds>,v1=<HMAC-SHA256 of "seconds.body" in hexadecimal>`. */
export function signature(secret: string, seconds: number, body: string): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

async function readSome(answer: AsyncIterable<Buffer> & { destroy(): unknown }): Promise<void> {
  let size = 0;
  try {
    for await (const chunk of answer) {
      size += chunk.length;
      if (size > ANSWER_BYTES) break;
    }
  } catch {
    // The status has come, and it alone counts.
  } finally {
    answer.destroy();
  }
}
