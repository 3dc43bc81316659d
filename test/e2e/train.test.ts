// Training from the command line, each run a process of its own.
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { musetalk } from '../cli.ts';
import { make, tone, x264 } from '../media-fixtures.ts';
import { drawnFaces } from '../prepared-faces.ts';

const root = mkdtempSync(join(tmpdir(), 'musetalk train '));
after(() => rmSync(root, { recursive: true, force: true }));
const env = { MUSETALK_CACHE: join(root, 'cache'), MUSETALK_MODELS: join(root, 'no models') };
const FACE = fileURLToPath(new URL('../fixtures/astronaut.jpg', import.meta.url));

const config = (name: string, text: string) => {
  const path = join(root, name);
  writeFileSync(path, text);
  return path;
};

const out = join(root, 'out');
const mistakes: [args: string[], code: number, words: RegExp][] = [
  [['train'], 2, /-o, --output <dir>' not specified\nhint: See: musetalk help train/],
  [['train', '-o', out], 2, /nothing is named to learn from\nhint: .*--data.*--clip/],
  [['train', 'no such.yaml', '-o', out], 3, /cannot read no such.yaml\nhint: /],
  [['train', config('odd.yaml', 'rat: 1'), '-o', out], 2, /there is no option rat/],
  [['train', config('tag.yaml', 'train: !!js/x y'), '-o', out], 3, /is not YAML/],
  [['train', '--data', join(root, 'none'), '-o', out], 3, /holds no prepared clips\nhint: .*train prepare/],
  [['train', '--updates', '0', '-o', out], 2, /--updates: 0 is not a whole number/],
  [['train', '--train', 'maxi', '-o', out], 2, /choices are mini/],
  [['train', 'prepare', join(root, 'none'), '-o', out], 3, /there is no .*none\nhint: Name a folder/],
  [['train', 'prepare', root], 2, /-o, --output <dir>' not specified/],
  [['train', 'sync', '--data', join(root, 'none'), '-o', out], 3, /holds no prepared clips/],
];

describe('mistakes', { concurrency: 2 }, () => {
  for (const [args, code, words] of mistakes)
    test(`"${args.join(' ').replaceAll(root, '…')}" ends with ${code} and says what to do`, async () => {
      const ended = await musetalk(args, { env });
      assert.match(ended.stderr, words);
      assert.equal(ended.code, code, ended.stderr);
      assert.equal(ended.stdout, '');
    });
});

/** Parts of a training, with how much of each is trained, when it is killed, and what is compared. */
const parts = [
  { part: 'sound', counts: { sound: 30, updates: 0, sharpen: 0 }, killedAt: 6, values: ['codes'] },
  // With a discriminator, whose own weights, moments and vectors have to go on as well.
  {
    part: 'sharpen',
    counts: { sound: 1, updates: 1, sharpen: 6 },
    killedAt: 2,
    values: ['picture', 'judge'],
  },
];

for (const { part, counts, killedAt, values } of parts)
  test(`a run that was killed goes on and ends with the losses of one that was not: ${part}`, async () => {
    const data = await drawnFaces(join(root, `data ${part}`), 2);
    const numbers = Object.entries(counts).map(([name, count]) => `${name}: ${count}`);
    const settings = ['batch: 1', 'logEvery: 1', 'saveEvery: 2', 'warmUp: 2'];
    const lines = ['train: mini', `data: ${JSON.stringify(data)}`, ...numbers, ...settings];
    const file = config(`${part}.yaml`, lines.join('\n'));
    const folder = (output: string) => join(root, `${part} ${output}`);
    const args = (output: string) => ['train', file, '-o', folder(output), '--threads', '1'];
    const losses = (output: string): number[][] =>
      readFileSync(join(folder(output), 'run', part, 'log.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
        .filter((line) => line[values[0]!] !== undefined)
        .map((line) => [line.update, ...values.map((name) => line[name])]);

    const total = Math.max(...Object.values(counts));
    const whole = await musetalk(args('whole'), { env });
    assert.equal(whole.code, 0, whole.stderr);
    assert.equal(losses('whole').length, total);
    assert.ok(losses('whole').flat().every(Number.isFinite), `${losses('whole')}`);

    const killed = await musetalk(args('killed'), {
      env,
      started: async (child) => {
        const saved = join(folder('killed'), 'run', part, `checkpoint-${killedAt}.safetensors`);
        while (!existsSync(saved) && child.exitCode === null) await wait(5);
        child.kill('SIGKILL');
      },
    });
    assert.equal(killed.code, null);
    const before = losses('killed').length;
    assert.ok(before >= killedAt && before < total, `${before}`);
    const again = await musetalk(args('killed'), { env });
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(losses('killed'), losses('whole'));
    assert.match(again.stdout, new RegExp(`mini, updates: .*${part} ${total}\\b.*\\ncurves and pictures: `));
    assert.ok(existsSync(join(folder('killed'), 'report.html')));
  });

test('videos become data: faces are cut out, what cannot be used is named, and a second run finds all done', async () => {
  const videos = join(root, 'videos');
  mkdirSync(join(videos, 'eileen'), { recursive: true });
  const picture = ['-loop', '1', '-framerate', '30', '-i', FACE];
  const moving = ['-vf', 'scale=480:-2,crop=400:400:30+10*t:10', '-t', '1.2', '-shortest', ...x264];
  await make(join(videos, 'eileen', 'talk.mp4'), ...picture, ...tone({ seconds: 2 }), ...moving);
  await make(join(videos, 'short.mp4'), ...picture, '-vf', 'scale=480:-2', '-t', '0.5', ...x264);
  await make(join(videos, 'none.mp4'), '-f', 'lavfi', '-i', 'testsrc2=s=128x128:r=25:d=1.2', ...x264);
  writeFileSync(join(videos, 'broken.mp4'), 'no video');
  const data = join(root, 'prepared');
  const args = ['train', 'prepare', videos, '-o', data];
  const first = await musetalk(args, { env });
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /prepared: 1 clips of 1 speakers, 0:02 in all, 3 videos skipped/);
  assert.match(first.stderr, /warning: .*broken\.mp4 is text/);
  assert.match(first.stderr, /warning: .*none\.mp4: no face in any of 30 frames/);
  assert.match(first.stderr, /warning: .*short\.mp4: 1 stretches with a face are shorter than 1 s/);

  const [clip] = readFileSync(join(data, 'index.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter((line) => 'clip' in line);
  const { speaker, frames, sound, faceWidth } = clip;
  assert.deepEqual([clip.clip, speaker, frames, sound], ['eileen-talk', 'eileen', 30, true]);
  assert.ok(faceWidth > 64 && faceWidth < 300);
  const files = readdirSync(join(data, 'clips')).sort();
  const endings = ['crops', 'json', 'pictures', 'shapes', 'track.safetensors', 'wav'];
  assert.deepEqual(
    files,
    endings.map((ending) => `eileen-talk.${ending}`),
  );

  const second = await musetalk([...args, '--json'], { env });
  assert.equal(second.code, 0);
  const result = JSON.parse(second.stdout.trim().split('\n').at(-1)!);
  assert.deepEqual([result.event, result.clips, result.skipped.length], ['result', 1, 3]);
  assert.equal(readFileSync(join(data, 'index.jsonl'), 'utf8').trim().split('\n').length, 5);
});
