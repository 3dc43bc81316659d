/**
 * The queue of several machines, on Redis or Valkey. BullMQ hands out jobs, keeps leases and finds the jobs of workers
 * that died; what a job is and how it ended stands in a record of our own, which changes under its fence alone. So
 * BullMQ may deliver a job twice, as it says it may, and the job still ends once.
 */
import { type Job as BullJob, Queue as BullQueue, DelayedError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { MuseTalkError } from '../../core/errors.ts';
import { checkRoom, sameRequest } from './admission.ts';
import {
  FINAL,
  type Job,
  type JobError,
  type JobProgress,
  type JobState,
  type JobWebhook,
  type NewJob,
  type Outcome,
  partId,
} from './job.ts';
import type { QueueSettings } from './open-queue.ts';
import { type Attempt, type Change, type Queue, type QueueCounts, type Work, WorkersStop } from './queue.ts';
import { ADD, BEGIN, CANCEL, FINISH, REMOVE, SPLIT, WEBHOOK } from './redis-scripts.ts';
import { afterFailure, lostError } from './retry.ts';

const NAME = 'musetalk';

/** The lowest priority that BullMQ knows. */
const LAST = 2_097_151;

/** Milliseconds that Redis may take to answer at the start. */
const START_MS = 5000;

/** Milliseconds that Redis may take to hear that this process leaves. */
const CLOSE_MS = 10_000;

/** Milliseconds between two looks for jobs that were taken in but not handed to BullMQ before a crash. */
const REPAIR_MS = 30_000;

interface Running {
  readonly fence: number;
  readonly controller: AbortController;
  deadline: number;
}

/** A queue on Redis. */
export class RedisQueue implements Queue {
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #bull: BullQueue;
  readonly #settings: QueueSettings;
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #running = new Map<string, Running>();
  readonly #timer: NodeJS.Timeout;
  /** Reads of changed jobs, one after another for each job, so that listeners hear them in order. */
  #telling: Promise<unknown> = Promise.resolve();

  private constructor(redis: Redis, settings: QueueSettings) {
    this.#redis = redis;
    this.#settings = settings;
    this.#subscriber = redis.duplicate();
    this.#subscriber.on('error', () => {}); // it connects again by itself
    this.#bull = new BullQueue(NAME, { connection: redis });
    this.#bull.on('error', () => {});
    this.#timer = setInterval(() => void this.#repair().catch(() => {}), REPAIR_MS);
    this.#timer.unref();
  }

  /** Connects. @throws MuseTalkError UNAVAILABLE when nothing answers at the address. */
  static async open(url: string, settings: QueueSettings): Promise<RedisQueue> {
    const redis = new Redis(url, {
      maxRetriesPerRequest: null,
      lazyConnect: true,
      retryStrategy: (n) => Math.min(2000, n * 100),
    });
    redis.on('error', () => {});
    try {
      const timeout = new Promise<never>((_, fail) => {
        setTimeout(() => fail(new Error(`no answer in ${START_MS / 1000} s`)), START_MS).unref();
      });
      await Promise.race([redis.connect().then(() => redis.ping()), timeout]);
    } catch (cause) {
      redis.disconnect();
      throw new MuseTalkError(
        'UNAVAILABLE',
        `the queue at ${withoutSecret(url)} does not answer: ${(cause as Error).message}`,
        {
          hint: 'Start Redis or Valkey there, or use --queue embedded.',
          cause,
        },
      );
    }
    const queue = new RedisQueue(redis, settings);
    await queue.#listen();
    await queue.#repair();
    return queue;
  }

  async #listen(): Promise<void> {
    this.#subscriber.on('message', (channel: string, message: string) => {
      if (channel === 'mt:canceled')
        this.#abort(message, new DOMException('the job was canceled', 'AbortError'));
      else if (channel === 'mt:removed') {
        const [id, ...owner] = message.split(' ');
        this.#tell({ id: id!, owner: owner.join(' '), job: undefined });
      } else if (this.#listeners.size > 0)
        this.#telling = this.#telling.then(() => this.#tellOf(message)).catch(() => {});
    });
    await this.#subscriber.subscribe('mt:changes', 'mt:canceled', 'mt:removed');
  }

  async #tellOf(id: string): Promise<void> {
    const job = await this.get(id);
    if (job) this.#tell({ id, owner: job.owner, job });
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }

  async add({
    id,
    owner,
    request,
    key = '',
    keyed = '',
    webhook,
  }: NewJob): Promise<{ job: Job; created: boolean }> {
    const { limits } = this.#settings;
    const waiting: JobWebhook | undefined =
      webhook === undefined ? undefined : { url: webhook, state: 'waiting', attempts: 0 };
    const args = [id, owner, JSON.stringify(request), key, keyed, waiting ? JSON.stringify(waiting) : ''];
    const bounds = [finite(limits.perOwner), finite(limits.total), Date.now()].map(String);
    const [how, first, second] = (await this.#redis.eval(ADD, 0, ...args, ...bounds)) as (string | number)[];
    if (how === 'full') checkRoom({ own: Number(first), all: Number(second) }, limits);
    if (how === 'known') {
      const job = await this.#mustGet(String(first));
      return { job: sameRequest(job, { id, owner, request, keyed }), created: false };
    }
    await this.#hand(id, Number(first));
    return { job: await this.#mustGet(id), created: true };
  }

  /**
   * Gives a job to BullMQ; one that it has already stays as it is. A job whose parts are done goes under another
   * name: BullMQ may still know the delivery that split it.
   */
  async #hand(id: string, turn: number, { again = false } = {}): Promise<void> {
    const priority = Math.min(LAST, turn + 1);
    const jobId = again ? joinName(id) : id;
    await this.#bull.add('job', { id }, { jobId, priority, removeOnComplete: true, removeOnFail: true });
  }

  /** Hands out jobs that a crash left between our record and BullMQ's. */
  async #repair(): Promise<void> {
    if (!(await this.claim('repair', REPAIR_MS / 2))) return;
    for (const id of await this.#redis.zrange('mt:waiting', '0', '-1')) {
      const [turn, parts] = await this.#redis.hmget(recordOf(id), 'turn', 'parts');
      const again = parts !== null && parts !== undefined;
      if (!turn || (await this.#bull.getJob(again ? joinName(id) : id))) continue;
      await this.#hand(id, Number(turn), { again });
    }
    await this.#hasten();
  }

  /**
   * Jobs that wait before their next attempt do so until a time of the wall clock. Where that clock was ahead when they
   * were put off, it is further off than any wait may be.
   */
  async #hasten(): Promise<void> {
    const latest = Date.now() + this.#settings.retry.longestDelay * 1000 + REPAIR_MS;
    // BullMQ's own scale: milliseconds, and below them the order of jobs that are due together.
    const ids = await this.#redis.zrangebyscore(this.#bull.toKey('delayed'), latest * 0x1000, '+inf');
    for (const id of ids) await (await this.#bull.getJob(id))?.promote().catch(() => {}); // another did it
  }

  async get(id: string): Promise<Job | undefined> {
    const fields = await this.#redis.hgetall(recordOf(id));
    return fields.base === undefined ? undefined : jobOf(id, fields);
  }

  async parts(id: string): Promise<Job[]> {
    const count = Number((await this.#redis.hget(recordOf(id), 'parts')) ?? 0);
    return this.#getAll(Array.from({ length: count }, (_, index) => partId(id, index)));
  }

  async #mustGet(id: string): Promise<Job> {
    const job = await this.get(id);
    if (job) return job;
    throw new MuseTalkError('UNAVAILABLE', 'the job is not in the queue any more', {});
  }

  async #getAll(ids: readonly string[]): Promise<Job[]> {
    const jobs = await Promise.all(ids.map((id) => this.get(id)));
    return jobs.filter((job) => job !== undefined);
  }

  async byKey(owner: string, key: string): Promise<Job | undefined> {
    const id = await this.#redis.hget(`mt:keys:${owner}`, key);
    return id === null ? undefined : this.get(id);
  }

  async list(
    owner: string,
    { limit, before }: { limit: number; before?: string | undefined },
  ): Promise<Job[]> {
    const end = before === undefined ? undefined : await this.#redis.zscore(`mt:owner:${owner}`, before);
    if (end === null) return [];
    const from = end === undefined ? '+inf' : `(${end}`;
    return this.#getAll(
      await this.#redis.zrevrangebyscore(`mt:owner:${owner}`, from, '-inf', 'LIMIT', 0, limit),
    );
  }

  async cancel(id: string): Promise<Job | undefined> {
    await this.#redis.eval(CANCEL, 0, id, Date.now());
    // Where a worker has it, it hears of the cancelling by itself; parts that are delivered find no record.
    for (const name of [id, joinName(id)]) await this.#bull.remove(name).catch(() => {});
    return this.get(id);
  }

  async remove(id: string): Promise<void> {
    await this.#redis.eval(REMOVE, 0, id);
  }

  async finishedBefore(time: number, limit: number): Promise<Job[]> {
    return this.#getAll(
      await this.#redis.zrangebyscore('mt:finished', '-inf', `(${time}`, 'LIMIT', 0, limit),
    );
  }

  async withWebhook(): Promise<Job[]> {
    return this.#getAll(await this.#redis.smembers('mt:webhooks'));
  }

  async setWebhook(id: string, webhook: JobWebhook): Promise<void> {
    await this.#redis.eval(WEBHOOK, 0, id, JSON.stringify(webhook), webhook.state === 'waiting' ? '1' : '0');
  }

  async claim(name: string, ms: number): Promise<boolean> {
    return (await this.#redis.set(`mt:claim:${name}`, '1', 'PX', Math.ceil(ms), 'NX')) === 'OK';
  }

  async counts(): Promise<QueueCounts> {
    const [waiting, parts, all] = await Promise.all([
      this.#redis.zcard('mt:waiting'),
      this.#redis.scard('mt:waiting-parts'),
      this.#redis.scard('mt:unfinished'),
    ]);
    const queued = Math.max(0, waiting - parts);
    return { queued, running: Math.max(0, all - queued) };
  }

  async position({ id, state }: Job): Promise<number | undefined> {
    if (state !== 'queued') return undefined;
    return (await this.#redis.zrank('mt:waiting', id)) ?? undefined;
  }

  watch(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async healthy(): Promise<boolean> {
    const silent = new Promise<string>((done) => setTimeout(() => done('silent'), 1000).unref());
    return (await Promise.race([this.#redis.ping(), silent])) === 'PONG';
  }

  process(count: number, work: Work): () => Promise<void> {
    const { lease } = this.#settings;
    const connection = this.#redis.duplicate();
    connection.on('error', () => {});
    const worker = new Worker(NAME, (bull: BullJob, token?: string) => this.#attempt(bull, token!, work), {
      ...{ connection, concurrency: count, lockDuration: lease * 1000, stalledInterval: (lease * 1000) / 2 },
      // How often a job may be lost is for its record to say.
      maxStalledCount: 1_000_000,
    });
    worker.on('error', () => {}); // a lock that was lost, or Redis away: the record decides
    const watchdog = setInterval(() => this.#abortSilent(), (lease * 1000) / 8);
    watchdog.unref();
    return async () => {
      clearInterval(watchdog);
      const closing = worker.close();
      for (const { controller } of this.#running.values()) controller.abort(new WorkersStop());
      await within(CLOSE_MS, closing);
      void worker.close(true).catch(() => {});
      connection.disconnect();
    };
  }

  /** One delivery: an attempt, unless the record says that there is nothing to do. */
  async #attempt(bull: BullJob, token: string, work: Work): Promise<void> {
    const { id } = bull.data as { id: string };
    const begun = (await this.#redis.eval(BEGIN, 0, id, Date.now())) as [number, number] | null;
    if (!begun) return;
    const [fence, attempts] = begun;
    const job = await this.get(id);
    if (!job) return;
    if (attempts >= this.#settings.retry.attempts) {
      const error = lostError('its machine fell silent');
      await this.#write(id, fence, 'failed', { error });
      return;
    }
    const controller = new AbortController();
    const running = { fence, controller, deadline: this.#deadline() };
    this.#running.set(id, running);
    const beat = (progress?: JobProgress) => {
      running.deadline = this.#deadline();
      if (progress) void this.#write(id, fence, 'running', { progress }).catch(() => {});
    };
    const attempt: Attempt = { job, fence, signal: controller.signal, beat };
    const outcome = await work(attempt);
    if (this.#running.get(id) === running) this.#running.delete(id);
    const reason: unknown = controller.signal.reason;
    const lost =
      reason instanceof MuseTalkError
        ? { kind: 'failed' as const, error: lostError('it fell silent') }
        : outcome;
    await this.#end(bull, token, job, fence, lost);
  }

  async #end(bull: BullJob, token: string, job: Job, fence: number, outcome: Outcome): Promise<void> {
    const { id } = job;
    if (outcome.kind === 'done') {
      const { result, warnings } = outcome;
      await this.#write(id, fence, 'done', { result, warnings });
    } else if (outcome.kind === 'split') await this.#split(id, fence, outcome);
    else if (outcome.kind === 'rejected') await this.#write(id, fence, 'rejected', { error: outcome.error });
    else if (outcome.kind === 'canceled') await this.#write(id, fence, 'canceled', {});
    else if (outcome.kind === 'released')
      await this.#again(bull, token, 0, () => this.#write(id, fence, 'queued', {}));
    else {
      const { attempts, delay } = afterFailure({ ...job, fence }, outcome, this.#settings.retry);
      const fields = { error: outcome.error, attempts };
      if (delay === undefined) await this.#write(id, fence, 'failed', fields);
      else await this.#again(bull, token, delay, () => this.#write(id, fence, 'queued', fields));
    }
  }

  async #split(id: string, fence: number, { requests }: Outcome & { kind: 'split' }): Promise<void> {
    const bases = requests.map((request) => JSON.stringify(request));
    const turns = (await this.#redis.eval(SPLIT, 0, id, fence, Date.now(), ...bases)) as number[];
    for (const [index, turn] of turns.entries()) await this.#hand(partId(id, index), turn);
  }

  /** Puts the job back, to come again after some seconds. */
  async #again(bull: BullJob, token: string, seconds: number, write: () => Promise<boolean>): Promise<void> {
    if (!(await write())) return;
    await bull.moveToDelayed(Date.now() + seconds * 1000, token);
    throw new DelayedError();
  }

  /** Changes the record under its fence; false when the fence is not the newest any more. */
  async #write(
    id: string,
    fence: number,
    state: JobState,
    fields: {
      result?: unknown;
      warnings?: readonly string[];
      error?: JobError;
      progress?: JobProgress;
      attempts?: number;
    },
  ): Promise<boolean> {
    const pairs = Object.entries(fields).flatMap(([name, value]) =>
      value === undefined ? [] : [name, typeof value === 'number' ? String(value) : JSON.stringify(value)],
    );
    const answer = await this.#redis.eval(FINISH, 0, id, fence, state, Date.now(), ...pairs);
    if (answer === 2) {
      const whole = (await this.#redis.hget(recordOf(id), 'of'))!;
      await this.#hand(whole, Number(await this.#redis.hget(recordOf(whole), 'turn')), { again: true });
    }
    return answer !== 0;
  }

  #deadline(): number {
    return performance.now() + this.#settings.lease * 1000;
  }

  #abortSilent(): void {
    const now = performance.now();
    for (const [id, { deadline }] of this.#running)
      if (deadline < now) this.#abort(id, new MuseTalkError('WORKER_LOST', 'the lease ran out'));
  }

  #abort(id: string, reason: unknown): void {
    this.#running.get(id)?.controller.abort(reason);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await within(CLOSE_MS, this.#telling);
    await within(CLOSE_MS, this.#bull.close());
    this.#subscriber.disconnect();
    this.#redis.disconnect();
  }
}

/** Waits for something, but not for ever: Redis may be gone. */
async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((done) => {
    timer = setTimeout(done, ms);
  });
  await Promise.race([promise.catch(() => {}), late]);
  clearTimeout(timer);
}

/** The name under which a job is delivered once its parts are done. */
function joinName(id: string): string {
  return `${id}.join`;
}

function recordOf(id: string): string {
  return `mt:job:${id}`;
}

function jobOf(id: string, fields: Readonly<Record<string, string>>): Job {
  const json = (name: string) => (fields[name] ? JSON.parse(fields[name]) : undefined);
  const number = (name: string) => (fields[name] === undefined ? undefined : Number(fields[name]));
  const state = fields.state as JobState;
  return {
    ...{ id, owner: fields.owner!, request: JSON.parse(fields.base!), state },
    ...{ turn: Number(fields.turn), sequence: Number(fields.sequence), fence: Number(fields.fence) },
    ...{ attempts: Number(fields.attempts), created: Number(fields.created) },
    ...{ started: number('started'), finished: number('finished') },
    progress: FINAL.has(state) ? undefined : json('progress'),
    warnings: json('warnings') ?? [],
    ...{ result: json('result'), error: json('error'), webhook: json('webhook') },
    ...{ key: fields.key || undefined, keyed: fields.keyed || undefined },
    parts: number('parts'),
    part: fields.of === undefined ? undefined : { of: fields.of, index: Number(fields.index) },
  };
}

function finite(limit: number): number {
  return Number.isFinite(limit) ? limit : Number.MAX_SAFE_INTEGER;
}

function withoutSecret(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}
