/** The last stage of a dub: frames become a file, in one piece or in segments that survive an interruption. */
import { access, mkdir, rm, rmdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Image } from '../image/image.ts';
import { isPlanar, type PlanarImage } from '../image/planar.ts';
import type { EncodeOptions } from '../media/encoder.ts';
import { joinSegments, type WrittenVideo } from '../media/join-segments.ts';
import { outputFormat, settle } from '../media/output.ts';
import { writeImage } from '../media/write-frames.ts';
import { type Segment, writeSegment } from '../media/write-segment.ts';
import { writeVideo } from '../media/write-video.ts';

/** How the frames become a file, and what else is made of them. */
export interface ResultOptions extends EncodeOptions {
  /** Sound file that goes with the frames. */
  readonly sound: string;
  readonly overwrite: boolean;
  /** How many frames there will be. */
  readonly frameCount: number;
  /** Folder for PNG files of the frames. */
  readonly framesFolder: string | undefined;
  /** Folder that keeps finished segments for a later run, where the dub shall be resumable. */
  readonly segmentsFolder: string | undefined;
  /** Frames that are drawn together; segments hold whole numbers of them. */
  readonly batchSize: number;
}

/** The frames of the result from a given one on. */
export type FramesFrom = (start: number) => AsyncGenerator<Image | PlanarImage, void, undefined>;

/**
 * Writes the result, whole or not at all.
 *
 * @throws MuseTalkError CANNOT_WRITE, MEDIA_TOOL; whatever the frames throw.
 */
export async function writeResult(
  output: string,
  framesFrom: FramesFrom,
  options: ResultOptions,
): Promise<WrittenVideo> {
  const { framesFolder, segmentsFolder, sound, ...encode } = options;
  if (segmentsFolder !== undefined) return writeResumable(output, framesFrom, { ...options, segmentsFolder });
  const pictures = new PictureFiles(framesFolder);
  try {
    return await writeVideo(output, pictures.saved(framesFrom(0)), { ...encode, sound: { path: sound } });
  } catch (error) {
    await pictures.remove();
    throw error;
  }
}

/** Seconds of video in a segment: what is drawn again at most after an interruption. */
const SEGMENT_SECONDS = 2;

async function writeResumable(
  output: string,
  framesFrom: FramesFrom,
  options: ResultOptions & { segmentsFolder: string },
): Promise<WrittenVideo> {
  await mkdir(options.segmentsFolder, { recursive: true });
  const segments = planSegments(options).map((segment) => ({
    ...segment,
    path: join(options.segmentsFolder, segment.name),
  }));
  await writeSegments(segments, framesFrom, { ...options, output });
  return joinTo(output, segments, { ...options, folder: options.segmentsFolder });
}

/** A stretch of the result that is a file of its own, begins with a keyframe, and holds whole batches of frames. */
export interface PlannedSegment {
  /** Name of its file. */
  readonly name: string;
  /** Number of its first frame. */
  readonly start: number;
  readonly frameCount: number;
}

/** The segments of a result: the same ones whoever draws them. */
export function planSegments({
  frameCount,
  fps,
  batchSize,
}: Pick<ResultOptions, 'frameCount' | 'fps' | 'batchSize'>): PlannedSegment[] {
  const length = Math.ceil((SEGMENT_SECONDS * fps.num) / fps.den / batchSize) * batchSize;
  return Array.from({ length: Math.ceil(frameCount / length) }, (_, i) => ({
    name: `${String(i).padStart(6, '0')}.mp4`,
    start: i * length,
    frameCount: Math.min(length, frameCount - i * length),
  }));
}

/** How segments are encoded. */
export interface SegmentOptions extends EncodeOptions {
  /** The result that they become: its kind decides on the encoder. */
  readonly output: string;
  /** Folder for PNG files of the frames. */
  readonly framesFolder?: string | undefined;
}

/**
 * Writes those of neighbouring segments that are not there yet.
 *
 * @throws MuseTalkError CANNOT_WRITE, MEDIA_TOOL; whatever the frames throw.
 */
export async function writeSegments(
  segments: readonly (PlannedSegment & Segment)[],
  framesFrom: FramesFrom,
  { output, framesFolder, ...rest }: SegmentOptions,
): Promise<void> {
  const encode = { ...rest, encoder: outputFormat(output).encoders[0] };
  const missing = segments.slice(await countDone(segments, framesFolder));
  if (missing.length === 0) return;
  const { start } = missing[0]!;
  const frames = new PictureFiles(framesFolder).saved(framesFrom(start), start);
  try {
    for (const { path, frameCount } of missing) await writeSegment(path, take(frames, frameCount), encode);
  } finally {
    await frames.return();
  }
}

/** How segments become a result. */
export interface JoinToOptions extends Pick<EncodeOptions, 'fps' | 'signal'> {
  readonly sound: string;
  /** Where the result is put together, so that a process killed meanwhile leaves nothing elsewhere. */
  readonly folder: string;
}

/** Joins segments, without encoding a picture again, and adds the sound. @throws MuseTalkError CANNOT_WRITE. */
export async function joinTo(
  output: string,
  segments: readonly Segment[],
  { fps, signal, sound, folder }: JoinToOptions,
): Promise<WrittenVideo> {
  const joined = join(folder, `joined${extname(output)}`);
  const options = { fps, signal, overwrite: true, sound: { path: sound } };
  const written = await joinSegments(joined, segments, options);
  await settle(joined, output);
  return { ...written, path: output };
}

/** How many segments are finished, from the first on. */
async function countDone(
  segments: readonly (PlannedSegment & Segment)[],
  framesFolder: string | undefined,
): Promise<number> {
  for (const [i, { path, start, frameCount }] of segments.entries()) {
    const files = [path];
    if (framesFolder) for (let k = 0; k < frameCount; k++) files.push(pictureFile(framesFolder, start + k));
    const there = await Promise.all(files.map(isThere));
    if (!there.every(Boolean)) return i;
  }
  return segments.length;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** The next `count` items; leaves the source open. */
async function* take<T>(source: AsyncIterator<T, void, undefined>, count: number): AsyncGenerator<T> {
  for (let i = 0; i < count; i++) {
    const { value, done } = await source.next();
    if (done) return;
    yield value;
  }
}

function pictureFile(folder: string, frame: number): string {
  return join(folder, `${String(frame).padStart(8, '0')}.png`);
}

/** Writes frames as they pass, and knows which ones, to take them back. */
class PictureFiles {
  readonly #folder: string | undefined;
  readonly #written: string[] = [];
  #made = false;

  constructor(folder: string | undefined) {
    this.#folder = folder;
  }

  async *saved(
    frames: AsyncGenerator<Image | PlanarImage, void, undefined>,
    start = 0,
  ): AsyncGenerator<Image | PlanarImage, void, undefined> {
    const folder = this.#folder;
    if (folder === undefined) {
      yield* frames;
      return;
    }
    this.#made = (await mkdir(folder, { recursive: true })) !== undefined;
    let index = start;
    for await (const frame of frames) {
      if (isPlanar(frame)) throw new TypeError('pictures are written of RGB frames alone');
      const path = pictureFile(folder, index++);
      await writeImage(path, frame);
      this.#written.push(path);
      yield frame;
    }
  }

  /** Removes what was written, and the folder if it was made for it. */
  async remove(): Promise<void> {
    for (const path of this.#written) await rm(path, { force: true });
    if (this.#made) await rmdir(this.#folder!).catch(() => {});
  }
}
