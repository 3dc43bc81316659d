// The command line as people and programs meet it: every test runs it in a process of its own.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { propertiesOf } from '../../src/cli/flags.ts';
import { readImage } from '../../src/media/image-files.ts';
import { dubSettings } from '../../src/options/dub.ts';
import { musetalk } from '../cli.ts';
import { argumentsOf, layOut } from '../dub-cases.ts';
import { golden } from '../shared.ts';

const root = mkdtempSync(join(tmpdir(), 'musetalk cli '));
after(() => rmSync(root, { recursive: true, force: true }));
const env = { MUSETALK_CACHE: join(root, 'cache'), MUSETALK_MODELS: join(root, 'no models') };
const FACE = fileURLToPath(new URL('../fixtures/astronaut.jpg', import.meta.url));

const { folder, cases } = golden('dub');
const recorded = cases.find(({ name }) => name === 'v15_noface_right') ?? cases[0]!;
const laid = layOut(join(root, 'dub'), folder, recorded);
const dubArguments = ['dub', ...argumentsOf(recorded.name, recorded.params, laid).slice(1)];

/** The JSON objects that a run printed. */
function events(stdout: string): Record<string, unknown>[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('without arguments it shows what one can do, examples first', async () => {
  const { code, stdout, stderr } = await musetalk([], { env });
  assert.equal(code, 0);
  assert.match(stdout, /^Examples:\n {2}musetalk dub face\.mp4 speech\.wav -o out\.mp4/);
  for (const name of ['dub', 'preview', 'run', 'models', 'doctor'])
    assert.match(stdout, new RegExp(`  ${name}`));
  assert.equal(stderr, '');
});

test('the help of dub begins with examples and names every option of the schema', async () => {
  const { code, stdout } = await musetalk(['help', 'dub'], { env });
  assert.equal(code, 0);
  assert.match(stdout, /^Examples:/);
  for (const name of Object.keys(propertiesOf(dubSettings)))
    assert.ok(stdout.includes(`--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`), name);
});

const mistakes: [args: string[], code: number, words: RegExp][] = [
  [['dubb'], 2, /unknown command 'dubb'\nhint: Did you mean dub\?/],
  [['dub', 'a.mp4', 'b.wav', '-o', 'c.mp4', '--bach-size', '3'], 2, /hint: Did you mean --batch-size\?/],
  [['dub', 'a.mp4', 'b.wav', '-o', 'c.mp4', '--use_float16'], 2, /hint: Leave it out/],
  [['dub', 'a.mp4', 'b.wav', '-o', 'c.mp4', '--bbox_shift', '500'], 2, /500 is not a whole number from -100/],
  [['dub', 'a.mp4', 'b.wav', '-o', 'c.mp4', '--decoder', 'x'], 2, /choices are sd, taesd/],
  [['dub', 'a.mp4', 'b.wav'], 2, /-o, --output <file>' not specified\nhint: See: musetalk help dub/],
  [['dub', 'a.mp4', 'b.wav', '-o', 'c.txt'], 2, /videos are not written as ".txt"\nhint: .*\.mp4/],
  [['dub', 'no such.mp4', 'b.wav', '-o', join(root, 'c.mp4')], 3, /no such.mp4 does not exist\nhint: /],
  [
    ['dub', laid.video, laid.sound, '-o', join(root, 'c.mp4'), '--model', 'musetalk-1.5'],
    5,
    /musetalk-1.5 .*missing the UNet/,
  ],
  [['run', 'no such.yaml'], 3, /cannot read no such.yaml/],
  [['preview', FACE, '-o', join(root, 'p.png'), '--frame', '1'], 2, /has no frame 1\nhint: It has 1/],
  [['models', 'pull', '../../etc'], 2, /no model or network "..\/..\/etc"\nhint: Known are musetalk-1.5/],
];

describe('mistakes', { concurrency: 4 }, () => {
  for (const [args, code, words] of mistakes)
    test(`"${args.join(' ').replaceAll(root, '…')}" ends with ${code} and says what to do`, async () => {
      const ended = await musetalk(args, { env });
      assert.match(ended.stderr, words);
      assert.match(ended.stderr, /^(?:\w.*\n)*error: .*\nhint: .*\n$/);
      assert.equal(ended.code, code);
      assert.equal(ended.stdout, '');
      for (const name of ['c.mp4', 'p.png']) assert.equal(existsSync(join(root, name)), false);
    });
});

test('programs get errors as JSON, also those of a wrong option', async () => {
  for (const args of [
    ['dub', 'no such.mp4', 'b.wav', '-o', join(root, 'c.mp4'), '--json'],
    ['dub', '--json', '--x'],
  ]) {
    const { code, stdout, stderr } = await musetalk(args, { env });
    const last = events(stdout).at(-1)!;
    assert.equal(last.event, 'error');
    assert.equal(last.exit, code);
    assert.equal(stderr, '');
  }
});

test('--debug prints where an error came from', async () => {
  const { stderr } = await musetalk(['dub', 'no such.mp4', 'b', '-o', join(root, 'c.mp4'), '--debug'], {
    env,
  });
  assert.match(stderr, /\.ts:\d+/);
});

test('a dub tells its stages as JSON lines, and at the end the file and the time of each stage', async () => {
  const output = join(root, 'told.mp4');
  const { code, stdout, stderr } = await musetalk([...dubArguments, '-o', output, '--json'], { env });
  assert.equal(code, 0, stdout + stderr);
  const told = events(stdout);
  const stages = [...new Set(told.filter(({ event }) => event === 'progress').map(({ stage }) => stage))];
  assert.deepEqual(stages, ['open', 'load', 'prepare', 'draw', 'write']);
  const result = told.at(-1)!;
  assert.equal(result.event, 'result');
  assert.equal(result.output, output);
  assert.ok(Object.values(result.seconds as object).every((seconds) => seconds >= 0));
  assert.equal(stderr, '');
});

test('an output that exists is kept, unless overwriting is allowed; --quiet says only the result', async () => {
  const output = join(root, 'kept.mp4');
  writeFileSync(output, 'mine');
  const kept = await musetalk([...dubArguments, '-o', output], { env });
  assert.equal(kept.code, 6);
  assert.match(kept.stderr, /exists already\nhint: .*--overwrite/);
  const written = await musetalk([...dubArguments, '-o', output, '-y', '-q'], { env });
  assert.equal(written.code, 0, written.stderr);
  assert.equal(written.stderr, '');
  assert.match(written.stdout, /kept\.mp4: \d+ frames/);
});

for (const [signal, exit] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  test(`${signal} in the middle of a dub leaves nothing behind and ends with ${exit}`, async () => {
    const place = join(root, signal);
    mkdirSync(place);
    const started = (child: ChildProcess) => {
      const listen = (text: string) => {
        if (!text.includes('"stage":"draw"')) return;
        child.kill(signal);
        child.stdout!.off('data', listen);
      };
      child.stdout!.setEncoding('utf8').on('data', listen);
    };
    const args = [...dubArguments, '-o', join(place, 'out.mp4'), '--json', '--preset', 'veryslow', '-b', '1'];
    const { code, stdout } = await musetalk(args, { env, started });
    assert.deepEqual(events(stdout).at(-1), { event: 'interrupted', signal, exit });
    assert.equal(code, exit);
    assert.deepEqual(readdirSync(place), []);
  });

test('of several tasks one that fails is told, and the others are done', async () => {
  const tasks = join(root, 'tasks.yaml');
  const good = { video_path: laid.video, audio_path: laid.sound, result_name: 'good.mp4' };
  writeFileSync(
    tasks,
    JSON.stringify({ bad: { ...good, video_path: 'no such.mp4', result_name: 'bad.mp4' }, good }),
  );
  const settings = dubArguments.filter((arg) => arg !== laid.video && arg !== laid.sound).slice(1);
  const results = join(root, 'results');
  const args = ['run', tasks, '--result-dir', results, ...settings, '--json'];
  const { code, stdout, stderr } = await musetalk(args, { env });
  const told = events(stdout).filter(({ event }) => event !== 'progress');
  assert.deepEqual(
    told.map(({ event }) => event),
    ['warning', 'error', 'result'],
    stdout + stderr,
  );
  assert.equal(code, 3);
  assert.deepEqual(readdirSync(results), ['good.mp4']);
});

test('a preview shows face and mask, and says which shifts make sense', async () => {
  const output = join(root, 'preview.png');
  const { code, stdout, stderr } = await musetalk(['preview', FACE, '-o', output, '--json'], { env });
  assert.equal(code, 0, stdout + stderr);
  const { box, range, mask } = events(stdout).at(-1) as Record<string, Record<string, number>>;
  assert.equal(mask, 'landmarks');
  assert.ok(range!.lowest! < 0 && range!.highest! > 0);
  // Her face, read off the picture by eye, to within 15 pixels.
  for (const [side, x] of Object.entries({ x1: 112, x2: 170, y2: 115 }))
    assert.ok(Math.abs(box![side]! - x) < 15, `${side} = ${box![side]}`);

  const [plain, shown] = [await readImage(FACE), await readImage(output)];
  const changed = (x: number, y: number) => {
    const at = (y * plain.width + x) * 3;
    return shown.data[at]! - shown.data[at + 1]! - (plain.data[at]! - plain.data[at + 1]!);
  };
  assert.ok(changed(Math.round((box!.x1! + box!.x2!) / 2), box!.y2! - 10) > 40, 'the chin is tinted red');
  assert.equal(changed(10, 300), 0);
});

test('a sweep of shifts is a sheet of tiles, with the range in upstream’s words', async () => {
  const output = join(root, 'sheet.png');
  const { code, stdout, stderr } = await musetalk(['preview', FACE, '-o', output, '--sweep'], { env });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /Total frame: 1 {2}Manually adjust range: \[ -\d+ ~ \d+ \], the current value: 0\n$/);
  assert.equal((await readImage(output)).width, 5 * 240);
});

test('a picture without a face is told by its own code', async () => {
  const [blank] = readdirSync(laid.parsing).map((name) => join(laid.parsing, name));
  const { code, stderr } = await musetalk(['preview', blank!, '-o', join(root, 'none.png')], { env });
  assert.match(stderr, /frame 0 of .* shows no face/);
  assert.equal(code, 4);
});

test('the doctor looks at everything, and fails only where no dub can work', async () => {
  const healthy = await musetalk(['doctor', '--json', '--models', laid.models], { env });
  const report = events(healthy.stdout).at(-1)!;
  assert.equal(healthy.code, 0, healthy.stdout);
  assert.equal(report.works, true);
  const topics = (report.findings as { topic: string }[]).map(({ topic }) => topic.trim());
  for (const topic of [
    'Node',
    'memory',
    'ONNX Runtime',
    'cpu',
    'ffmpeg',
    'ffprobe',
    'cache folder',
    'musetalk-1.5',
  ])
    assert.ok(topics.includes(topic), topic);

  // Without any download mini is there, so a dub can work.
  const bare = await musetalk(['doctor'], { env });
  assert.equal(bare.code, 0, bare.stdout);
  assert.match(bare.stdout, /mini/);
});

test('the doctor says which FFmpeg is named and not there', async () => {
  const args = ['doctor', '--json', '--models', laid.models];
  const { code, stdout } = await musetalk(args, { env: { ...env, FFMPEG_PATH: join(root, 'nowhere') } });
  const [report, error] = events(stdout).slice(-2);
  assert.equal(report!.works, false);
  assert.equal(error!.code, 'MEDIA_TOOL');
  assert.equal(code, 5);
});
