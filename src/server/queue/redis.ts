import { MuseTalkError } from '../../core/errors.ts';
import type { Queue } from './queue.ts';

export const RedisQueue = {
  async open(url: string, _settings: unknown): Promise<Queue> {
    throw new MuseTalkError('UNAVAILABLE', `queues on ${url} are not written yet`, {});
  },
};
