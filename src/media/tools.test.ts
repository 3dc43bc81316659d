import assert from 'node:assert/strict';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { scratch } from '../../test/media-fixtures.ts';
import { findTool, findTools, releaseOf } from './tools.ts';

const limit = { timeout: 30_000, skip: process.platform === 'win32' };

/** Sets variables of the environment for one test. */
function environment(t: TestContext, values: Record<string, string | undefined>): void {
  const before = { ...process.env };
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  t.after(() => {
    for (const name of Object.keys(values)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  });
}

/** A program that only says its version. */
async function fake(folder: string, name: string, version: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\necho "${name} version ${version} Copyright (c) the FFmpeg developers"\n`);
  await chmod(path, 0o755);
  return path;
}

test('releases are read from the many ways to write a version', () => {
  assert.equal(releaseOf('5.1.9-0+deb12u1'), 5.1);
  assert.equal(releaseOf('n7.1.4'), 7.1);
  assert.equal(releaseOf('8.1'), 8.1);
  assert.equal(releaseOf('N-47683-g0e8eb07980-static'), undefined);
});

test('the environment comes first: a program, or the folder that holds it', limit, async (t) => {
  const folder = await scratch(t);
  const ffmpeg = await fake(folder, 'ffmpeg', '8.1.3');
  const ffprobe = await fake(folder, 'ffprobe', '8.1.3');
  for (const named of [folder, ffmpeg]) {
    environment(t, { FFMPEG_PATH: named, FFPROBE_PATH: undefined });
    const tools = await findTools();
    assert.deepEqual([tools.ffmpeg.path, tools.ffprobe.path], [ffmpeg, ffprobe]);
    assert.deepEqual(
      [tools.ffmpeg.version, tools.ffmpeg.source, tools.ffmpeg.warnings],
      ['8.1.3', 'environment', []],
    );
  }
  environment(t, { FFMPEG_PATH: join(folder, 'nothing') });
  await assert.rejects(async () => findTool('ffmpeg'), { code: 'MEDIA_TOOL', message: /nothing/ });
});

test('a program on PATH that is too old gives way, and is named', limit, async (t) => {
  const folder = await scratch(t);
  const old = await fake(join(folder, 'old'), 'ffmpeg', '4.4.2');
  const good = await fake(join(folder, 'good'), 'ffmpeg', '6.0');
  environment(t, {
    FFMPEG_PATH: undefined,
    FFPROBE_PATH: undefined,
    PATH: `${dirname(old)}:${dirname(good)}:/bin`,
  });
  const found = await findTool('ffmpeg');
  assert.deepEqual([found.path, found.source, found.release], [good, 'PATH', 6]);
  assert.match(found.warnings.join(), /6 lacks fixes of security faults/);

  environment(t, { PATH: `${dirname(old)}:${join(folder, 'empty')}` });
  const fallback = await findTool('ffmpeg').catch((error) => error);
  if (fallback instanceof Error) assert.match(fallback.message, /4\.4\.2, older than 5\.1/);
  else
    assert.deepEqual(
      [fallback.source, /4\.4\.2, older than 5\.1/.test(fallback.warnings.join())],
      ['npm package', true],
    );
});

test('a program that is something else, or does not run, is refused', limit, async (t) => {
  const folder = await scratch(t);
  const path = join(folder, 'ffmpeg');
  await symlink('/bin/echo', path);
  environment(t, { FFMPEG_PATH: path });
  await assert.rejects(findTool('ffmpeg'), { code: 'MEDIA_TOOL', message: /is not ffmpeg/ });
});
