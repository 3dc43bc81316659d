// All benchmarks, as tables and as JSON in bench/results/, with what they ran on.
//
//   npm run bench                      everything: many minutes, and 5 GB of disk for seeded weights of full size
//   npm run bench -- pixels dubs       parts: pixels, networks, dubs, mini, service, train
//   npm run bench -- --smoke           each part as small as it can be, in seconds
//   npm run bench -- --threads 2
//   npm run bench -- train --peer "python twin.py"   beside another program (see training.bench.ts)
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findTool } from '../src/media/tools.ts';
import { Engine } from '../src/nn/session.ts';
import { ROOT, textOf } from '../test/sources.ts';
import { timeDubs } from './dubs.bench.ts';
import { timeMini } from './mini.bench.ts';
import { timeNetworks } from './networks.bench.ts';
import { timePixels } from './pixels.bench.ts';
import { timeService } from './service.bench.ts';
import { timeTraining } from './training.bench.ts';

/** One line of a table: what was measured, and the figures by name and unit. */
interface Row {
  readonly part: string;
  readonly name: string;
  readonly figures: Readonly<Record<string, number>>;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    smoke: { type: 'boolean', default: false },
    threads: { type: 'string', default: String(availableParallelism()) },
    /** A program that makes the same training steps. */
    peer: { type: 'string' },
    /** Where the JSON goes. */
    output: { type: 'string', short: 'o' },
  },
});
const { smoke } = values;
const threads = Number(values.threads);

const PARTS: Readonly<Record<string, () => AsyncGenerator<Row>>> = {
  pixels,
  networks,
  dubs,
  mini,
  service,
  train,
};

const wanted = positionals.length > 0 ? positionals : Object.keys(PARTS);
for (const part of wanted)
  if (!PARTS[part]) throw new Error(`there is no part ${part}: ${Object.keys(PARTS)}`);

const machine = await describeMachine();
console.log(
  Object.entries(machine)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n'),
);
const rows: Row[] = [];
for (const part of wanted) {
  console.log(`\n${part}`);
  for await (const row of PARTS[part]!()) {
    console.log(lineOf(row));
    rows.push(row);
  }
}
const output = values.output ?? join(ROOT, 'bench', 'results', `${machine.date.replaceAll(':', '-')}.json`);
mkdirSync(join(output, '..'), { recursive: true });
writeFileSync(output, `${JSON.stringify({ machine, smoke, rows }, undefined, 2)}\n`);
console.log(`\n${output}`);

async function* pixels(): AsyncGenerator<Row> {
  for (const { name, milliseconds } of timePixels({ runs: smoke ? 1 : 150 })) {
    if (!name.endsWith(':')) yield { part: 'pixels', name, figures: { ms: milliseconds } };
  }
}

async function* networks(): AsyncGenerator<Row> {
  const scope = smoke ? { only: 'tiny decoder', runs: 1 } : {};
  for await (const { name, load, wall, processor } of timeNetworks({ ...scope, threads })) {
    yield {
      part: 'networks',
      name,
      figures: { 's to load': load, 's each': wall, 's of processors': processor },
    };
  }
}

async function* dubs(): AsyncGenerator<Row> {
  for await (const { name, frames, seconds, firstFrame, stages, memory } of timeDubs({ smoke, threads })) {
    const { draw = Number.NaN } = stages;
    const whole = { fps: frames / seconds, 'fps drawing': frames / draw, 's in all': seconds };
    const parts = Object.fromEntries(Object.entries(stages).map(([stage, spent]) => [`s ${stage}`, spent]));
    yield { part: 'dubs', name, figures: { ...whole, 's to first frame': firstFrame, MB: memory, ...parts } };
  }
}

async function* mini(): AsyncGenerator<Row> {
  for await (const { name, frames, seconds, firstFrame, processor, memory } of timeMini({ smoke })) {
    const spent = Object.values(processor).reduce((sum, part) => sum + part, 0);
    const whole = { fps: frames / seconds, 's in all': seconds, 's to first frame': firstFrame, MB: memory };
    const all = {
      'ms of processors a frame': (1000 * spent) / frames,
      'fps two could do': (2 * frames) / spent,
    };
    const parts = Object.entries(processor).map(([stage, part]) => [`ms ${stage}`, (1000 * part) / frames]);
    yield { part: 'mini', name, figures: { ...whole, ...all, ...Object.fromEntries(parts) } };
  }
}

async function* service(): AsyncGenerator<Row> {
  for await (const { name, jobsPerSecond, own, withUploads } of timeService({ smoke })) {
    const ms = { 'ms of its own': own.middle, 'ms (95 %)': own.slow };
    const fresh = { 'ms with uploads': withUploads.middle, 'ms with uploads (95 %)': withUploads.slow };
    yield { part: 'service', name, figures: { 'jobs a second': jobsPerSecond, ...ms, ...fresh } };
  }
}

async function* train(): AsyncGenerator<Row> {
  const { peer } = values;
  for await (const { name, batch, own, peer: other, difference } of timeTraining({ smoke, threads, peer })) {
    const figures = {
      'samples/s': (1000 * batch) / own.wall,
      'ms a step': own.wall,
      'ms of processors': own.processor,
    };
    const beside = other && {
      'ms a step of the peer': other.wall,
      'ms of its processors': other.processor,
      'times its clock': own.wall / other.wall,
      'times its processors': own.processor / other.processor,
      'off its losses, relative': difference ?? Number.NaN,
    };
    yield { part: 'train', name, figures: { ...figures, ...beside } };
  }
}

function lineOf({ name, figures }: Row): string {
  const columns = Object.entries(figures).map(([unit, figure]) => `${digits(figure).padStart(7)} ${unit}`);
  return `${name.padEnd(44)} ${columns.join(' ')}`;
}

/** Three digits that count. */
function digits(figure: number): string {
  return figure >= 100 ? figure.toFixed(0) : figure.toPrecision(3);
}

async function describeMachine() {
  const engine = new Engine();
  const { version } = await engine.describe();
  await engine.close();
  const ffmpeg = await findTool('ffmpeg');
  return {
    date: new Date().toISOString().slice(0, 19),
    commit: commit(),
    cpu: `${cpus()[0]?.model.trim()}, ${cpus().length} processors`,
    threads,
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    system: `${process.platform} ${release()}, ${process.arch}`,
    node: process.version,
    'onnxruntime-node': version,
    ffmpeg: `${ffmpeg.version} (${ffmpeg.source})`,
    musetalk: (JSON.parse(textOf('package.json')) as { version: string }).version,
  };
}

function commit(): string {
  try {
    const git = ['rev-parse', '--short', 'HEAD'];
    return execFileSync('git', git, {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}
