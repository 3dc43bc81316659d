/**
 * The queue of a service that stands alone: jobs in memory, each change in a journal on disk. Leases and waiting
 * times are measured by a clock that never jumps; the wall clock is only shown.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MuseTalkError } from '../../core/errors.ts';
import { checkRoom, sameRequest } from './admission.ts';
import { changeEntry, entriesOf, replay } from './entries.ts';
import { FairOrder } from './fair-order.ts';
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
import type { JobTable } from './job-table.ts';
import { Journal, type JournalDisk } from './journal.ts';
import { Leases } from './leases.ts';
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
  /** Seconds after which no line of the journal tells of a job that was removed. */
  readonly forgetAfter?: number;
}

/** A queue in this process and a journal on its disk. */
export class EmbeddedQueue implements Queue {
  readonly #jobs: JobTable;
  readonly #adding = new Map<string, Promise<{ job: Job; created: boolean }>>();
  readonly #leases: Leases;
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
  #forgetting: NodeJS.Timeout | undefined;

  private constructor(journal: Journal, jobs: JobTable, options: EmbeddedOptions) {
    this.#journal = journal;
    this.#jobs = jobs;
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now() / 1000);
    this.#leases = new Leases(options.lease, this.#clock);
    for (const job of jobs.values()) {
      this.#sequence = Math.max(this.#sequence, job.sequence + 1);
      if (!FINAL.has(job.state)) this.#order.restore(job);
    }
  }

  /**
   * Opens the queue of a folder. Jobs that ran when the process before this one ended wait again, in their old place.
   */
  static async open(folder: string, options: EmbeddedOptions): Promise<EmbeddedQueue> {
    await mkdir(folder, { recursive: true });
    const { journal, entries } = await Journal.open(join(folder, 'jobs.jsonl'), options.disk);
    const queue = new EmbeddedQueue(journal, replay(entries), options);
    queue.#timer = setInterval(() => queue.sweep(), Math.min(1000, (options.lease * 1000) / 4));
    queue.#timer.unref();
    if (entries.some((entry) => (entry as { drop?: string }).drop !== undefined)) queue.#forgetSoon();
    return queue;
  }

  async add(given: NewJob): Promise<{ job: Job; created: boolean }> {
    if (given.key === undefined) return { job: await this.#insert(given), created: true };
    const known = this.#jobs.byKey(given.owner, given.key);
    if (known) return { job: sameRequest(known, given), created: false };
    const key = JSON.stringify([given.owner, given.key]);
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
    const unfinished = this.#jobs.unfinished();
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
    this.#tell(this.#jobs.put(job));
    this.#wakeAll();
    return job;
  }

  async get(id: string): Promise<Job | undefined> {
    return this.#jobs.get(id);
  }

  async parts(id: string): Promise<Job[]> {
    const job = this.#jobs.get(id);
    return job ? this.#jobs.partsOf(job) : [];
  }

  async byKey(owner: string, key: string): Promise<Job | undefined> {
    return this.#jobs.byKey(owner, key);
  }

  async list(owner: string, which: { limit: number; before?: string | undefined }): Promise<Job[]> {
    return this.#jobs.list(owner, which);
  }

  async cancel(id: string): Promise<Job | undefined> {
    const job = this.#jobs.get(id);
    if (!job || FINAL.has(job.state)) return job;
    const held = this.#leases.takeBack(id);
    const ended = await this.#end(job, { state: 'canceled' });
    held?.controller.abort(new DOMException('the job was canceled', 'AbortError'));
    return ended;
  }

  async remove(id: string): Promise<void> {
    const job = this.#jobs.get(id);
    if (!job) return;
    await this.#journal.append({ drop: id });
    this.#jobs.drop(id);
    this.#notBefore.delete(id);
    this.#tell(job, true);
    this.#forgetSoon();
  }

  async finishedBefore(time: number, limit: number): Promise<Job[]> {
    return this.#jobs.finishedBefore(time, limit);
  }

  async withWebhook(): Promise<Job[]> {
    return this.#jobs.withWebhook();
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
    const unfinished = this.#jobs.unfinished();
    const queued = unfinished.filter(({ state }) => state === 'queued').length;
    return { queued, running: unfinished.length - queued };
  }

  async position(job: Job): Promise<number | undefined> {
    return this.#jobs.position(job);
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
    const next = this.#jobs.next((id) => (this.#notBefore.get(id) ?? Number.NEGATIVE_INFINITY) <= now);
    if (!next) return undefined;
    this.#order.serve(next.turn);
    const fence = next.fence + 1;
    this.#leases.give(next.id, fence);
    // A job whose parts are done goes on with what it began before.
    const started = (next.parts === undefined ? undefined : next.started) ?? Date.now();
    const job = this.#jobs.put({ ...next, state: 'running', fence, started });
    try {
      // On disk before anybody works under it, so that no number is ever given twice.
      await this.#write(job, { state: 'running', fence, started });
    } catch {
      this.#leases.takeBack(job.id);
      this.#jobs.put({ ...next, fence });
      this.#pause(5);
      return undefined;
    }
    this.#tell(job);
    return { job, fence };
  }

  /** Says that a worker is alive; false when the lease is no longer its own. */
  beat({ job: { id }, fence }: Lease, progress?: JobProgress): boolean {
    const job = this.#jobs.get(id);
    if (!job || !this.#leases.prolong(id, fence)) return false;
    if (progress) this.#tell(this.#jobs.put({ ...job, progress }));
    return true;
  }

  /** Writes how an attempt ended; false, and nothing is written, when its fence is not the newest. */
  async finish({ job: { id }, fence }: Lease, outcome: Outcome): Promise<boolean> {
    const job = this.#jobs.get(id);
    if (!job || !this.#leases.holds(id, fence)) return false;
    this.#leases.takeBack(id);
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
    for (const part of parts) this.#jobs.put(part);
    this.#tell(this.#jobs.put({ ...job, ...fields }));
    await this.#journal.append({ parts, ...changeEntry(id, fields) });
  }

  /** The job goes on when all of its parts are done, and ends as the first one that is given up. */
  async #partEnded({ part, state, error, attempts }: Job): Promise<void> {
    const job = this.#jobs.get(part!.of);
    if (job?.state !== 'split') return;
    if (state !== 'done') await this.#end(job, { state, error, attempts });
    else if (this.#jobs.partsDone(job)) await this.#change(job, { state: 'queued' });
  }

  /** The journal need not hear of it: parts of an ended job are forgotten when it is read. */
  #forgetParts(job: Job): void {
    for (const { id } of this.#jobs.partsOf(job)) {
      const held = this.#leases.takeBack(id);
      this.#notBefore.delete(id);
      this.#jobs.drop(id);
      held?.controller.abort(new DOMException('the job has ended', 'AbortError'));
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
    for (const { id, fence, controller } of this.#leases.expired()) {
      const job = this.#jobs.get(id);
      if (!job) continue;
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
      this.#leases.stopAll(new WorkersStop());
      this.#wakeAll();
      await Promise.all(loops);
    };
  }

  async #loop(work: Work, stop: AbortSignal): Promise<void> {
    while (!stop.aborted && !this.#closed) {
      // Before it looks, so that what comes in meanwhile is not missed.
      const woken = new Promise<void>((wake) => this.#wake.add(wake));
      const lease = await this.take();
      if (!lease) {
        await woken;
        continue;
      }
      const signal = this.#leases.signal(lease.job.id);
      const attempt: Attempt = { ...lease, signal, beat: (progress) => void this.beat(lease, progress) };
      const outcome = await work(attempt);
      // A full disk does not undo what was done: memory knows it, and the journal learns it with the next line.
      await this.finish(lease, outcome).catch(() => {});
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#forgetting);
    this.#wakeAll();
    await this.#journal.close();
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
    const changed = this.#jobs.put({ ...job, ...fields });
    this.#tell(changed);
    await this.#write(changed, fields);
    this.#compactIfLong();
    return changed;
  }

  #write({ id }: Job, fields: Partial<Job>): Promise<void> {
    return this.#journal.append(changeEntry(id, fields));
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
    if (this.#journal.lines >= compactAfter + 4 * this.#jobs.size) this.#compact();
  }

  /** Older lines still say what a removed job was; they go when the journal is written anew. */
  #forgetSoon(): void {
    const { forgetAfter = 60 } = this.#options;
    this.#forgetting ??= setTimeout(() => {
      this.#forgetting = undefined;
      if (this.#compacting) this.#forgetSoon();
      else this.#compact();
    }, forgetAfter * 1000).unref();
  }

  #compact(): void {
    if (this.#compacting || this.#closed) return;
    this.#compacting = true;
    this.#journal
      .rewrite(() => entriesOf(this.#jobs))
      .catch(() => this.#forgetSoon())
      .finally(() => {
        this.#compacting = false;
      });
  }
}
