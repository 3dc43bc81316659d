// `musetalk report` from the command line: the page, the numbers, and what it says of files that are none.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { reportSchema } from '../../src/report/result.ts';
import { musetalk } from '../cli.ts';
import { make } from '../media-fixtures.ts';
import { ROOT } from '../sources.ts';

const CLIP = join(ROOT, 'test', 'fixtures', 'grid', 'briz6n.mp4');

let folder: string;
let dub: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "musetalk report it's "));
  dub = join(folder, 'dub & more.mp4'); // its tags name another matrix than its colours were made with
  await make(
    dub,
    ...['-t', '1.2', '-i', CLIP, '-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p'],
    ...['-bsf:v', 'h264_metadata=matrix_coefficients=1', '-c:a', 'aac'],
  );
});
after(() => rm(folder, { recursive: true, force: true }));

test('a dub is measured beside its source, into a page and into numbers', async () => {
  const [page, json] = [join(folder, 'report.html'), join(folder, 'report.json')];
  const args = ['report', dub, '--source', CLIP, '-o', page, '--json', json, '--models', folder];
  const { code, stdout, stderr } = await musetalk(args);
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^dub & more\.mp4: One fault: Colours were made with BT\.601 and are read as BT\.709\.\n/,
  );
  assert.match(stdout, /\nfault: Colours were made with BT\.601 .*differ by [\d.]+ levels/);
  assert.match(stdout, /\nnot measured: SyncNet is not in the models folder/);

  const report = reportSchema.parse(JSON.parse(await readFile(json, 'utf8')));
  assert.deepEqual(
    report.findings.map(({ code }) => code),
    ['colors'],
  );
  assert.equal(report.video.name, 'dub & more.mp4');
  assert.equal(report.video.frames, 30);
  assert.equal(report.series.opening.length, 30);

  const html = await readFile(page, 'utf8');
  assert.match(html, /<h1>dub &#38; more\.mp4<\/h1>/);
  assert.ok((html.match(/<svg /g) ?? []).length >= 3, 'it has plots');
  assert.match(html, /<img src="data:image\/jpeg;base64,/);
  assert.doesNotMatch(html, /<script|<link|@import|url\(|https?:\/\/|src="(?!data:)/, 'it asks for nothing');

  const again = await musetalk(args);
  assert.equal(again.code, 6);
  assert.match(again.stderr, /^error: .*exists already.*\nhint: .*--overwrite.*\n$/s);
});

const mistakes: [what: string, args: () => string[], code: number, words: RegExp][] = [
  ['a dub that is not there', () => [join(folder, 'no.mp4')], 3, /no\.mp4 does not exist/],
  ['a text that calls itself a video', () => [join(folder, 'text.mp4')], 3, /text\.mp4/],
  [
    'a source that is not there',
    () => [dub, '--source', join(folder, 'no.mov')],
    3,
    /no\.mov does not exist/,
  ],
  ['a sound without sound', () => [dub, '--sound', join(folder, 'text.mp4')], 3, /text\.mp4/],
  ['a face by no known words', () => [dub, '--face', 'middle'], 2, /face/],
  ['an unknown option', () => [dub, '--sorce', 'x'], 2, /hint: Did you mean --source\?/],
];

describe('mistakes', { concurrency: 2 }, () => {
  before(() => writeFile(join(folder, 'text.mp4'), 'This is no video.\n'));
  for (const [what, args, code, words] of mistakes)
    test(`${what} ends with ${code}, in one sentence and a hint`, async () => {
      const output = join(folder, 'none.html');
      const ended = await musetalk(['report', ...args(), '-o', output]);
      assert.match(ended.stderr, words);
      assert.match(ended.stderr, /^error: .*\nhint: .*\n$/);
      assert.equal(ended.code, code);
      assert.equal(ended.stdout, '');
      assert.equal(existsSync(output), false);
    });

  test('a folder that is not there is told before anything is measured, and nothing is left', async () => {
    const ended = await musetalk(['report', dub, '-o', join(folder, 'no', 'report.html')]);
    assert.match(ended.stderr, /^error: .*\nhint: .*\n$/);
    assert.notEqual(ended.code, 0);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => /part|tmp/.test(name)),
      [],
    );
  });
});
