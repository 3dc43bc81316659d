/**
 * Writes down what a public speech embedding hears in the sounds that mini's sound encoder learns from, so that the
 * encoder can be taught to hear the same in any voice. The embedding itself is no part of mini.
 *
 *     node --import tsx scripts/mini/teach.ts DATA MODELS
 *
 * MODELS: see public-ears.ts. For each DATA/speech/N.wav and each voice of `realVoices`, DATA/taught/NAME.f32 holds 96
 * numbers every 40 ms; the window of number t is centred on 0.04 t + 0.02 s.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { realVoices } from './aligned.ts';
import { openPublicEars } from './public-ears.ts';
import { readPlainWav } from './sound-data.ts';

const [data, models] = process.argv.slice(2) as [string, string];
const hear = await openPublicEars(models);
const out = join(data, 'taught');
await mkdir(out, { recursive: true });
const done = new Set(await readdir(out));

for await (const { name, samples } of realVoices(data)) await teach(name, async () => samples);
for (const file of await readdir(join(data, 'speech'))) {
  if (file.endsWith('.wav'))
    await teach(basename(file, '.wav'), () => readPlainWav(join(data, 'speech', file)));
}

async function teach(name: string, samples: () => Promise<Float32Array>): Promise<void> {
  if (done.has(`${name}.f32`)) return;
  await writeFile(join(out, `${name}.f32`), await hear(await samples()));
}
