/**
 * Writes the bundle of mini: the sound encoder and the picture network as half-precision numbers in one file.
 *
 *     node --import tsx scripts/mini/bundle.ts SOUND.safetensors FACE_RUN OUT
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { castFloat } from '../../src/nn/weights/cast.ts';
import { openCheckpoint } from '../../src/nn/weights/open-checkpoint.ts';
import { type NamedTensor, writeSafetensors } from '../../src/nn/weights/write-safetensors.ts';
import { latestCheckpoint, readCheckpoint } from '../../src/train/checkpoint.ts';

const [sound, faceRun, out] = process.argv.slice(2) as [string, string, string];
const tensors: NamedTensor[] = [];
const ears = await openCheckpoint(sound);
for (const name of ears.entries.keys()) {
  if (name.startsWith('taught.')) continue; // what the teacher heard is of no use to those who only speak
  tensors.push({ name: `sound.${name}`, tensor: castFloat(await ears.readFloat(name), 'float16') });
}
await ears.close();
const { trainer } = await readCheckpoint((await latestCheckpoint(faceRun))!);
const face = trainer.groups.face!;
for (const [name, value] of face.average ?? face.parameters) {
  tensors.push({ name: `face.${name}`, tensor: castFloat(value, 'float16') });
}
await mkdir(out, { recursive: true });
await writeSafetensors(join(out, 'mini.safetensors'), tensors, { format: 'pt', licence: 'MIT' });
await writeFile(
  join(out, 'mini.json'),
  `${JSON.stringify({ format: 1, spread: 0.01, gain: 1.25, sharpen: 0.45 })}\n`,
);
