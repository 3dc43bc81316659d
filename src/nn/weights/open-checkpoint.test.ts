import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fixturePath } from '../../../test/shared.ts';
import { MuseTalkError } from '../../core/errors.ts';
import { openCheckpoint } from './open-checkpoint.ts';

const expected = 'the UNet of MuseTalk';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'musetalk-open-'));
});
after(() => rm(folder, { recursive: true }));

test('a file that is not there, a folder and a file under a file are told by their path', async () => {
  const file = fixturePath('checkpoints', 'zip_basic.pt');
  await assert.rejects(openCheckpoint(join(folder, 'missing.pth')), {
    code: 'NOT_FOUND',
    message: /missing\.pth: there is no such file/,
  });
  await assert.rejects(openCheckpoint(join(file, 'inside')), { code: 'NOT_FOUND' });
  await assert.rejects(openCheckpoint(folder), { code: 'WRONG_FILE', message: /this is a folder/ });
});

const STRANGERS: readonly (readonly [what: RegExp, content: string])[] = [
  [/a web page/, '\n\n<html><body>Sign in</body></html>'],
  [/a web page/, '\xef\xbb\xbf<!doctype html>'],
  [/a Git LFS pointer/, 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n'],
  [/a JSON text/, '{"error": "not found"}'],
  [/a PNG image/, '\x89PNG\r\n\x1a\n........'],
  [/a gzip archive/, '\x1f\x8b\x08.............'],
  [/an HDF5 file/, '\x89HDF\r\n\x1a\n........'],
  [/a GGML file/, 'lmgg............'],
  [/unknown/, 'just some text that is long enough'],
  [/too short/, 'abc'],
  [/empty/, ''],
];

test('other kinds of files are named, with what was expected', async () => {
  for (const [what, content] of STRANGERS) {
    const path = join(folder, 'model.safetensors');
    await writeFile(path, content, 'latin1');
    await assert.rejects(openCheckpoint(path, { expected }), (error) => {
      assert.ok(error instanceof MuseTalkError);
      assert.match(error.message, what);
      assert.match(error.message, /model\.safetensors: .*the UNet of MuseTalk/);
      return true;
    });
  }
});

test('the content decides, not the name, and a link to a file is the file', async () => {
  const link = join(folder, 'page.html');
  await symlink(fixturePath('checkpoints', 'zip_basic.pt'), link);
  const checkpoint = await openCheckpoint(link);
  assert.equal(checkpoint.format, 'pytorch-zip');
  await checkpoint.close();
});

test('a file that is refused does not stay open', async (t) => {
  const open = () =>
    readdir('/proc/self/fd').then(
      (names) => names.length,
      () => undefined,
    );
  const before = await open();
  if (before === undefined) return t.skip('this system does not list open files');
  for (let i = 0; i < 20; i++) {
    await assert.rejects(openCheckpoint(fixturePath('checkpoints', 'bad', 'zip_truncated.pt')));
    await assert.rejects(openCheckpoint(folder));
  }
  assert.ok((await open())! < before + 10);
});

test('a tensor that is not there, and reading after closing, are errors', async () => {
  const checkpoint = await openCheckpoint(fixturePath('checkpoints', 'zip_basic.pt'));
  await assert.rejects(checkpoint.read('nobody'), { code: 'BAD_WEIGHTS', message: /"nobody"/ });
  await checkpoint.close();
  await assert.rejects(checkpoint.read('scalar'), { code: 'BAD_FILE' });
});
