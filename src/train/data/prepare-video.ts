/** Cuts the stretches of a video that show one face without a break, and writes what can be learned from them. */
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Box } from '../../core/box.ts';
import { MuseTalkError } from '../../core/errors.ts';
import { tensor } from '../../core/tensor.ts';
import { builtinFinder } from '../../face/builtin.ts';
import { cropBox } from '../../face/crop-box.ts';
import type { FoundFace, FrameFace } from '../../face/finder.ts';
import type { FaceModels } from '../../face/models.ts';
import { runsOf, smoothFaces } from '../../face/smooth.ts';
import { type SteadyFrame, steadyShot } from '../../face/steady-box.ts';
import type { Image } from '../../image/image.ts';
import { resample } from '../../image/resample.ts';
import type { OpeningEars } from '../../lips/heard-opening.ts';
import { measureSync } from '../../lips/lip-lag.ts';
import { openVideo } from '../../media/open-video.ts';
import { readSound } from '../../media/read-sound.ts';
import type { SoundSource, VideoSource } from '../../media/source.ts';
import { writeSafetensors } from '../../nn/weights/write-safetensors.ts';
import type { PrepareSettings } from '../../options/train.ts';
import { SAMPLE_RATE } from '../../sound/mel.ts';
import { CROP_SIZE } from '../mini/face-batches.ts';
import { LIP_NUMBERS, lipShape } from '../mini/lip-code.ts';
import { cutWithMargin } from '../mini/prepare-clip.ts';
import { unionBox } from '../reference-choice.ts';
import { writePictures } from './packed-pictures.ts';
import { type ClipEntry, clipFile } from './prepared.ts';
import { writeWav } from './wav.ts';

/** Frames a second of all prepared data. */
const DATA_RATE = 25;

/** Which video, and where its clips go under which name. */
export interface PrepareTask {
  readonly video: string;
  readonly name: string;
  readonly speaker: string;
  readonly data: string;
}

