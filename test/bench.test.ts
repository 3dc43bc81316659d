import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratch } from './media-fixtures.ts';
import { ROOT } from './sources.ts';

test('the benchmark measures pixels, networks and dubs, and says on what machine', async (t) => {
  const output = join(await scratch(t), 'bench.json');
  const args = ['--import', 'tsx', 'bench/bench.ts', '--smoke', '--output', output];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const { machine, rows } = JSON.parse(readFileSync(output, 'utf8'));
  assert.ok(machine.cpu && machine.threads > 0 && machine['onnxruntime-node']);
  for (const part of ['pixels', 'networks', 'dubs']) {
    assert.ok(
      rows.some((row: { part: string }) => row.part === part),
      part,
    );
  }
  for (const { name, figures } of rows) {
    for (const [unit, figure] of Object.entries(figures))
      assert.ok(Number.isFinite(figure), `${name}: ${unit}`);
  }
});
