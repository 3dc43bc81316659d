/**
 * Measures the sound encoder of mini on clips with faces: how well the opening that it hears follows the opening that
 * is seen, beside what a wrong sentence would give.
 *
 *     node --import tsx scripts/mini/evaluate-sound.ts DATA WEIGHTS
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readWholeSound } from '../../src/media/read-sound.ts';
import { MINI_BANDS, MINI_SOUND_CONTEXT, miniSound } from '../../src/networks/mini-sound.ts';
import { loadGraph } from '../../src/nn/session.ts';
import { input } from '../../src/nn/value.ts';
import { openCheckpoint } from '../../src/nn/weights/open-checkpoint.ts';
import { frozenTensors, Weights } from '../../src/nn/weights.ts';
import { levelledMel, soundLevel } from '../../src/sound/levelled-mel.ts';
import { MEL_BANDS } from '../../src/sound/mel.ts';
import { isHeldBack } from './aligned.ts';
import { columnsOf } from './sound-data.ts';

const [data, weights] = process.argv.slice(2) as [string, string];
const checkpoint = await openCheckpoint(weights);
const tensors = new Map<string, Awaited<ReturnType<typeof checkpoint.readFloat>>>();
for (const name of checkpoint.entries.keys()) tensors.set(name, await checkpoint.readFloat(name));
const ROWS = 512;
const { codes } = miniSound(new Weights(frozenTensors(tensors)), input('mel', [1, MINI_BANDS, 2 * ROWS]));
const session = await loadGraph({ codes });

interface Measured {
  group: string;
  name: string;
  seen: number[];
  heard: Float32Array;
  columns: Float32Array;
}

const clips: Measured[] = [];
const folder = join(data, 'clips');
for (const file of (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()) {
  const facts = JSON.parse(await readFile(join(folder, file), 'utf8'));
  const group = groupOf(facts);
  if (!group) continue;
  const columns = columnsOf(await readWholeSound(facts.video));
  const heard = await openingOf(columns, facts.frames, facts.openings.length);
  clips.push({ group, name: facts.name, seen: facts.openings, heard, columns });
}
await session.close();

for (const group of new Set(clips.map((clip) => clip.group))) {
  const list = clips.filter((clip) => clip.group === group);
  const rights = list.map(({ seen, heard }) => correlation(seen, heard));
  const wrongs = list.map(({ seen }, i) => {
    const others = list.filter((_, k) => k !== i);
    return mean(others.map(({ heard }) => correlation(seen, heard)));
  });
  const envelope = list.map(({ seen, columns }) => correlation(seen, loudness(columns, seen.length)));
  const spread = list.map(({ seen, heard }) => deviation(heard) / deviation(seen));
  const lag = list.map(({ seen, heard }) => bestLag(seen, heard));
  console.log(
    `${group.padEnd(14)} ${list.length} clips: right ${mean(rights).toFixed(3)}, wrong ${mean(wrongs).toFixed(3)}, loudness ${mean(envelope).toFixed(3)}, spread ${mean(spread).toFixed(2)}, lag ${mean(lag).toFixed(1)}`,
  );
  const others = list.map((_, i) => list[(i + 1) % list.length]!.heard);
  const [own, wrong] = [
    mean(list.map(({ seen, heard }) => atOwnOffset(seen, heard))),
    mean(list.map(({ seen }, i) => atOwnOffset(seen, others[i]!))),
  ];
  console.log(
    `   at the offset of the other half of the clip: right ${own.toFixed(3)}, wrong ${wrong.toFixed(3)}`,
  );
  if (group !== 's1')
    console.log(`   ${list.map(({ name }, i) => `${name} ${rights[i]!.toFixed(2)}`).join(', ')}`);
}

function groupOf(facts: { video: string; name: string; speaker: string }): string | undefined {
  if (facts.video.includes('/grid/')) {
    if (!isHeldBack(facts)) return undefined;
    return facts.speaker === 's1' ? 's1' : 'strangers';
  }
  return facts.video.split('/clips/')[1]?.split('/')[0];
}

async function openingOf(columns: Float32Array, frames: number, count: number): Promise<Float32Array> {
  const level = soundLevel(columns);
  const rows = Math.floor(columns.length / MEL_BANDS / 2);
  const perRow = new Float32Array(rows);
  const inner = ROWS - 2 * MINI_SOUND_CONTEXT;
  for (let from = 0; from < rows; from += inner) {
    const first = from - MINI_SOUND_CONTEXT;
    const out = await session.run({ mel: levelledMel(columns, level, 2 * first, 2 * ROWS) });
    const all = out.codes!.data as Float32Array;
    for (let t = from; t < Math.min(from + inner, rows); t++) perRow[t] = all[8 * ROWS + t - first]!;
  }
  return Float32Array.from({ length: count }, (_, k) => {
    const at = Math.min(Math.max(2 * k + 0.5, 0), rows - 1.001);
    const [i, f] = [Math.floor(at), at - Math.floor(at)];
    return frames ? (perRow[i]! * (1 - f) + perRow[i + 1]! * f) * 0.025 : 0;
  });
}

function loudness(columns: Float32Array, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, k) => {
    let sum = 0;
    for (let t = 4 * k; t < 4 * k + 4; t++) {
      for (let band = 10; band < 50; band++)
        sum += columns[Math.min(t, columns.length / 80 - 1) * 80 + band]!;
    }
    return sum;
  });
}

function mean(list: readonly number[]): number {
  return list.reduce((a, b) => a + b, 0) / Math.max(list.length, 1);
}

function deviation(list: ArrayLike<number>): number {
  const values = Array.from(list);
  const m = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - m) ** 2)));
}

function correlation(a: ArrayLike<number>, b: ArrayLike<number>, lag = 0): number {
  const from = Math.max(0, lag);
  const to = Math.min(a.length, b.length + lag, a.length + lag);
  const x = Array.from({ length: to - from }, (_, i) => a[from + i]!);
  const y = Array.from({ length: to - from }, (_, i) => b[from + i - lag]!);
  const [mx, my] = [mean(x), mean(y)];
  return mean(x.map((value, i) => (value - mx) * (y[i]! - my))) / (deviation(x) * deviation(y) + 1e-12);
}

/** Correlation of each half at the offset that suits the other half best, so that no clip chooses its own figure. */
function atOwnOffset(seen: ArrayLike<number>, heard: ArrayLike<number>): number {
  const half = Math.floor(seen.length / 2);
  const part = (list: ArrayLike<number>, from: number, to: number) => Array.from(list).slice(from, to);
  const parts = [
    [0, half],
    [half, seen.length],
  ].map(([from, to]) => ({ seen: part(seen, from!, to!), heard: part(heard, from!, to!) }));
  const lags = parts.map((piece) => bestLag(piece.seen, piece.heard));
  return mean(parts.map((piece, i) => correlation(piece.seen, piece.heard, lags[1 - i])));
}

function bestLag(seen: ArrayLike<number>, heard: ArrayLike<number>): number {
  let best = 0;
  for (let lag = -5; lag <= 5; lag++)
    if (correlation(seen, heard, lag) > correlation(seen, heard, best)) best = lag;
  return best;
}
if (process.argv[4] === 'lags') {
  for (const { group, name, seen, heard, columns } of clips.filter(({ group }) => group !== 's1')) {
    const row = (other: ArrayLike<number>) =>
      Array.from({ length: 13 }, (_, i) => correlation(seen, other, i - 6).toFixed(2)).join(' ');
    const sorted = [...seen].sort((a, b) => a - b);
    console.log(
      group.slice(0, 8),
      name.slice(0, 22).padEnd(22),
      `n ${seen.length}`,
      `p5 ${sorted[Math.floor(seen.length * 0.05)]!.toFixed(3)} p95 ${sorted[Math.floor(seen.length * 0.95)]!.toFixed(3)}`,
    );
    console.log('    heard', row(heard));
    console.log('    loud ', row(loudness(columns, seen.length)));
  }
}
