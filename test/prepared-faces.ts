import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tensor } from '../src/core/tensor.ts';
import type { Image } from '../src/image/image.ts';
import { image } from '../src/image/image.ts';
import { writeSafetensors } from '../src/nn/weights/write-safetensors.ts';
import { writePictures } from '../src/train/data/packed-pictures.ts';
import { appendToIndex, clipFile } from '../src/train/data/prepared.ts';
import { writeWav } from '../src/train/data/wav.ts';

/** Side of the drawn pictures: that of mini's prepared crops. */
const SIDE = 152;
const FRAMES = 40;

/**
 * Prepared data of drawn faces whose mouths open with the loudness of their sounds, as `train prepare` would have
 * written it: enough to see whether something is learned.
 */
export async function drawnFaces(data: string, clips: number): Promise<string> {
  await mkdir(join(data, 'clips'), { recursive: true });
  for (let i = 0; i < clips; i++) await drawnClip(data, i);
  return data;
}

async function drawnClip(data: string, number: number): Promise<void> {
  const clip = `face-${number}`;
  const openings = Float32Array.from(
    { length: FRAMES },
    (_, t) => 0.03 * (1 - Math.cos(t * (0.5 + 0.1 * number))),
  );
  const faces = Array.from(openings, (opening) => drawnFace(number, opening));
  await writePictures(
    clipFile(data, clip, 'pictures'),
    (async function* () {
      yield* faces;
    })(),
  );
  await writeFile(clipFile(data, clip, 'crops'), Buffer.concat(faces.map(({ data: bytes }) => bytes)));
  const shapes = Float32Array.from({ length: FRAMES * 94 }, (_, i) => {
    const [t, k] = [Math.floor(i / 94), i % 94];
    return openings[t]! * Math.sin(1 + k) + 0.001 * Math.sin(7 * i + number);
  });
  await writeFile(clipFile(data, clip, 'shapes'), new Uint8Array(shapes.buffer));
  const facts = { name: clip, speaker: clip, video: `${clip}.mp4`, frames: FRAMES, openings: [...openings] };
  await writeFile(clipFile(data, clip, 'json'), JSON.stringify(facts));
  await writeSafetensors(clipFile(data, clip, 'track.safetensors'), [
    { name: 'landmarks', tensor: tensor([FRAMES, 68, 2], landmarksOf(openings)) },
    { name: 'boxes', tensor: tensor([FRAMES, 4], repeated([26, 20, 126, 140])) },
    { name: 'regions', tensor: tensor([FRAMES, 4], repeated([0, 0, SIDE, SIDE])) },
    { name: 'openings', tensor: tensor([FRAMES], openings) },
  ]);
  const samples = Float32Array.from({ length: FRAMES * 640 }, (_, i) => {
    return 8 * openings[Math.floor(i / 640)]! * Math.sin(i * (0.2 + 0.02 * number));
  });
  await writeWav(
    clipFile(data, clip, 'wav'),
    (async function* () {
      yield samples;
    })(),
    samples.length,
  );
  const video = `${clip}.mp4`;
  await appendToIndex(data, [
    {
      ...{ clip, speaker: clip, video, first: 0, frames: FRAMES, width: SIDE, height: SIDE },
      ...{ faceWidth: 100, sound: true },
    },
    { video, size: 1, modified: 1, clips: [clip] },
  ]);
}

/** A skin-coloured square with eyes, and a dark mouth of the opening's height. */
function drawnFace(number: number, opening: number): Image {
  const face = image(SIDE, SIDE, 3);
  const skin = [200 - 15 * number, 150 + 5 * number, 120] as const;
  const half = 2 + 400 * opening;
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const [u, v] = [(x - 76) / 22, (y - 108) / half];
      const eye = Math.hypot(Math.abs(x - 76) - 22, y - 52) < 6;
      const colour = eye ? ([30, 30, 60] as const) : u * u + v * v < 1 ? ([70, 20, 30] as const) : skin;
      face.data.set(colour, (y * SIDE + x) * 3);
    }
  }
  return face;
}

/** Landmarks round the drawn face: the jaw, the nose bridge on the middle line, the lips with the opening. */
function landmarksOf(openings: Float32Array): Float32Array {
  return Float32Array.from(
    Array.from(openings, (opening, t) =>
      Array.from({ length: 68 }, (_, k) => pointOf(k, 400 * opening, t)).flat(),
    ).flat(),
  );
}

function pointOf(k: number, half: number, t: number): [number, number] {
  const sway = Math.sin(t * 0.9);
  if (k < 17) return [26 + (100 * k) / 16 + sway, 76 + 64 * Math.sin((Math.PI * k) / 16)];
  if (k < 27) return [36 + 8 * (k - 17), 42];
  if (k < 36) return [76, 60 + 8 * Math.min(k - 27, 3)];
  if (k < 48) return [54 + 4 * (k - 36), 52];
  const turn = ((k - 48) / 10) * Math.PI;
  return [76 + 22 * Math.cos(turn), 108 + (2 + half) * Math.sin(turn)];
}

function repeated(numbers: readonly number[]): Float32Array {
  return Float32Array.from({ length: FRAMES * numbers.length }, (_, i) => numbers[i % numbers.length]!);
}
