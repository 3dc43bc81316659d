/** Material for dubs with the model of tests: pictures that are told by their colours, a sound, and boxes. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Box } from '../src/core/box.ts';
import { writeImage } from '../src/media/write-frames.ts';
import { colours, scratch, wav } from './media-fixtures.ts';

/** How loud each sample is, 0 … 1. */
type Loudness = (sample: number) => number;

/** A sound at 16000 Hz as a WAV file. It swells and ebbs and is never silent, unless `loudness` says so. */
export function hum(seconds: number, loudness: Loudness = (i) => (1 + Math.sin(i / 900)) / 2): Buffer {
  const data = Buffer.alloc(2 * Math.round(16000 * seconds));
  for (let i = 0; i < data.length / 2; i++)
    data.writeInt16LE(Math.round(16000 * Math.sin(i * 0.3) * loudness(i)), 2 * i);
  return wav(data);
}

/** Where the face is in every picture of 64 × 48. */
export const FACE: Box = { x1: 16, y1: 8, x2: 48, y2: 40 };

export interface ColouredClip {
  /** A folder of its own, removed after the test. */
  readonly root: string;
  readonly video: string;
  readonly sound: string;
  readonly coords: string;
  /** Where the result may go. */
  readonly output: string;
}

/** A folder with `frames` pictures, each of its own colour, a sound of `seconds`, and boxes. */
export async function colouredClip(
  t: TestContext,
  {
    frames = 6,
    seconds = 1,
    faceless = [] as readonly number[],
    loudness = undefined as Loudness | undefined,
  } = {},
): Promise<ColouredClip> {
  const root = await scratch(t);
  const video = join(root, 'video');
  await mkdir(video);
  let index = 0;
  for await (const picture of colours(frames)) await writeImage(join(video, `${index++}.png`), picture);
  const sound = join(root, 'sound.wav');
  await writeFile(sound, hum(seconds, loudness));
  const coords = join(root, 'coords.json');
  const boxes = Array.from({ length: frames }, (_, i) => (faceless.includes(i) ? null : Object.values(FACE)));
  await writeFile(coords, JSON.stringify(boxes));
  return { root, video, sound, coords, output: join(root, 'out.mp4') };
}
