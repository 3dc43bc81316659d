import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { make, scratch, tone, wav } from '../../test/media-fixtures.ts';
import { composeSound } from './compose-sound.ts';
import { readWholeSound } from './read-sound.ts';

/** Level of a stretch, in seconds, of 16 kHz samples. */
function level(samples: Float32Array, from: number, to: number): number {
  const part = samples.subarray(Math.round(from * 16000), Math.round(to * 16000));
  return Math.sqrt(part.reduce((sum, value) => sum + value * value, 0) / part.length);
}

test('pieces follow each other to the sample: parts of files, what is short filled up, silence between', async (t) => {
  const folder = await scratch(t);
  const loud = await make(join(folder, 'loud.wav'), ...tone({ seconds: 1 }));
  const quiet = join(folder, 'quiet.wav');
  await writeFile(quiet, wav(Buffer.alloc(32000)));
  const output = join(folder, 'out.wav');
  await composeSound(output, [
    { duration: 0.5 },
    { duration: 0.25, path: loud, from: 0.5 },
    { duration: 0.5, path: quiet },
    { duration: 2, path: loud, from: 0.25 },
  ]);
  const samples = await readWholeSound(output);
  assert.equal(samples.length, 16000 * 3.25);
  for (const [from, to, there] of [
    [0, 0.49, false],
    [0.51, 0.74, true],
    [0.76, 1.24, false],
    [1.26, 1.99, true],
    [2.01, 3.25, false],
  ] as const)
    assert.equal(level(samples, from, to) > 0.05, there, `${from} … ${to}`);
  assert.equal((await readFile(output)).subarray(0, 4).toString(), 'RIFF');
  assert.deepEqual((await readdir(folder)).sort(), ['loud.wav', 'out.wav', 'quiet.wav']);
});

test('a place that cannot be written to is told, and nothing is left', async (t) => {
  const folder = await scratch(t);
  await assert.rejects(composeSound(join(folder, 'none', 'out.wav'), [{ duration: 1 }]), {
    code: 'CANNOT_WRITE',
  });
  assert.deepEqual(await readdir(folder), []);
});
