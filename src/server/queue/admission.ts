/** What may come into a queue, whichever kind it is. */
import { MuseTalkError } from '../../core/errors.ts';
import type { Job, NewJob } from './job.ts';
import type { QueueLimits } from './queue.ts';

/** @throws MuseTalkError CONFLICT when the key came with another request. */
export function sameRequest(job: Job, { keyed }: NewJob): Job {
  if (job.keyed === keyed) return job;
  throw new MuseTalkError('CONFLICT', 'this idempotency key was used with another request', {
    hint: 'Take a new key for a new request.',
    facts: { id: job.id },
  });
}

/** @throws MuseTalkError QUEUE_FULL. */
export function checkRoom(
  { own, all }: { own: number; all: number },
  { perOwner, total }: QueueLimits,
): void {
  const [count, limit, whose] = own >= perOwner ? [own, perOwner, 'of yours '] : [all, total, ''];
  if (count < limit) return;
  throw new MuseTalkError('QUEUE_FULL', `${count} jobs ${whose}wait or run; at most ${limit} may`, {
    hint: 'Wait until some have ended, or cancel some.',
    facts: { limit, count },
  });
}
