/**
 * Adds to a bundle of mini what its lip codes mean, so that the bundle can be trained on: the basis that train-face.ts
 * fits, from the same clips.
 *
 *     node --import tsx scripts/mini/add-lips.ts DATA BUNDLE
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readMiniBundle, writeMiniBundle } from '../../src/train/mini/bundle.ts';
import { fitLipBasis, LIP_NUMBERS } from '../../src/train/mini/lip-code.ts';
import { isHeldBack } from './aligned.ts';

const [data, folder] = process.argv.slice(2) as [string, string];
const clips = join(data, 'clips');
const shapes: { shape: Float32Array; weight: number }[] = [];
for (const file of (await readdir(clips)).filter((name) => name.endsWith('.json')).sort()) {
  const facts = JSON.parse(await readFile(join(clips, file), 'utf8'));
  if (!facts.video.includes('/grid/') || isHeldBack(facts)) continue;
  const bytes = Uint8Array.from(await readFile(join(clips, file.replace('json', 'shapes'))));
  const all = new Float32Array(bytes.buffer);
  for (let t = 0; t < facts.frames; t++) {
    const shape = all.subarray(t * LIP_NUMBERS, (t + 1) * LIP_NUMBERS);
    shapes.push({ shape, weight: facts.speaker === 's1' ? 0.1 : 1 });
  }
}
const { components, held } = fitLipBasis(shapes);
await writeMiniBundle(folder, { ...(await readMiniBundle(folder)), components });
console.log(`${shapes.length} shapes; the codes hold ${held.map((part) => part.toFixed(3)).join(' ')}`);
