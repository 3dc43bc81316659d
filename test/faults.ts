/** Faults put into a good video on purpose, one at a time, for what must notice them. */
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Box } from '../src/core/box.ts';
import type { FaceFinder } from '../src/face/finder.ts';
import { gaussianBlur } from '../src/image/blur.ts';
import { type Image, image } from '../src/image/image.ts';
import { openVideo } from '../src/media/open-video.ts';
import { readWholeSound } from '../src/media/read-sound.ts';
import { writeVideo } from '../src/media/write-video.ts';
import { type SeenFace, seeFaces } from '../src/report/seen-faces.ts';
import { closedMouth } from '../src/sound/silence.ts';
import { make, wav } from './media-fixtures.ts';

/** What can be put into a video. */
export type Fault =
  | 'late sound'
  | 'early sound'
  | 'short sound'
  | 'moves in silence'
  | 'colour matrix'
  | 'dropped and doubled frame'
  | 'gap in the clock'
  | 'seam'
  | 'flicker'
  | 'frozen mouth'
  | 'blurred mouth'
  | 'changed elsewhere'
  | 'hidden face';

/** A good clip in memory, from which faulty ones are made. */
export interface GoodClip {
  readonly path: string;
  /** Writes it with faults into a folder; with none it is only encoded again, as every dub is. */
  write(faults: readonly Fault[], folder: string): Promise<string>;
}

/** Decodes a clip and finds its faces once. */
export async function goodClip(path: string, finder: FaceFinder): Promise<GoodClip> {
  const video = await openVideo(path);
  const frames: Image[] = [];
  for await (const frame of video.frames()) frames.push(frame);
  const { faces } = await seeFaces(video, finder, {}, {});
  const samples = await readWholeSound(path);
  const silence: number[] = [];
  for await (const weight of closedMouth(blockOf(samples), { fps: video.fps })) {
    if (silence.length === frames.length) break;
    silence.push(weight);
  }
  const clip: Clip = { frames, faces, spoken: mostSpoken(silence, FROZEN) };
  return {
    path,
    async write(faults, folder) {
      const name = faults.join(' and ') || 'encoded again';
      const output = join(folder, `${name}.mp4`);
      const sound = faults.some((fault) => fault in SOUNDS)
        ? await writeSound(faults.reduce(heardWith, samples), join(folder, `${name}.wav`))
        : path;
      const shown = faults.reduce<readonly Image[]>(
        (all, fault) => seenWith({ ...clip, frames: all }, fault),
        frames,
      );
      await writeVideo(output, pictures(shown), {
        ...{
          fps: video.fps,
          width: video.width,
          height: video.height,
          color: video.color,
          preset: 'veryfast',
        },
        sound: { path: sound },
        overwrite: true,
      });
      for (const fault of faults) await retag(output, fault);
      return output;
    },
  };
}

async function* pictures(frames: readonly Image[]): AsyncGenerator<Image> {
  yield* frames;
}

/** What is wrong with the packets, as arguments beside the good file: nothing is encoded again. */
const RETAGGED: Partial<Record<Fault, (good: string) => readonly string[]>> = {
  'colour matrix': () => ['-c', 'copy', '-bsf:v', 'h264_metadata=matrix_coefficients=1'],
  'gap in the clock': () => [...['-c', 'copy', '-bsf:v', 'setts=ts=TS+if(gte(TS*TB\\,1.6)\\,0.12/TB\\,0)']],
  'short sound': (good) => ['-t', '2', '-i', good, '-map', '0:v', '-map', '1:a', '-c', 'copy'],
};

async function retag(file: string, fault: Fault): Promise<void> {
  const how = RETAGGED[fault];
  if (!how) return;
  const good = `${file}.good.mp4`;
  await rename(file, good);
  await make(file, '-i', good, ...how(good));
  await rm(good);
}

type Samples = Float32Array<ArrayBuffer>;

/** Three frames of 25 fps. */
const SHIFT = 3 * 640;

const SOUNDS: Partial<Record<Fault, (samples: Samples) => Samples>> = {
  'late sound': (samples) => shifted(samples, SHIFT),
  'early sound': (samples) => shifted(samples, -SHIFT),
  // From the middle of the sentence on there is only the room.
  'moves in silence': (samples) =>
    samples.map((sample, i) => (i < 0.4 * samples.length ? sample : 0.001 * sample)),
};

function heardWith(samples: Samples, fault: Fault): Samples {
  return SOUNDS[fault]?.(samples) ?? samples;
}

function shifted(samples: Samples, by: number): Samples {
  return samples.map((_, i) => samples[i - by] ?? 0);
}

async function writeSound(samples: Samples, path: string): Promise<string> {
  const bytes = Buffer.alloc(samples.length * 2);
  for (const [i, sample] of samples.entries())
    bytes.writeInt16LE(Math.round(Math.max(-1, Math.min(1, sample)) * 32767), 2 * i);
  await writeFile(path, wav(bytes));
  return path;
}

async function* blockOf(samples: Samples): AsyncGenerator<Float32Array> {
  yield samples;
}

/** What a clip shows, and where in it there is speech. */
interface Clip {
  readonly frames: readonly Image[];
  readonly faces: readonly (SeenFace | null)[];
  /** Frames, the last one excluded, in which someone speaks more than in others. */
  readonly spoken: { readonly start: number; readonly end: number };
}

/** Frames for which a mouth stands still. */
const FROZEN = 36;

