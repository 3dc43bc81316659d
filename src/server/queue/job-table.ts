import { byTurn } from './fair-order.ts';
import { FINAL, type Job, partId } from './job.ts';

/** Jobs in memory, and what is asked of them; parts of jobs too, which stand in no list. */
export class JobTable {
  readonly #jobs = new Map<string, Job>();
  readonly #keys = new Map<string, string>();

  get size(): number {
    return this.#jobs.size;
  }

  /** All of them, parts too, as they came in. */
  values(): Job[] {
    return [...this.#jobs.values()];
  }

  get(id: string): Job | undefined {
    return this.#jobs.get(id);
  }

  /** Takes a job in, or the newer state of one. */
  put(job: Job): Job {
    this.#jobs.set(job.id, job);
    if (job.key !== undefined) this.#keys.set(keyOf(job.owner, job.key), job.id);
    return job;
  }

  /** Forgets a job. */
  drop(id: string): void {
    const job = this.#jobs.get(id);
    if (job?.key !== undefined) this.#keys.delete(keyOf(job.owner, job.key));
    this.#jobs.delete(id);
  }

  byKey(owner: string, key: string): Job | undefined {
    return this.#jobs.get(this.#keys.get(keyOf(owner, key)) ?? '');
  }

  /** Jobs of an owner, newest first, older than `before` where that is given. */
  list(owner: string, { limit, before }: { limit: number; before?: string | undefined }): Job[] {
    const end = before === undefined ? Number.POSITIVE_INFINITY : (this.#jobs.get(before)?.sequence ?? 0);
    return this.values()
      .filter((job) => job.owner === owner && !job.part && job.sequence < end)
      .sort((a, b) => b.sequence - a.sequence)
      .slice(0, limit);
  }

  /** Jobs that ended before a time, oldest first. */
  finishedBefore(time: number, limit: number): Job[] {
    return this.values()
      .filter(({ state, part, finished = 0 }) => FINAL.has(state) && !part && finished < time)
      .sort((a, b) => a.finished! - b.finished!)
      .slice(0, limit);
  }

  /** Ended jobs whose webhook waits. */
  withWebhook(): Job[] {
    return this.values().filter(({ state, webhook }) => FINAL.has(state) && webhook?.state === 'waiting');
  }

  unfinished(): Job[] {
    return this.values().filter(({ state, part }) => !FINAL.has(state) && !part);
  }

  /** Waiting jobs and parts that come before this one; undefined for one that does not wait. */
  position(job: Job): number | undefined {
    if (job.state !== 'queued') return undefined;
    return this.values().filter((other) => other.state === 'queued' && byTurn(other, job) < 0).length;
  }

  /** The first of the waiting jobs and parts that may begin. */
  next(mayBegin: (id: string) => boolean): Job | undefined {
    let next: Job | undefined;
    for (const job of this.#jobs.values())
      if (job.state === 'queued' && mayBegin(job.id) && (!next || byTurn(job, next) < 0)) next = job;
    return next;
  }

  /** The parts of a job that was split, in order. */
  partsOf({ id, parts = 0 }: Pick<Job, 'id' | 'parts'>): Job[] {
    return Array.from({ length: parts }, (_, index) => this.#jobs.get(partId(id, index)) ?? []).flat();
  }

  partsDone(job: Pick<Job, 'id' | 'parts'>): boolean {
    return this.partsOf(job).every(({ state }) => state === 'done');
  }
}

function keyOf(owner: string, key: string): string {
  return JSON.stringify([owner, key]);
}
