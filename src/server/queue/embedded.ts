/**
 * The queue of a service that stands alone: jobs in memory, each change in a journal on disk. Leases and waiting
 * times are measured by a clock that never jumps; the wall clock is only shown.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MuseTalkError } from '../../core/errors.ts';
import { checkRoom, sameRequest } from './admission.ts';
import { byTurn, FairOrder } from './fair-order.ts';
import {
  FINAL,
  type Job,
  type JobProgress,
  type JobWebhook,
  type Lease,
  type NewJob,
  type Outcome,
  partId,
} from './job.ts';
import { Journal, type JournalDisk } from './journal.ts';
import {
  type Attempt,
  type Change,
  type Queue,
  type QueueCounts,
  type QueueLimits,
  type Work,
  WorkersStop,
} from './queue.ts';
import { afterFailure, lostError, type RetryRules } from './retry.ts';

/** Rules of an embedded queue. */
export interface EmbeddedOptions {
  readonly limits: QueueLimits;
  /** Seconds of silence after which a worker is taken for lost. */
  readonly lease: number;
  readonly retry: RetryRules;
  /** Seconds, from any start, never backward. */
  readonly clock?: () => number;
  readonly disk?: JournalDisk;
  /** Lines of journal beyond which it is written anew, if most of them are outdated. */
  readonly compactAfter?: number;
}

interface Running {
  readonly fence: number;
  readonly controller: AbortController;
  deadline: number;
}

/** A line of the journal: a job that came in, fields of one that changed (with the parts it was split into), or one that went. */
interface Entry {
  readonly job?: Job;
  readonly parts?: readonly Job[];
  readonly set?: string;
  readonly fields?: Partial<Job>;
  readonly drop?: string;
}

