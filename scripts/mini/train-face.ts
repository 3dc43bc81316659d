/**
 * Trains the picture network of mini.
 *
 *     node --import tsx scripts/mini/train-face.ts DATA RUN UPDATES start|sharpen [MINUTES] [FROM]
 *
 * DATA/clips holds prepared clips (prepare-faces.ts). RUN takes checkpoints; a run that was stopped goes on.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { latestCheckpoint, readCheckpoint } from '../../src/train/checkpoint.ts';
import { trainLoop } from '../../src/train/loop.ts';
import { spreadsOf } from '../../src/train/mini/clips.ts';
import type { FaceClip } from '../../src/train/mini/face-batches.ts';
import { faceTask } from '../../src/train/mini/face-task.ts';
import { fitLipBasis, LIP_NUMBERS, lipCode, mirroredShape } from '../../src/train/mini/lip-code.ts';
import { cosineSchedule } from '../../src/train/schedule.ts';
import { isHeldBack } from './aligned.ts';
import { randomFrom } from './sound-data.ts';

const [data, run, updates, stage, minutes, from] = process.argv.slice(2) as [
  string,
  string,
  string,
  'start' | 'sharpen',
  string?,
  string?,
];

const clips = await loadClips();
const [main, others] = [
  clips.filter(({ speaker }) => speaker === 's1'),
  clips.filter(({ speaker }) => speaker !== 's1'),
];
/** Those who open the mouth wide are seen as much more often: few do, and all must be able to. */
const speakers = [...spreadsOf(others)].map(([speaker, spread]) => ({ speaker, spread }));
const total = speakers.reduce((sum, { spread }) => sum + spread, 0);
console.log(`${main.length} clips of s1, ${others.length} of ${speakers.length} others`);
const before = from ? (await readCheckpoint((await latestCheckpoint(from))!)).trainer.groups.face : undefined;
const task = await faceTask({
  batch: 8,
  sharpen: stage === 'sharpen',
  rate: cosineSchedule({
    rate: stage === 'sharpen' ? 4e-4 : 5e-4,
    warmUp: 100,
    total: Number(updates),
    floor: 1.5e-5,
  }),
  from: before?.average ?? before?.parameters,
  random: randomFrom(stage === 'sharpen' ? 2 : 1),
  pick(random) {
    let at = random() * total;
    const chosen = speakers.find(({ spread }) => {
      at -= spread;
      return at < 0;
    });
    const list = random() < 0.35 ? main : others.filter(({ speaker }) => speaker === chosen?.speaker);
    return list[Math.floor(random() * list.length)] ?? main[0]!;
  },
});
await trainLoop(task, {
  folder: run,
  updates: Number(updates),
  maxMinutes: minutes ? Number(minutes) : undefined,
  seed: 7,
  saveEvery: 100,
  logEvery: 20,
  onProgress: ({ update, values, secondsPerUpdate }) =>
    console.log(update, JSON.stringify(values), `${secondsPerUpdate.toFixed(2)} s`),
});
await task.trainer.close();

async function loadClips(): Promise<FaceClip[]> {
  const folder = join(data, 'clips');
  const measured = [];
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()) {
    const facts = JSON.parse(await readFile(join(folder, file), 'utf8'));
    if (!facts.video.includes('/grid/') || isHeldBack(facts)) continue;
    const shapes = new Float32Array(
      Uint8Array.from(await readFile(join(folder, file.replace('json', 'shapes')))).buffer,
    );
    const crops = Uint8Array.from(await readFile(join(folder, file.replace('json', 'crops'))));
    measured.push({ ...facts, shapes, crops } as FaceClip & { shapes: Float32Array });
  }
  const shapeOf = (shapes: Float32Array, t: number) =>
    shapes.subarray(t * LIP_NUMBERS, (t + 1) * LIP_NUMBERS);
  const basis = fitLipBasis(
    measured.flatMap(({ shapes, frames, speaker }) =>
      Array.from({ length: frames }, (_, t) => ({
        shape: shapeOf(shapes, t),
        weight: speaker === 's1' ? 0.1 : 1,
      })),
    ),
  );
  const codes = (shapes: Float32Array, frames: number, mirror: boolean) =>
    Float32Array.from(
      Array.from({ length: frames }, (_, t) => {
        const shape = shapeOf(shapes, t);
        return [...lipCode(basis, mirror ? mirroredShape(shape) : shape)];
      }).flat(),
    );
  return measured.map((clip) => ({
    ...clip,
    openings: Float32Array.from(clip.openings),
    codes: codes(clip.shapes, clip.frames, false),
    mirroredCodes: codes(clip.shapes, clip.frames, true),
  }));
}
