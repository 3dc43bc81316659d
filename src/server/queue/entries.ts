/** What the lines of the journal say, and the jobs that come of reading them. */
import { FINAL, type Job } from './job.ts';
import { JobTable } from './job-table.ts';

/**
 * A line of the journal: a job that came in, fields of one that changed (with the parts it was split into), or one
 * that went. A field that was cleared is null there, as JSON has no undefined.
 */
export interface Entry {
  readonly job?: Job;
  readonly parts?: readonly Job[];
  readonly set?: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly drop?: string;
}

/** The line for fields that changed. Progress is not kept. */
export function changeEntry(set: string, { progress: _, ...fields }: Partial<Job>): Entry {
  return {
    set,
    fields: Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value ?? null])),
  };
}

/** One line for each job, from which the table is read again. */
export function entriesOf(jobs: JobTable): Entry[] {
  return jobs.values().map(({ progress: _, ...job }) => ({ job }));
}

/** The jobs after all that the journal tells; what ran when it broke off waits again, in its old place. */
export function replay(entries: readonly unknown[]): JobTable {
  const jobs = new JobTable();
  for (const { job, parts, drop, set, fields } of entries as Entry[]) {
    for (const one of [job ?? [], parts ?? []].flat()) jobs.put(one);
    if (drop !== undefined) jobs.drop(drop);
    const changed = drop === undefined && set !== undefined && jobs.get(set);
    if (changed) jobs.put(withoutNulls({ ...changed, ...fields }));
  }
  settleParts(jobs);
  for (const job of jobs.values()) {
    const waits = job.state === 'running' || (job.state === 'split' && jobs.partsDone(job));
    if (waits) jobs.put({ ...job, state: 'queued' });
  }
  return jobs;
}

/** What a crash may have left undone: jobs end with a part that was given up, and parts go with their jobs. */
function settleParts(jobs: JobTable): void {
  for (const { part, state, error, attempts, finished } of jobs.values()) {
    const job = part && jobs.get(part.of);
    if (job?.state === 'split' && FINAL.has(state) && state !== 'done')
      jobs.put({ ...job, state, error, attempts, finished });
  }
  for (const { id, part } of jobs.values())
    if (part && FINAL.has(jobs.get(part.of)?.state ?? 'done')) jobs.drop(id);
}

function withoutNulls(job: Job): Job {
  return Object.fromEntries(Object.entries(job).filter(([, value]) => value !== null)) as unknown as Job;
}
