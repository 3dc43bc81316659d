/** Jobs by the number for tests of the service, whose frames are known beforehand. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type Json, shortVideo, spokenWav, type TestService } from './service.ts';

/** What these tests call of a service, which may run in another process. */
export type Calls = Pick<TestService, 'ask' | 'json' | 'post' | 'upload' | 'ended'>;

/** A dub that was asked for. */
export interface CountedJob {
  readonly id: string;
  readonly orders: string;
  readonly frames: number;
}

/** What the runner of tests makes of the short video and a sound with these orders, by itself. */
async function framesAlone({ orders, frames }: CountedJob): Promise<string> {
  const [video, sound] = [await shortVideo(), spokenWav(orders)];
  return Array.from({ length: frames }, (_, i) =>
    createHash('sha256').update(video).update(sound).update(String(i)).digest('hex'),
  ).join('\n');
}

/** Asks for one dub whose sound has these orders. */
export async function addJob(service: Calls, frames: number, more: string): Promise<CountedJob> {
  const orders = `frames=${frames} ${more}`;
  const video = await service.upload(await shortVideo());
  const sound = await service.upload(spokenWav(orders));
  return { id: (await service.post(201, '/v1/dubs', { video, sound })).id, orders, frames };
}

/** Asks for many, each with a sound of its own. */
export async function addJobs(
  service: Calls,
  count: number,
  { frames, delay }: { frames: number; delay: number },
): Promise<CountedJob[]> {
  const jobs: CountedJob[] = [];
  for (let i = 0; i < count; i++) jobs.push(await addJob(service, frames, `delay=${delay} number=${i}`));
  return jobs;
}

/** Waits for all of them, and compares their frames with those that each has alone. */
export async function checkJobs(service: Calls, jobs: readonly CountedJob[]): Promise<Json[]> {
  const dubs = [];
  for (const job of jobs) {
    const dub = await service.ended(job.id);
    assert.equal(dub.status, 'COMPLETED', JSON.stringify(dub.error));
    const result = await service.ask(`/v1/dubs/${job.id}/result`);
    assert.equal(await result.text(), await framesAlone(job));
    dubs.push(dub);
  }
  return dubs;
}