/** The stretch of `length` frames with the least silence: a mouth that stands still in a pause is no fault. */
function mostSpoken(silence: readonly number[], length: number): Clip['spoken'] {
  let [start, least] = [0, Number.POSITIVE_INFINITY];
  for (let from = 0; from + length <= silence.length; from++) {
    const sum = silence.slice(from, from + length).reduce((a, b) => a + b, 0);
    if (sum < least) [start, least] = [from, sum];
  }
  return { start, end: start + length };
}

function seenWith(clip: Clip, fault: Fault): readonly Image[] {
  const { frames, faces } = clip;
  const middle = Math.floor(frames.length / 2);
  if (fault === 'dropped and doubled frame')
    return frames.map((_, i) => frames[i >= middle - 10 && i < middle + 12 ? i + 1 : i]!);
  const change = PICTURES[fault];
  if (!change) return frames;
  return frames.map((frame, i) => (faces[i] ? change(frame, faces[i], i, clip) : frame));
}

/** What is wrong with single pictures. */
const PICTURES: Partial<Record<Fault, (frame: Image, face: SeenFace, i: number, clip: Clip) => Image>> = {
  seam: (frame, { box }) => brightened(frame, lowerHalf(box), 8),
  flicker: (frame, { box }, i) =>
    pastedSoftly(frame, brightened(frame, wholeOf(frame), i % 2 === 0 ? 3 : -3), lowerHalf(box)),
  'blurred mouth': (frame, { mouth }) => pastedSoftly(frame, gaussianBlur(frame, 9), grownBox(mouth)),
  'frozen mouth': (frame, { box }, i, { frames, faces, spoken }) => {
    const still = i >= spoken.start && i < spoken.end ? spoken.start : i;
    const from = faces[still]?.box ?? box;
    return pastedSoftly(frame, moved(frames[still]!, from, box), lowerHalf(box));
  },
  'changed elsewhere': (frame) =>
    brightened(frame, { x1: 0, y1: 0, x2: frame.width / 4, y2: frame.height / 3 }, 25),
  'hidden face': (frame, { box }, i, { frames }) => (i >= frames.length - 12 ? filled(frame, box) : frame),
};

function wholeOf({ width, height }: Image): Box {
  return { x1: 0, y1: 0, x2: width, y2: height };
}

/** A grey board before the box and a little round it. */
function filled(frame: Image, { x1, x2, y1, y2 }: Box): Image {
  const [w, h] = [(x2 - x1) * 0.12, (y2 - y1) * 0.12];
  const data = Uint8Array.from(frame.data);
  for (let y = Math.max(0, Math.round(y1 - h)); y < Math.min(frame.height, y2 + h); y++)
    for (let x = Math.max(0, Math.round(x1 - w)); x < Math.min(frame.width, x2 + w); x++)
      data.fill(128, (y * frame.width + x) * 3, (y * frame.width + x) * 3 + 3);
  return image(frame.width, frame.height, 3, data);
}

function lowerHalf({ x1, x2, y1, y2 }: Box): Box {
  return { x1: x1 + (x2 - x1) * 0.1, x2: x2 - (x2 - x1) * 0.1, y1: y1 + (y2 - y1) * 0.55, y2 };
}

function grownBox({ x1, x2, y1, y2 }: Box): Box {
  const [w, h] = [x2 - x1, y2 - y1];
  return { x1: x1 - w / 2, x2: x2 + w / 2, y1: y1 - h, y2: y2 + h };
}

/** Some levels brighter inside a box, without a passage. */
function brightened(frame: Image, box: Box, levels: number): Image {
  const data = Uint8Array.from(frame.data);
  for (let y = Math.round(box.y1); y < Math.min(frame.height, box.y2); y++)
    for (let x = Math.round(box.x1); x < box.x2; x++)
      for (let c = 0; c < 3; c++) {
        const at = (y * frame.width + x) * 3 + c;
        data[at] = Math.max(0, Math.min(255, data[at]! + levels));
      }
  return image(frame.width, frame.height, 3, data);
}

/** The picture shifted so that what was in one box is in the other. */
function moved(frame: Image, from: Box, to: Box): Image {
  const [dx, dy] = [Math.round(from.x1 - to.x1), Math.round(from.y1 - to.y1)];
  const result = image(frame.width, frame.height, 3);
  for (let y = 0; y < frame.height; y++) {
    for (let x = 0; x < frame.width; x++) {
      const u = Math.min(frame.width - 1, Math.max(0, x + dx));
      const v = Math.min(frame.height - 1, Math.max(0, y + dy));
      for (let c = 0; c < 3; c++)
        result.data[(y * frame.width + x) * 3 + c] = frame.data[(v * frame.width + u) * 3 + c]!;
    }
  }
  return result;
}

/** `source` laid over `frame` inside an ellipse in the box, with a wide soft edge. */
function pastedSoftly(frame: Image, source: Image, { x1, x2, y1, y2 }: Box): Image {
  const data = Uint8Array.from(frame.data);
  for (let y = 0; y < frame.height; y++) {
    for (let x = 0; x < frame.width; x++) {
      const u = (x - (x1 + x2) / 2) / ((x2 - x1) / 2);
      const v = (y - (y1 + y2) / 2) / ((y2 - y1) / 2);
      const share = Math.min(1, Math.max(0, (1 - Math.hypot(u, v)) / 0.35));
      if (share === 0) continue;
      for (let c = 0; c < 3; c++) {
        const at = (y * frame.width + x) * 3 + c;
        data[at] = Math.round(data[at]! * (1 - share) + source.data[at]! * share);
      }
    }
  }
  return image(frame.width, frame.height, 3, data);
}
