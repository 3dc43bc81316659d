import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Ended, musetalk } from '../../test/cli.ts';
import { argumentsOf, layOut } from '../../test/dub-cases.ts';
import { golden } from '../../test/shared.ts';

// A recorded dub, killed without warning and continued; more often when all golden data are asked for.
const { folder, cases } = golden('dub');
const c = cases.find(({ name }) => name === 'v15_noface_right');
const KILLS = process.env.MUSETALK_GOLDEN === 'full' ? 8 : 2;

const root = mkdtempSync(join(tmpdir(), 'resume-'));
const env = { MUSETALK_CACHE: join(root, 'cache') };
after(() => rmSync(root, { recursive: true }));

test('a process that is killed at any moment leaves what the next one continues', { skip: !c }, async () => {
  const laid = layOut(root, folder, c!);
  const args = (output: string) => [
    ...argumentsOf(c!.name, { ...c!.params, batch_size: 3 }, laid),
    ...['--resume', '-o', output],
  ];
  const whole = join(root, 'whole.mp4');
  const started = performance.now();
  await expectSuccess(musetalk(args(whole), { env }));
  const undisturbed = performance.now() - started;

  const output = join(root, 'out.mp4');
  let kills = 0;
  for (let run = 0; run < 4 * KILLS && kills < KILLS; run++) {
    // From the first moments to the last ones, in an order that does not depend on luck.
    const delay = undisturbed * (0.3 + 0.65 * ((run * 0.618) % 1));
    const { code, stderr } = await musetalk(args(output), {
      env,
      started: (child) => setTimeout(() => child.kill('SIGKILL'), delay),
    });
    if (code === null) {
      kills++;
      continue;
    }
    assert.equal(code, 0, stderr);
    await expectEqual(output, whole);
    rmSync(output);
  }
  assert.ok(kills > 0, 'no run was killed');
  await expectSuccess(musetalk(args(output), { env }));
  await expectEqual(output, whole);
  const left = (await readdir(root)).filter((name) => name.includes('out.mp4') || name.startsWith('.'));
  assert.deepEqual(left, ['out.mp4']);
});

async function expectSuccess(run: Promise<Ended>): Promise<void> {
  const { code, stderr } = await run;
  assert.equal(code, 0, stderr);
}

async function expectEqual(actual: string, expected: string): Promise<void> {
  assert.ok((await readFile(actual)).equals(await readFile(expected)), 'other bytes than an undisturbed run');
}
