import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratch } from '../../test/media-fixtures.ts';
import { withFolder } from './folder-lock.ts';

const lockOf = (folder: string) => join(folder, 'in-use.json');

test('a folder is kept to one run and free after it, also after one that failed', async (t) => {
  const folder = join(await scratch(t), 'out');
  await withFolder(folder, async () => {
    assert.equal(JSON.parse(await readFile(lockOf(folder), 'utf8')).process, process.pid);
    await assert.rejects(
      withFolder(folder, async () => assert.fail('two at once')),
      { code: 'CONFLICT', message: /another run writes into / },
    );
  });
  await assert.rejects(
    withFolder(folder, async () => {
      throw new Error('broken');
    }),
    /broken/,
  );
  assert.equal(await withFolder(folder, async () => 7), 7);
  assert.deepEqual(await readdir(folder), []);
});

const left = (text: string, title: string) => ({ text, title });
const owner = (process: number, host = hostname()) => JSON.stringify({ process, host, since: 'long ago' });

for (const { text, title } of [
  left(owner(2 ** 22 + 1), 'a process that is gone'),
  left(owner(process.pid), 'an earlier process of the same number'),
  left('{"proc', 'a process that was killed while it wrote'),
])
  test(`the lock of ${title} does not count`, async (t) => {
    const folder = await scratch(t);
    await writeFile(lockOf(folder), text);
    assert.equal(await withFolder(folder, async () => 'done'), 'done');
  });

for (const { text, title } of [
  left(owner(process.ppid), 'a process that runs'),
  left(owner(1, 'elsewhere'), 'a process of another machine'),
])
  test(`the lock of ${title} is respected, and left where it is`, async (t) => {
    const folder = await scratch(t);
    await writeFile(lockOf(folder), text);
    await assert.rejects(
      withFolder(folder, async () => assert.fail('two at once')),
      { code: 'CONFLICT', message: /process \d+ on .*since long ago/, hint: /remove .*in-use\.json/ },
    );
    assert.equal(await readFile(lockOf(folder), 'utf8'), text);
  });
