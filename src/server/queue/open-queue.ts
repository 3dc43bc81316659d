import type { Files } from '../files.ts';
import { EmbeddedQueue } from './embedded.ts';
import type { Queue, QueueLimits } from './queue.ts';
import type { RetryRules } from './retry.ts';

/** Rules that hold for every kind of queue. */
export interface QueueSettings {
  readonly limits: QueueLimits;
  /** Seconds of silence after which a worker is taken for lost. */
  readonly lease: number;
  readonly retry: RetryRules;
}

/**
 * The queue that the option `queue` names: `embedded`, or one on Redis, whose library is loaded only then.
 *
 * @throws MuseTalkError CANNOT_WRITE; UNAVAILABLE when Redis does not answer or its library is not installed.
 */
export async function openQueue(where: string, files: Files, settings: QueueSettings): Promise<Queue> {
  if (where === 'embedded') return EmbeddedQueue.open(files.queue, settings);
  const { RedisQueue } = await import('./redis.ts');
  return RedisQueue.open(where, settings);
}
