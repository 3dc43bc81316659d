import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeEntry, type Entry, entriesOf, replay } from './entries.ts';
import type { Job } from './job.ts';

const job = (id: string, more: Partial<Job> = {}): Job => ({
  ...{ id, owner: 'a', request: {}, state: 'queued', turn: 0, sequence: Number(id.replace(/\D/g, '')) },
  ...{ fence: 0, attempts: 0, created: 0, warnings: [], ...more },
});

const split = (states: readonly Job['state'][]): Entry[] => [
  { job: job('j1') },
  {
    ...changeEntry('j1', { state: 'split', parts: states.length, error: undefined }),
    parts: states.map((_, index) => job(`j1.${index}`, { part: { of: 'j1', index } })),
  },
  ...states.map((state, index) => changeEntry(`j1.${index}`, { state, finished: 7, attempts: 3 })),
];

const statesOf = (entries: readonly Entry[]) =>
  replay(entries)
    .values()
    .map(({ id, state }) => `${id} ${state}`);

test('what was cleared stays cleared, what ran waits again, what went is gone', () => {
  const jobs = replay([
    { job: job('j1', { key: 'k', error: { code: 'ENGINE', message: 'no' } }) },
    changeEntry('j1', {
      state: 'running',
      error: undefined,
      progress: { stage: 's', done: 1, total: 2, elapsed: 3 },
    }),
    { job: job('j2') },
    { drop: 'j2' },
    changeEntry('j2', { state: 'done' }),
  ]);
  assert.deepEqual(jobs.values(), [job('j1', { key: 'k' })]);
  assert.equal(jobs.byKey('a', 'k')?.id, 'j1');
  assert.deepEqual(replay(entriesOf(jobs)).values(), jobs.values(), 'written anew it says the same');
});

test('a job goes on where all of its parts are done, and ends where one is given up', () => {
  assert.deepEqual(statesOf(split(['done', 'running'])), ['j1 split', 'j1.0 done', 'j1.1 queued']);
  assert.deepEqual(statesOf(split(['done', 'done'])), ['j1 queued', 'j1.0 done', 'j1.1 done']);
  const [ended, ...rest] = replay(split(['done', 'failed'])).values();
  assert.deepEqual([ended!.state, ended!.attempts, ended!.finished, rest], ['failed', 3, 7, []]);
  assert.deepEqual(statesOf([...split(['queued']), { drop: 'j1' }]), [], 'parts go with their job');
});