/** A queue in this process and a journal on its disk. */
export class EmbeddedQueue implements Queue {
  readonly #jobs = new Map<string, Job>();
  readonly #keys = new Map<string, string>();
  readonly #adding = new Map<string, Promise<{ job: Job; created: boolean }>>();
  readonly #running = new Map<string, Running>();
  /** When a job's next attempt may begin. */
  readonly #notBefore = new Map<string, number>();
  readonly #claims = new Map<string, number>();
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #wake = new Set<() => void>();
  readonly #order = new FairOrder();
  readonly #journal: Journal;
  readonly #options: EmbeddedOptions;
  readonly #clock: () => number;
  #sequence = 0;
  #arriving = 0;
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #compacting = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  private constructor(journal: Journal, options: EmbeddedOptions) {
    this.#journal = journal;
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now() / 1000);
  }

  /**
   * Opens the queue of a folder. Jobs that ran when the process before this one ended wait again, in their old place.
   */
  static async open(folder: string, options: EmbeddedOptions): Promise<EmbeddedQueue> {
    await mkdir(folder, { recursive: true });
    const { journal, entries } = await Journal.open(join(folder, 'jobs.jsonl'), options.disk);
    const queue = new EmbeddedQueue(journal, options);
    queue.#replay(entries);
    queue.#timer = setInterval(() => queue.sweep(), Math.min(1000, (options.lease * 1000) / 4));
    queue.#timer.unref();
    return queue;
  }

  #replay(entries: readonly unknown[]): void {
    for (const entry of entries as Entry[]) {
      for (const job of [entry.job ?? [], entry.parts ?? []].flat()) this.#jobs.set(job.id, job);
      if (entry.drop !== undefined) this.#jobs.delete(entry.drop);
      else if (entry.set !== undefined) {
        const job = this.#jobs.get(entry.set);
        if (job) this.#jobs.set(job.id, withoutNulls({ ...job, ...entry.fields }));
      }
    }
    this.#settleParts();
    for (const job of this.#jobs.values()) {
      if (job.key !== undefined) this.#keys.set(keyOf(job.owner, job.key), job.id);
      this.#sequence = Math.max(this.#sequence, job.sequence + 1);
      if (!FINAL.has(job.state)) this.#order.restore(job);
      const waits = job.state === 'running' || (job.state === 'split' && this.#partsDone(job));
      if (waits) this.#jobs.set(job.id, { ...job, state: 'queued' });
    }
  }

  /** What a crash may have left undone: jobs end with a part that was given up, and parts go with their jobs. */
  #settleParts(): void {
    for (const { part, state, error, attempts, finished } of this.#jobs.values()) {
      const job = part && this.#jobs.get(part.of);
      if (job?.state === 'split' && FINAL.has(state) && state !== 'done')
        this.#jobs.set(job.id, { ...job, state, error, attempts, finished });
    }
    for (const { id, part } of this.#jobs.values())
      if (part && FINAL.has(this.#jobs.get(part.of)?.state ?? 'done')) this.#jobs.delete(id);
  }

  async add(given: NewJob): Promise<{ job: Job; created: boolean }> {
    if (given.key === undefined) return { job: await this.#insert(given), created: true };
    const key = keyOf(given.owner, given.key);
    const known = this.#keys.get(key);
    if (known !== undefined) return { job: sameRequest(this.#jobs.get(known)!, given), created: false };
    const adding = this.#adding.get(key);
    if (adding) return { job: sameRequest((await adding).job, given), created: false };
    const promise = this.#insert(given).then((job) => ({ job, created: true }));
    this.#adding.set(key, promise);
    try {
      return await promise;
    } finally {
      this.#adding.delete(key);
    }
  }

  async #insert({ webhook, ...given }: NewJob): Promise<Job> {
    const { limits } = this.#options;
    const unfinished = this.#unfinished();
    checkRoom(
      {
        own: unfinished.filter(({ owner }) => owner === given.owner).length,
        all: unfinished.length + this.#arriving,
      },
      limits,
    );
    const job: Job = {
      ...given,
      ...{ state: 'queued', turn: this.#order.turnFor(given.owner), sequence: this.#sequence++ },
      ...{ fence: 0, attempts: 0, created: Date.now(), warnings: [] },
      ...(webhook !== undefined && { webhook: { url: webhook, state: 'waiting' as const, attempts: 0 } }),
    };
    this.#arriving++;
    try {
      await this.#journal.append({ job });
    } finally {
      this.#arriving--;
    }
    this.#jobs.set(job.id, job);
    if (job.key !== undefined) this.#keys.set(keyOf(job.owner, job.key), job.id);
    this.#tell(job);
    this.#wakeAll();
    return job;
  }

  async get(id: string): Promise<Job | undefined> {
    return this.#jobs.get(id);
  }

  async parts(id: string): Promise<Job[]> {
    const job = this.#jobs.get(id);
    return job ? this.#partsOf(job) : [];
  }

  async byKey(owner: string, key: string): Promise<Job | undefined> {
    return this.#jobs.get(this.#keys.get(keyOf(owner, key)) ?? '');
  }

  async list(
    owner: string,
    { limit, before }: { limit: number; before?: string | undefined },
  ): Promise<Job[]> {
    const end = before === undefined ? Number.POSITIVE_INFINITY : (this.#jobs.get(before)?.sequence ?? 0);
    return [...this.#jobs.values()]
      .filter((job) => job.owner === owner && !job.part && job.sequence < end)
      .sort((a, b) => b.sequence - a.sequence)
      .slice(0, limit);
  }

  async cancel(id: string): Promise<Job | undefined> {
    const job = this.#jobs.get(id);
    if (!job || FINAL.has(job.state)) return job;
    const running = this.#running.get(id);
    this.#running.delete(id);
    const ended = await this.#end(job, { state: 'canceled' });
    running?.controller.abort(new DOMException('the job was canceled', 'AbortError'));
    return ended;
  }

  async remove(id: string): Promise<void> {
    const job = this.#jobs.get(id);
    if (!job) return;
    await this.#journal.append({ drop: id });
    this.#jobs.delete(id);
    this.#notBefore.delete(id);
    if (job.key !== undefined) this.#keys.delete(keyOf(job.owner, job.key));
    this.#tell(job, true);
    this.#compactIfLong();
  }

  async finishedBefore(time: number, limit: number): Promise<Job[]> {
    return [...this.#jobs.values()]
      .filter(({ state, part, finished = 0 }) => FINAL.has(state) && !part && finished < time)
      .sort((a, b) => a.finished! - b.finished!)
      .slice(0, limit);
  }

  async withWebhook(): Promise<Job[]> {
    return [...this.#jobs.values()].filter(
      ({ state, webhook }) => FINAL.has(state) && webhook?.state === 'waiting',
    );
  }

  async setWebhook(id: string, webhook: JobWebhook): Promise<void> {
    const job = this.#jobs.get(id);
    if (job) await this.#change(job, { webhook });
  }

  async claim(name: string, ms: number): Promise<boolean> {
    const now = this.#clock();
    for (const [other, until] of this.#claims) if (until <= now) this.#claims.delete(other);
    if (this.#claims.has(name)) return false;
    this.#claims.set(name, now + ms / 1000);
    return true;
  }

  async counts(): Promise<QueueCounts> {
    const unfinished = this.#unfinished();
    const queued = unfinished.filter(({ state }) => state === 'queued').length;
    return { queued, running: unfinished.length - queued };
  }

  async position(job: Job): Promise<number | undefined> {
    if (job.state !== 'queued') return undefined;
    return [...this.#jobs.values()].filter((other) => other.state === 'queued' && byTurn(other, job) < 0)
      .length;
  }

  watch(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async healthy(): Promise<boolean> {
    return !this.#closed;
  }

  /** The next job by the fair order, if one may begin now; it runs from then on. */
  async take(): Promise<Lease | undefined> {
    const now = this.#clock();
    if (this.#closed || now < this.#pausedUntil) return undefined;
    let next: Job | undefined;
    for (const job of this.#jobs.values()) {
      if (job.state !== 'queued' || (this.#notBefore.get(job.id) ?? Number.NEGATIVE_INFINITY) > now) continue;
      if (!next || byTurn(job, next) < 0) next = job;
    }
    if (!next) return undefined;
    this.#order.serve(next.turn);
    const fence = next.fence + 1;
    const running = { fence, controller: new AbortController(), deadline: now + this.#options.lease };
    this.#running.set(next.id, running);
    const before = next;
    // A job whose parts are done goes on with what it began before.
    const started = (next.parts === undefined ? undefined : next.started) ?? Date.now();
    const job = this.#put({ ...next, state: 'running', fence, started });
    try {
      // On disk before anybody works under it, so that no number is ever given twice.
      await this.#write(job, { state: 'running', fence, started });
    } catch {
      this.#running.delete(job.id);
      this.#put({ ...before, fence });
      this.#pause(5);
      return undefined;
    }
    this.#tell(job);
    return { job, fence };
  }

  /** Says that a worker is alive; false when the lease is no longer its own. */
  beat({ job: { id }, fence }: Lease, progress?: JobProgress): boolean {
    const running = this.#holder(id, fence);
    const job = this.#jobs.get(id);
    if (!running || !job) return false;
    running.deadline = this.#clock() + this.#options.lease;
    if (progress) this.#tell(this.#put({ ...job, progress }));
    return true;
  }

  /** Writes how an attempt ended; false, and nothing is written, when its fence is not the newest. */
  async finish({ job: { id }, fence }: Lease, outcome: Outcome): Promise<boolean> {
    const job = this.#jobs.get(id);
    if (!this.#holder(id, fence) || !job) return false;
    this.#running.delete(id);
    if (outcome.kind === 'done') {
      const { result, warnings } = outcome;
      await this.#end(job, { state: 'done', result, warnings, error: undefined });
    } else if (outcome.kind === 'split') await this.#split(job, outcome);
    else if (outcome.kind === 'rejected') await this.#end(job, { state: 'rejected', error: outcome.error });
    else if (outcome.kind === 'canceled') await this.#end(job, { state: 'canceled' });
    else if (outcome.kind === 'released') await this.#change(job, { state: 'queued', progress: undefined });
    else await this.#failed(job, outcome);
    this.#wakeAll();
    return true;
  }

  /** One line of the journal has the parts and the job that waits for them. */
  async #split(job: Job, { requests }: Outcome & { kind: 'split' }): Promise<void> {
    const { id, owner } = job;
    const parts = requests.map(
      (request, index): Job => ({
        ...{ id: partId(id, index), owner, request, part: { of: id, index }, state: 'queued' },
        ...{ turn: this.#order.turnFor(owner), sequence: this.#sequence++ },
        ...{ fence: 0, attempts: 0, created: Date.now(), warnings: [] },
      }),
    );
    const fields = { state: 'split', parts: parts.length, error: undefined, progress: undefined } as const;
    for (const part of parts) this.#put(part);
    this.#tell(this.#put({ ...job, ...fields }));
    await this.#journal.append({ parts, set: id, fields: withNulls(fields) });
  }

  /** The job goes on when all of its parts are done, and ends as the first one that is given up. */
  async #partEnded({ part, state, error, attempts }: Job): Promise<void> {
    const job = this.#jobs.get(part!.of);
    if (job?.state !== 'split') return;
    if (state !== 'done') await this.#end(job, { state, error, attempts });
    else if (this.#partsDone(job)) await this.#change(job, { state: 'queued' });
  }

  #partsOf({ id, parts = 0 }: Job): Job[] {
    return Array.from({ length: parts }, (_, index) => this.#jobs.get(partId(id, index)) ?? []).flat();
  }

  #partsDone(job: Job): boolean {
    return this.#partsOf(job).every(({ state }) => state === 'done');
  }

  /** The journal need not hear of it: parts of an ended job are forgotten when it is read. */
  #forgetParts(job: Job): void {
    for (const { id } of this.#partsOf(job)) {
      const running = this.#running.get(id);
      this.#running.delete(id);
      this.#notBefore.delete(id);
      this.#jobs.delete(id);
      running?.controller.abort(new DOMException('the job has ended', 'AbortError'));
    }
  }

  async #failed(job: Job, outcome: Outcome & { kind: 'failed' }): Promise<void> {
    const next = afterFailure(job, outcome, this.#options.retry);
    if (outcome.room) this.#pause(next.delay ?? this.#options.retry.firstDelay);
    if (next.delay === undefined) {
      await this.#end(job, { state: 'failed', attempts: next.attempts, error: outcome.error });
      return;
    }
    this.#notBefore.set(job.id, this.#clock() + next.delay);
    await this.#change(job, {
      state: 'queued',
      attempts: next.attempts,
      error: outcome.error,
      progress: undefined,
    });
  }

  /** Takes jobs from workers that have been silent for too long, and lets others begin whose time has come. */
  sweep(): void {
    const now = this.#clock();
    for (const [id, { fence, deadline, controller }] of this.#running) {
      const job = this.#jobs.get(id);
      if (deadline > now || !job) continue;
      this.finish({ job, fence }, { kind: 'failed', error: lostError('it fell silent') }).catch(() => {});
      controller.abort(new MuseTalkError('WORKER_LOST', 'the lease ran out'));
    }
    this.#wakeAll();
  }

  process(count: number, work: Work): () => Promise<void> {
    const stop = new AbortController();
    const loops = Array.from({ length: count }, () => this.#loop(work, stop.signal));
    return async () => {
      stop.abort();
      for (const { controller } of this.#running.values()) controller.abort(new WorkersStop());
      this.#wakeAll();
      await Promise.all(loops);
    };
  }

  async #loop(work: Work, stop: AbortSignal): Promise<void> {
    while (!stop.aborted && !this.#closed) {
      const lease = await this.take();
      if (!lease) {
        await new Promise<void>((wake) => this.#wake.add(wake));
        continue;
      }
      const { signal } = this.#running.get(lease.job.id)?.controller ?? { signal: AbortSignal.abort() };
      const attempt: Attempt = { ...lease, signal, beat: (progress) => void this.beat(lease, progress) };
      const outcome = await work(attempt);
      // A full disk does not undo what was done: memory knows it, and the journal learns it with the next line.
      await this.finish(lease, outcome).catch(() => {});
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#wakeAll();
    await this.#journal.close();
  }

  #unfinished(): Job[] {
    return [...this.#jobs.values()].filter(({ state, part }) => !FINAL.has(state) && !part);
  }

  #holder(id: string, fence: number): Running | undefined {
    const running = this.#running.get(id);
    return running?.fence === fence ? running : undefined;
  }

  async #end(job: Job, fields: Partial<Job>): Promise<Job> {
    this.#notBefore.delete(job.id);
    this.#forgetParts(job);
    try {
      return await this.#change(job, { ...fields, finished: Date.now() });
    } finally {
      if (job.part) await this.#partEnded({ ...job, ...fields });
    }
  }

  async #change(job: Job, fields: Partial<Job>): Promise<Job> {
    const changed = this.#put({ ...job, ...fields });
    this.#tell(changed);
    await this.#write(changed, fields);
    this.#compactIfLong();
    return changed;
  }

  #put(job: Job): Job {
    this.#jobs.set(job.id, job);
    return job;
  }

  #write(job: Job, { progress: _, ...fields }: Partial<Job>): Promise<void> {
    return this.#journal.append({ set: job.id, fields: withNulls(fields) });
  }

  #tell(changed: Job, removed = false): void {
    const job = changed.part ? this.#jobs.get(changed.part.of) : changed;
    if (!job) return;
    for (const listener of this.#listeners)
      listener({ id: job.id, owner: job.owner, job: removed ? undefined : job });
  }

  #pause(seconds: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#clock() + seconds);
  }

  #wakeAll(): void {
    for (const wake of this.#wake) wake();
    this.#wake.clear();
  }

  #compactIfLong(): void {
    const { compactAfter = 2000 } = this.#options;
    if (this.#compacting || this.#closed || this.#journal.lines < compactAfter + 4 * this.#jobs.size) return;
    this.#compacting = true;
    const records = () => [...this.#jobs.values()].map(({ progress: _, ...job }) => ({ job }));
    this.#journal
      .rewrite(records)
      .catch(() => {})
      .finally(() => {
        this.#compacting = false;
      });
  }
}

function keyOf(owner: string, key: string): string {
  return JSON.stringify([owner, key]);
}

function withoutNulls(job: Job): Job {
  return Object.fromEntries(Object.entries(job).filter(([, value]) => value !== null)) as unknown as Job;
}

/** JSON has no undefined: a field that was cleared is written as null. */
function withNulls(fields: Partial<Job>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value ?? null]));
}
