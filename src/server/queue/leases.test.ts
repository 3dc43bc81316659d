import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Leases } from './leases.ts';

test('a lease lasts as long as its worker speaks, and serves one fence alone', () => {
  let now = 100;
  const leases = new Leases(10, () => now);
  leases.give('a', 1);
  leases.give('b', 4);
  now = 109;
  assert.equal(leases.prolong('a', 1), true);
  assert.equal(leases.prolong('a', 2), false, 'of another fence');
  assert.equal(leases.prolong('c', 1), false, 'of nobody');
  now = 110;
  assert.deepEqual(
    leases.expired().map(({ id, fence }) => [id, fence]),
    [['b', 4]],
  );
  assert.ok(leases.holds('b', 4), 'until it is taken back');
  leases.takeBack('b');
  assert.ok(!leases.holds('b', 4));
  now = 119;
  assert.deepEqual(
    leases.expired().map(({ id }) => id),
    ['a'],
  );
});

test('a worker whose job is taken back is stopped by who took it', () => {
  const leases = new Leases(10, () => 0);
  leases.give('a', 1);
  const signal = leases.signal('a');
  const held = leases.takeBack('a')!;
  assert.ok(!signal.aborted, 'not before the change is written');
  held.controller.abort(new Error('canceled'));
  assert.match(String(signal.reason), /canceled/);
  assert.ok(leases.signal('a').aborted, 'nobody works on it');
  assert.equal(leases.takeBack('a'), undefined);
  leases.give('a', 2);
  leases.stopAll(new Error('the workers stop'));
  assert.ok(leases.signal('a').aborted && leases.holds('a', 2), 'it still says how it ended');
});
