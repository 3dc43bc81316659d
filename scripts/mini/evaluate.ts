/**
 * Measures mini on finished videos: each clip is dubbed with a sound, and lips are read off the result.
 *
 *     node --import tsx scripts/mini/evaluate.ts BUNDLE OUT CLIP...
 *
 * For each clip: with its own sound, how the opening of the lips follows the real one, how widely it moves, and how
 * the mouth compares with the real picture; with the next clip's sound, what a wrong sentence gives; with silence,
 * how still and shut the mouth is.
 */
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { dub } from '../../src/dub/dub.ts';
import { builtinFinder } from '../../src/face/builtin.ts';
import { loadFaceModels } from '../../src/face/models.ts';
import { steadyShot } from '../../src/face/steady-box.ts';
import { resample } from '../../src/image/resample.ts';
import { openVideo } from '../../src/media/open-video.ts';

const [bundle, out, ...clips] = process.argv.slice(2) as [string, string, ...string[]];
await mkdir(out, { recursive: true });
/** Pixels of a measured mouth, on each side. */
const SIDE = 64;

const models = await loadFaceModels();
const SILENCE = join(out, 'silence.wav');
execFileSync('ffmpeg', [
  '-y',
  '-v',
  'error',
  '-f',
  'lavfi',
  '-i',
  'anullsrc=r=16000:cl=mono',
  '-t',
  '3',
  SILENCE,
]);

const real = new Map<string, Reading>();
for (const clip of clips) real.set(clip, await read(clip));
const rows: Record<string, number>[] = [];
for (const [i, clip] of clips.entries()) {
  const name = `${basename(dirname(clip))}-${basename(clip, extname(clip))}`;
  const seen = real.get(clip)!;
  const own = await read(await made(clip, clip, `${name}-own`), seen);
  const wrong = clips[(i + 1) % clips.length]!;
  const other = await read(await made(clip, wrong, `${name}-other`), seen);
  const quiet = await read(await made(clip, SILENCE, `${name}-silence`), seen);
  const row = {
    right: correlation(seen.openings, own.openings),
    wrong: correlation(seen.openings, other.openings),
    follows: correlation(real.get(wrong)!.openings, other.openings),
    spread: deviation(own.openings) / deviation(seen.openings),
    psnr: own.psnr,
    copied: seen.psnr,
    sharp: own.sharpness / seen.sharpness,
    shut: quiet.openings.filter((x) => x < 0.02).length / quiet.openings.length,
  };
  rows.push(row);
  console.log(name.padEnd(24), show(row));
}
const keys = Object.keys(rows[0]!);
const means = Object.fromEntries(
  keys.map((key) => [key, rows.reduce((s, row) => s + row[key]!, 0) / rows.length]),
);
console.log('mean'.padEnd(24), show(means));
await models.close();

interface Reading {
  readonly openings: number[];
  readonly mouths: Uint8Array[];
  readonly places: Place[];
  readonly psnr: number;
  readonly sharpness: number;
}

async function made(video: string, sound: string, name: string): Promise<string> {
  const output = join(out, `${name}.mp4`);
  await dub({ video, sound, output, model: bundle, overwrite: true, silence: 'model', crf: 12 });
  return output;
}

/** Lips of every frame, and the mouth's pixels in the frame of reference of `beside` (or its own). */
async function read(path: string, beside?: Reading): Promise<Reading> {
  const video = await openVideo(path);
  const meshes: (Float32Array | null)[] = [];
  for await (const { face } of builtinFinder(models).find(video.frames())) meshes.push(face?.mesh ?? null);
  const { frames } = steadyShot(meshes);
  const places = beside?.places ?? frames.map((frame) => placeOf(frame!.box));
  const mouths: Uint8Array[] = [];
  for await (const frame of video.frames()) {
    const { x, y, width, height } = places[Math.min(frame.index, places.length - 1)]!;
    mouths.push(
      resample(frame, { start: x, step: width / SIDE }, { start: y, step: height / SIDE }, SIDE, SIDE).data,
    );
  }
  const openings = frames.map((frame) => frame?.opening ?? 0);
  const closed = openings.indexOf(Math.min(...openings));
  const against = beside?.mouths ?? mouths.map(() => mouths[closed]!);
  return { openings, mouths, places, psnr: psnr(mouths, against), sharpness: sharpness(mouths) };
}

interface Place {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The mouth in a steady box: the middle of its lower half. */
function placeOf({
  centre,
  width,
  height,
}: {
  centre: { x: number; y: number };
  width: number;
  height: number;
}): Place {
  return {
    x: centre.x - 0.28 * width,
    y: centre.y + 0.1 * height,
    width: 0.56 * width,
    height: 0.34 * height,
  };
}

function psnr(a: readonly Uint8Array[], b: readonly Uint8Array[]): number {
  const count = Math.min(a.length, b.length);
  let sum = 0;
  for (let t = 0; t < count; t++) {
    for (let i = 0; i < a[t]!.length; i++) sum += (a[t]![i]! - b[t]![i]!) ** 2;
  }
  return 10 * Math.log10(255 ** 2 / (sum / (count * a[0]!.length)));
}

/** The variance of the Laplacian of green, averaged over the frames. */
function sharpness(pictures: readonly Uint8Array[]): number {
  let total = 0;
  for (const picture of pictures) {
    let [sum, squares, count] = [0, 0, 0];
    const at = (x: number, y: number) => picture[(y * SIDE + x) * 3 + 1]!;
    for (let y = 1; y < SIDE - 1; y++) {
      for (let x = 1; x < SIDE - 1; x++) {
        const value = 4 * at(x, y) - at(x - 1, y) - at(x + 1, y) - at(x, y - 1) - at(x, y + 1);
        sum += value;
        squares += value * value;
        count++;
      }
    }
    total += squares / count - (sum / count) ** 2;
  }
  return total / pictures.length;
}

function show(row: Record<string, number>): string {
  return Object.entries(row)
    .map(([key, value]) => `${key} ${value.toFixed(2)}`)
    .join(', ');
}

function mean(list: readonly number[]): number {
  return list.reduce((a, b) => a + b, 0) / list.length;
}

function deviation(list: readonly number[]): number {
  const m = mean(list);
  return Math.sqrt(mean(list.map((x) => (x - m) ** 2)));
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const count = Math.min(a.length, b.length);
  const [x, y] = [a.slice(0, count), b.slice(0, count)];
  const [mx, my] = [mean(x), mean(y)];
  return mean(x.map((value, i) => (value - mx) * (y[i]! - my))) / (deviation(x) * deviation(y) + 1e-12);
}
