/** Faults put into a good video on purpose, one at a time, for what must notice them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Box } from '../src/core/box.ts';
import { builtinFinder } from '../src/face/builtin.ts';
import { loadFaceModels } from '../src/face/models.ts';
import { gaussianBlur } from '../src/image/blur.ts';
import { type Image, image } from '../src/image/image.ts';
import { openVideo } from '../src/media/open-video.ts';
import { readWholeSound } from '../src/media/read-sound.ts';
import { writeVideo } from '../src/media/write-video.ts';
import { seeFaces } from '../src/report/seen-faces.ts';
import { make, wav } from './media-fixtures.ts';

/** A fault; `none` is a video that was only encoded again, as every dub is. */
export type Fault =
  | 'none'
  | 'late sound'
  | 'early sound'
  | 'colour matrix'
  | 'dropped and doubled frame'
  | 'seam'
  | 'frozen mouth'
  | 'moves in silence'
  | 'blurred mouth';

/** The clip with a fault, written to `folder`. */
export async function withFault(
  clip: string,
  fault: Fault,
  folder: string,
  name = 'faulty.mp4',
): Promise<string> {
  const output = join(folder, name);
  if (fault === 'colour matrix')
    return make(
      output,
      '-i',
      clip,
      '-vf',
      'scale=in_color_matrix=bt601:out_color_matrix=bt709',
      '-c:v',
      'libx264',
      '-crf',
      '18',
      '-pix_fmt',
      'yuv420p',
      '-c:a',
      'copy',
    );
  const video = await openVideo(clip);
  const frames: Image[] = [];
  for await (const frame of video.frames()) frames.push(frame);
  await writeVideo(output, pictures(await changed(frames, clip, fault)), {
    ...{ fps: video.fps, width: video.width, height: video.height, color: video.color, preset: 'veryfast' },
    sound: { path: await soundOf(clip, fault, folder) },
    overwrite: true,
  });
  return output;
}

async function* pictures(frames: readonly Image[]): AsyncGenerator<Image> {
  yield* frames;
}

async function soundOf(clip: string, fault: Fault, folder: string): Promise<string> {
  const samples = await readWholeSound(clip);
  const shift = { 'late sound': 1, 'early sound': -1 }[fault as string];
  if (shift === undefined && fault !== 'moves in silence') return clip;
  const result = new Float32Array(samples.length);
  const frames = 3 * 640 * (shift ?? 0);
  for (let i = 0; i < result.length; i++) result[i] = samples[i - frames] ?? 0;
  // From the middle of the sentence on there is only the room.
  if (shift === undefined)
    for (let i = 0.4 * result.length; i < result.length; i++) result[Math.floor(i)]! *= 0.001;
  const path = join(folder, `${fault}.wav`);
  const bytes = Buffer.alloc(result.length * 2);
  for (const [i, sample] of result.entries())
    bytes.writeInt16LE(Math.round(Math.max(-1, Math.min(1, sample)) * 32767), 2 * i);
  await writeFile(path, wav(bytes));
  return path;
}

async function changed(frames: readonly Image[], clip: string, fault: Fault): Promise<Image[]> {
  const middle = Math.floor(frames.length / 2);
  if (fault === 'dropped and doubled frame') {
    const order = frames.map((_, i) => (i >= middle - 10 && i < middle + 12 ? i + 1 : i));
    return order.map((i) => frames[i]!);
  }
  if (fault !== 'seam' && fault !== 'frozen mouth' && fault !== 'blurred mouth') return [...frames];
  const faces = await facesOf(clip);
  return frames.map((frame, i) => {
    const face = faces[i];
    if (!face) return frame;
    if (fault === 'seam') return brightened(frame, lowerHalf(face.box));
    if (fault === 'blurred mouth') return pastedSoftly(frame, gaussianBlur(frame, 9), grownBox(face.mouth));
    const still = i >= middle - 18 && i < middle + 18 ? middle - 18 : i;
    const from = faces[still] ?? face;
    return pastedSoftly(frame, moved(frames[still]!, from.box, face.box), lowerHalf(face.box));
  });
}

async function facesOf(clip: string) {
  const finder = builtinFinder(await loadFaceModels());
  try {
    return (await seeFaces(await openVideo(clip), finder, {}, {})).faces;
  } finally {
    await finder.close();
  }
}

function lowerHalf({ x1, x2, y1, y2 }: Box): Box {
  return { x1: x1 + (x2 - x1) * 0.1, x2: x2 - (x2 - x1) * 0.1, y1: y1 + (y2 - y1) * 0.55, y2 };
}

function grownBox({ x1, x2, y1, y2 }: Box): Box {
  const [w, h] = [x2 - x1, y2 - y1];
  return { x1: x1 - w / 2, x2: x2 + w / 2, y1: y1 - h, y2: y2 + h };
}

/** Eight levels brighter inside a box, without a passage. */
function brightened(frame: Image, box: Box): Image {
  const data = Uint8Array.from(frame.data);
  for (let y = Math.round(box.y1); y < Math.min(frame.height, box.y2); y++)
    for (let x = Math.round(box.x1); x < box.x2; x++)
      for (let c = 0; c < 3; c++) {
        const at = (y * frame.width + x) * 3 + c;
        data[at] = Math.min(255, data[at]! + 8);
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
