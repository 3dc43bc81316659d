/**
 * Prepares clips for the training of mini: NAME.crops (bytes), NAME.shapes (floats) and NAME.json for each video.
 *
 *     node --import tsx scripts/mini/prepare-faces.ts OUT VIDEO...
 *
 * Clips that are there already are left alone; clips without a steady face are named and skipped.
 */
import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { loadFaceModels } from '../../src/face/models.ts';
import { openVideo } from '../../src/media/open-video.ts';
import { measureClip } from '../../src/train/mini/prepare-clip.ts';

const [out, ...videos] = process.argv.slice(2) as [string, ...string[]];
await mkdir(out, { recursive: true });
const models = await loadFaceModels();
for (const video of videos) {
  const speaker = basename(dirname(video));
  const name = `${speaker}-${basename(video, extname(video))}`;
  const path = join(out, name);
  if (existsSync(`${path}.json`)) continue;
  try {
    const clip = await measureClip(await openVideo(video), models);
    await writeFile(`${path}.crops`, clip.crops);
    await writeFile(`${path}.shapes`, clip.shapes);
    const facts = { name, speaker, video, frames: clip.frames, openings: [...clip.openings] };
    await writeFile(`${path}.tmp`, JSON.stringify(facts));
    await rename(`${path}.tmp`, `${path}.json`);
  } catch (error) {
    console.log(`skipped ${video}: ${(error as Error).message}`);
  }
}
await models.close();
