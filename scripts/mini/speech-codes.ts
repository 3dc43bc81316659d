/**
 * Adds to a bundle of mini what its sound encoder makes of speech: the mean codes with the mouth closed and wide,
 * which every person is fitted with (see `fitPerson`), and how far the mean speaker's lips move between them.
 *
 *     node --import tsx scripts/mini/speech-codes.ts DATA BUNDLE
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadMiniEars } from '../../src/lips/mini-networks.ts';
import { lipCodes, widthOf } from '../../src/lips/mini-sound.ts';
import { readSound } from '../../src/media/read-sound.ts';
import { readMiniBundle, writeMiniBundle } from '../../src/train/mini/bundle.ts';
import { spreadsOf } from '../../src/train/mini/clips.ts';
import { isHeldBack } from './aligned.ts';

const [data, folder] = process.argv.slice(2) as [string, string];
const bundle = await readMiniBundle(folder);
const ears = await loadMiniEars(folder);
const codes: Float32Array[] = [];
const clips = [];
for (const file of (await readdir(join(data, 'clips'))).filter((name) => name.endsWith('.json')).sort()) {
  const facts = JSON.parse(await readFile(join(data, 'clips', file), 'utf8'));
  if (!facts.video.includes('/grid/') || isHeldBack(facts)) continue;
  clips.push(facts);
  if (facts.speaker === 's1' && clips.length % 10 > 0) continue;
  let left = facts.frames;
  for await (const code of lipCodes(ears.hear, await readSound(facts.video), { fps: { num: 25, den: 1 } })) {
    codes.push(code.data);
    if (--left === 0) break;
  }
}
await ears.close();
// The first number of a code is the jaw.
codes.sort((a, b) => a[0]! - b[0]!);
const around = (share: number) => {
  const at = Math.round(share * codes.length);
  const some = codes.slice(Math.max(0, at - 40), at + 40);
  return Array.from({ length: 8 }, (_, c) =>
    round(some.reduce((sum, code) => sum + code[c]!, 0) / some.length),
  );
};
const [closed, wide] = [around(0.05), around(0.93)];
const jaws = codes.map((code) => code[0]!);
const mean = jaws.reduce((a, b) => a + b, 0) / jaws.length;
const deviation = Math.sqrt(jaws.reduce((sum, jaw) => sum + (jaw - mean) ** 2, 0) / jaws.length);
const spreads = [...spreadsOf(clips).values()];
const config = {
  format: 1 as const,
  spread: round(Math.exp(spreads.reduce((sum, value) => sum + Math.log(value), 0) / spreads.length)),
  gain: bundle.config.gain,
  sharpen: bundle.config.sharpen,
  speech: {
    closed,
    wide,
    span: round((wide[0]! - closed[0]!) / deviation),
    width: round(widthOf(jaws, wide[0]!)!),
  },
};
await writeMiniBundle(folder, { ...bundle, config });
console.log(JSON.stringify(config));

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
