import { FINAL } from '../queue/job.ts';
import type { Queue } from '../queue/queue.ts';
import { ageOf } from '../uploads.ts';
import type { Store } from './store.ts';

const HOUR_MS = 3_600_000;

/**
 * Removes what is kept of jobs that are none any more, and from this machine what is kept elsewhere of those that have
 * ended: traces of crashes. The last hour's are left alone, whose jobs may just be coming in.
 */
export async function sweepJobs(
  store: Store,
  queue: Queue,
  ids: AsyncIterable<string> | Iterable<string>,
): Promise<void> {
  for await (const id of ids) {
    if (ageOf(id) > Date.now() - HOUR_MS) continue;
    const job = await queue.get(id);
    if (!job) await store.remove(id);
    else if (FINAL.has(job.state)) await store.release(id);
  }
}
