import assert from 'node:assert/strict';
import { test } from 'node:test';
import { probeProviders } from './providers.ts';

test('the CPU works, and a provider that does not says why', async () => {
  const { version, providers } = await probeProviders();
  assert.match(version ?? '', /^\d+\.\d+\.\d+/);
  assert.equal(providers.find(({ name }) => name === 'cpu')?.works, true);
  for (const { name, works, why } of providers)
    assert.equal(typeof why, works ? 'undefined' : 'string', name);
});

test('an abort ends the probing', async () => {
  const reason = new Error('enough');
  await assert.rejects(probeProviders(AbortSignal.abort(reason)), (error) => error === reason);
});