/** What preparing needs. */
export interface PrepareContext {
  readonly models: FaceModels;
  readonly ears: OpeningEars;
  readonly settings: PrepareSettings;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes the clips of a video.
 *
 * @returns the clips, and a sentence for each part that was left out
 * @throws MuseTalkError NO_FACE when no part can be used, or what reading the video throws.
 */
export async function prepareVideo(
  task: PrepareTask,
  { models, ears, settings, signal }: PrepareContext,
): Promise<{ clips: ClipEntry[]; left: string[] }> {
  const video = await openVideo(task.video, { fps: DATA_RATE, signal });
  const faces: FrameFace[] = [];
  for await (const face of builtinFinder(models).find(video.frames(), {}, signal)) faces.push(face);
  const { stretches, left } = usable(faces, settings);
  if (stretches.length === 0) throw new MuseTalkError('NO_FACE', left[0]!, { facts: { video: task.video } });
  const sound = await readSound(task.video, { signal }).catch((error) => {
    if (error instanceof MuseTalkError && error.code === 'NO_SOUND') return undefined;
    throw error;
  });
  if (!sound) left.push('it has no sound, so only pictures can be learned from it');
  await mkdir(join(task.data, 'clips'), { recursive: true });
  const clips: ClipEntry[] = [];
  for (const [i, { start, end }] of stretches.entries()) {
    const clip = stretches.length === 1 ? task.name : `${task.name}-${String(i + 1).padStart(4, '0')}`;
    const frames = end - start;
    const { faceWidth, openings } = await writeFace(
      { ...task, clip },
      { video, faces: faces.slice(start, end), start },
    );
    const off = sound && (await offsetOf(openings, { sound, start }, { ears, signal }));
    if (off !== undefined && Math.abs(off) > settings.maxOffset) {
      left.push(`${offsetText(off, { start, end })}${settings.shiftSound ? ', and was moved' : ''}`);
      if (!settings.shiftSound) {
        await removeClip(task.data, clip);
        continue;
      }
    }
    const shifted = off !== undefined && Math.abs(off) > settings.maxOffset ? off : 0;
    if (sound) {
      const samples = samplesAt(sound, start, end, shifted);
      await writeWav(clipFile(task.data, clip, 'wav'), samples, samplesOf(frames));
    }
    clips.push({
      ...{ clip, speaker: task.speaker, video: task.video, first: start, frames },
      ...{ width: video.width, height: video.height, faceWidth, sound: sound !== undefined },
      ...(shifted !== 0 && { shifted }),
    });
  }
  if (clips.length === 0)
    throw new MuseTalkError('WRONG_FILE', left.at(-1)!, { facts: { video: task.video } });
  return { clips, left };
}

/**
 * Seconds by which the sound comes after the lips, where that can be told: with another language, much noise or
 * little speech it cannot.
 */
async function offsetOf(
  openings: readonly number[],
  { sound, start }: { sound: SoundSource; start: number },
  { ears, signal }: Pick<PrepareContext, 'ears' | 'signal'>,
): Promise<number | undefined> {
  const frames = openings.length;
  const part = { sampleCount: samplesOf(frames), samples: () => samplesAt(sound, start, start + frames, 0) };
  const { opening, by } = await ears.hear(part, { fps: { num: DATA_RATE, den: 1 }, frames, signal });
  const { offset } = measureSync(openings, opening, { fps: DATA_RATE, by });
  return offset ?? undefined;
}

function offsetText(offset: number, { start, end }: Stretch): string {
  const which = offset > 0 ? 'after' : 'before';
  const from = (start / DATA_RATE).toFixed(1);
  const to = (end / DATA_RATE).toFixed(1);
  return `its sound comes ${Math.abs(offset).toFixed(2)} s ${which} the lips (${from} … ${to} s)`;
}

function samplesOf(frames: number): number {
  return Math.round((frames * SAMPLE_RATE) / DATA_RATE);
}

/** The sound of some frames, taken `shifted` seconds later; silence where there is none. */
async function* samplesAt(
  sound: SoundSource,
  start: number,
  end: number,
  shifted: number,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const by = Math.round(shifted * SAMPLE_RATE);
  const [from, to] = [samplesOf(start) + by, samplesOf(end) + by];
  if (from < 0) yield new Float32Array(Math.min(-from, to - from));
  if (to > 0) yield* sound.samples(Math.max(from, 0), to);
}

/** Files of a clip that is not kept after all. */
async function removeClip(data: string, clip: string): Promise<void> {
  const endings = ['crops', 'shapes', 'pictures', 'track.safetensors', 'json'];
  await Promise.all(endings.map((ending) => rm(clipFile(data, clip, ending), { force: true })));
}

interface Stretch {
  readonly start: number;
  /** Excluded. */
  readonly end: number;
}

/** Stretches long enough, with a face large enough, cut where they are too long. */
function usable(
  faces: readonly FrameFace[],
  { minSeconds, maxSeconds, minFace }: PrepareSettings,
): { stretches: Stretch[]; left: string[] } {
  const seen = faces.filter(({ face }) => face?.mesh).length;
  if (seen === 0) return { stretches: [], left: [`no face in any of ${faces.length} frames`] };
  const runs = runsOf(faces);
  const left: string[] = [];
  const short = runs.filter(({ start, end }) => end - start < minSeconds * DATA_RATE);
  const long = runs.filter((run) => !short.includes(run));
  const small = long.filter((run) => widthIn(faces, run) < minFace);
  if (short.length > 0) {
    const longest = Math.max(...short.map(({ start, end }) => end - start)) / DATA_RATE;
    left.push(
      `${short.length} stretches with a face are shorter than ${minSeconds} s (the longest has ${longest.toFixed(2)} s)`,
    );
  }
  if (small.length > 0) {
    const widest = Math.max(...small.map((run) => widthIn(faces, run)));
    left.push(`the face is ${widest.toFixed(0)} pixels wide, less than ${minFace}`);
  }
  if (seen < faces.length) left.push(`${faces.length - seen} of ${faces.length} frames show no face`);
  const stretches = long
    .filter((run) => !small.includes(run))
    .flatMap((run) => pieces(run, Math.round(maxSeconds * DATA_RATE)));
  return { stretches, left };
}

/** Equal pieces of at most `longest` frames. */
function pieces({ start, end }: Stretch, longest: number): Stretch[] {
  const count = Math.ceil((end - start) / longest);
  const at = (i: number) => start + Math.round((i * (end - start)) / count);
  return Array.from({ length: count }, (_, i) => ({ start: at(i), end: at(i + 1) }));
}

function widthIn(faces: readonly FrameFace[], { start, end }: Stretch): number {
  const widths = faces.slice(start, end).map(({ face }) => face!.box.x2 - face!.box.x1);
  return widths.sort((a, b) => a - b)[Math.floor(widths.length / 2)]!;
}

interface Source {
  readonly video: VideoSource;
  /** Of the frames from `start` on. */
  readonly faces: readonly FrameFace[];
  readonly start: number;
}

/** Side of the stored face, longer side, in pixels: the networks see 256 of the inner part. */
const STORED_BOX = 288;
/** Room round the boxes, as a part of their sides, and below in pixels of the video beside that. */
const ROOM = 0.12;
const ROOM_BELOW = 20;

/** Writes pictures, places, crops and lips; gives the width of the face and how far the lips open in each frame. */
async function writeFace(
  { data, clip, speaker, video: path }: PrepareTask & { clip: string },
  { video, faces, start }: Source,
): Promise<{ faceWidth: number; openings: number[] }> {
  const shot = steadyShot(faces.map(({ face }) => face!.mesh!));
  const smooth = smoothFaces(faces, { fps: DATA_RATE }).map(({ face }) => face!);
  const regions = smooth.map((face) => regionOf(face, video));
  const openings = shot.frames.map((frame) => frame!.opening);
  const shapes = new Float32Array(faces.length * LIP_NUMBERS);
  for (const [i, frame] of shot.frames.entries()) {
    const { aligned } = frame as SteadyFrame;
    shapes.set(lipShape(aligned, shot.neutral, { stride: 2, size: shot.reach }), i * LIP_NUMBERS);
  }
  const crops = await open(`${clipFile(data, clip, 'crops')}.part`, 'w');
  async function* stored(): AsyncGenerator<Image> {
    for await (const frame of video.frames(start, start + faces.length)) {
      const i = frame.index - start;
      await crops.write(cutWithMargin(frame, shot.frames[i]!.box).data);
      yield cutRegion(frame, regions[i]!);
    }
  }
  try {
    await writePictures(clipFile(data, clip, 'pictures'), stored());
  } finally {
    await crops.close();
  }
  await rename(`${clipFile(data, clip, 'crops')}.part`, clipFile(data, clip, 'crops'));
  await writeFile(clipFile(data, clip, 'shapes'), new Uint8Array(shapes.buffer));
  const numbers = (of: (face: FoundFace, i: number) => number[]) =>
    Float32Array.from(smooth.flatMap((face, i) => of(face, i)));
  const box = ({ x1, y1, x2, y2 }: Box) => [x1, y1, x2, y2];
  const count = faces.length;
  await writeSafetensors(clipFile(data, clip, 'track.safetensors'), [
    {
      name: 'landmarks',
      tensor: tensor(
        [count, 68, 2],
        numbers(({ landmarks }) => landmarks.flatMap(({ x, y }) => [x, y])),
      ),
    },
    {
      name: 'boxes',
      tensor: tensor(
        [count, 4],
        numbers((face) => box(face.box)),
      ),
    },
    {
      name: 'regions',
      tensor: tensor(
        [count, 4],
        numbers((_, i) => box(regions[i]!)),
      ),
    },
    { name: 'openings', tensor: tensor([count], Float32Array.from(openings)) },
  ]);
  await writeFile(
    clipFile(data, clip, 'json'),
    JSON.stringify({ name: clip, speaker, video: path, frames: count, openings, cropSize: CROP_SIZE }),
  );
  return { faceWidth: widthIn(faces, { start: 0, end: count }), openings };
}

/** What of a frame is kept: every box that a training may ask for, with room, inside the picture. */
function regionOf(face: FoundFace, { width, height }: VideoSource): Box {
  const inner = cropBox(face.landmarks, face.box, { version: '1.5', width, height, extraMargin: 0 });
  const outer = unionBox(face.box, face.landmarks);
  const all = inner
    ? {
        x1: Math.min(inner.x1, outer.x1),
        y1: Math.min(inner.y1, outer.y1),
        x2: Math.max(inner.x2, outer.x2),
        y2: Math.max(inner.y2, outer.y2),
      }
    : outer;
  const [across, down] = [ROOM * (all.x2 - all.x1), ROOM * (all.y2 - all.y1)];
  return {
    x1: Math.max(0, Math.floor(all.x1 - across)),
    y1: Math.max(0, Math.floor(all.y1 - down)),
    x2: Math.min(width, Math.ceil(all.x2 + across)),
    y2: Math.min(height, Math.ceil(all.y2 + down + ROOM_BELOW)),
  };
}

/** A region of a frame, made smaller where it has more pixels than are of use. */
function cutRegion(frame: Image, { x1, y1, x2, y2 }: Box): Image {
  const most = STORED_BOX * (1 + 2 * ROOM);
  const step = Math.max(1, Math.max(x2 - x1, y2 - y1) / most);
  const size = (length: number) => Math.max(1, Math.round(length / step));
  const [width, height] = [size(x2 - x1), size(y2 - y1)];
  return resample(
    frame,
    { start: x1, step: (x2 - x1) / width },
    { start: y1, step: (y2 - y1) / height },
    width,
    height,
  );
}
