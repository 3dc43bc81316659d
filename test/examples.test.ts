// The examples run as they stand; where they dub, with tiny networks and a third of a second of sound.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratch, wav } from './media-fixtures.ts';
import { fixturePath } from './shared.ts';
import { ROOT, textOf } from './sources.ts';

const PORTRAIT = join(ROOT, 'test', 'fixtures', 'astronaut.jpg');

function run(cwd: string, example: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      '--import',
      join(ROOT, 'node_modules', 'tsx', 'dist', 'loader.mjs'),
      join(ROOT, 'examples', example),
      ...args,
    ],
    {
      cwd,
      encoding: 'utf8',
      env: {
        ...process.env,
        TSX_TSCONFIG_PATH: join(ROOT, 'tsconfig.json'),
        MUSETALK_MODELS: fixturePath('dub', 'models'),
        MODEL: 'musetalk-1.5',
      },
    },
  );
  assert.equal(status, 0, stderr);
  return stdout;
}

test('build-a-network.ts runs a network and its gradient', () => {
  const numbers = Array.from(run(ROOT, 'build-a-network.ts').matchAll(/-?\d+\.\d{4}/g), Number);
  const [first, second, loss] = numbers as [number, number, number];
  assert.equal(numbers.length, 2 + 1 + 6);
  assert.ok(Math.abs((first ** 2 + second ** 2) / 2 - loss) < 2e-3);
});

test('dub-a-video.ts and many-dubs.ts write their files', async (t) => {
  const folder = await scratch(t);
  for (const name of ['one.wav', 'two.wav']) await writeFile(join(folder, name), wav(Buffer.alloc(10_000)));
  run(folder, 'dub-a-video.ts', PORTRAIT, 'one.wav', 'out.mp4');
  run(folder, 'many-dubs.ts', PORTRAIT, 'one.wav', 'two.wav');
  for (const file of ['out.mp4', 'one.wav.mp4', 'two.wav.mp4'])
    assert.ok(statSync(join(folder, file)).size > 1000);
});

test('each example has one idea, told at its head, in under sixty lines', () => {
  for (const file of readdirSync(join(ROOT, 'examples'))) {
    const lines = textOf(`examples/${file}`).split('\n');
    assert.match(lines[0]!, /^\/\/ \S/, file);
    assert.ok(lines.length < 60, file);
  }
});
