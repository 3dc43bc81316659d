/** The quality of a dub, measured on the file: how well lips and sound agree, and what a viewer may see. */
import { MuseTalkError } from '../core/errors.ts';
import { builtinFinder } from '../face/builtin.ts';
import type { FaceChoice, FaceFinder } from '../face/finder.ts';
import { loadFaceModels } from '../face/models.ts';
import { hearOpening } from '../lips/heard-opening.ts';
import { measureSync } from '../lips/lip-lag.ts';
import { findSyncNet } from '../lips/sync-files.ts';
import { openSyncJudge, type SyncJudge } from '../lips/sync-judge.ts';
import type { MediaLimits } from '../media/limits.ts';
import { openVideo } from '../media/open-video.ts';
import { toNumber } from '../media/rate.ts';
import { readSound } from '../media/read-sound.ts';
import type { SoundSource, VideoSource } from '../media/source.ts';
import { modelsFolder } from '../nn/folders.ts';
import { closedMouth } from '../sound/silence.ts';
import { fitSource } from './fit-source.ts';
import { LIMITS } from './limits.ts';
import type { Measured } from './measured.ts';
import { type MouthSeries, movementInSilence, movementInSpeech } from './mouth.ts';
import { measurePixels, type PairedSource } from './pixels.ts';
import type { QualityReport } from './result.ts';
import { type SeenFaces, seeFaces, sketchVideo } from './seen-faces.ts';
import { askSyncNet, type SyncNetSays } from './sync-net.ts';
import { type Thumbnail, thumbnailsOf } from './thumbnails.ts';
import { readTiming } from './timing.ts';
import { writeUp } from './write-up.ts';

/** What is looked at. */
export interface ReportFiles {
  /** The dub. */
  readonly video: string;
  /** The video that was dubbed: with it, colours, seams, sharpness and the order of frames are told for certain. */
  readonly source?: string | undefined;
  /** The sound that the mouth should say; the dub's own by default. */
  readonly sound?: string | undefined;
}

/** The stages of a report, in their order. */
export type ReportStage = 'faces' | 'source' | 'sound' | 'pixels';

/** What stands around a report. */
export interface ReportRun {
  /** Which face is measured; the largest by default. */
  readonly choice?: FaceChoice | undefined;
  /** A face finder that gives meshes, used instead of the built-in one and left open. */
  readonly finder?: FaceFinder | undefined;
  /** Folder of mini's bundle; the one of the package by default. */
  readonly mini?: string | undefined;
  /** Folder of models, asked only for a SyncNet; the usual one by default. */
  readonly models?: string | undefined;
  readonly limits?: Partial<MediaLimits> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { stage: ReportStage; done: number; total: number }) => void) | undefined;
}

/** A report with the pictures of its worst moments. */
export interface ReportResult {
  readonly report: QualityReport;
  readonly thumbnails: readonly Thumbnail[];
}

/**
 * Measures a dub. Pixels of a few frames are held at a time; every other number takes some 5 KB a frame.
 *
 * @throws MuseTalkError as the reading of video and sound does; the signal's reason after an abort.
 */
export async function reportOn(files: ReportFiles, run: ReportRun = {}): Promise<ReportResult> {
  const { signal, limits } = run;
  const notes: string[] = [];
  const video = await openVideo(files.video, { limits, signal });
  const source = await openSource(files, video, notes, run);
  const sound = await openSound(files, notes, run);
  const finder = run.finder ?? builtinFinder(await loadFaceModels());
  try {
    const { seen, measured, paired } = await measure(files, { video, source, sound }, finder, run);
    const syncNet = sound && (await judgeSync({ video, faces: seen.faces, sound }, notes, run));
    if (!source)
      notes.push(
        'Without --source, frames left out or repeated, seams, colours and changes outside the face cannot be told.',
      );
    if (measured.sync && measured.sync.offset === null)
      notes.push(
        'Lips and sound agree at no lag clearly better than at others: nothing is said about their offset.',
      );
    if (measured.sync?.by === 'loudness')
      notes.push(
        'The bundled model that hears phones is not there: lips are compared with loudness, which needs longer and clearer speech.',
      );
    const report = writeUp(files, { video, sound }, { ...measured, syncNet }, notes);
    const thumbnails = await thumbnailsOf(report.findings, video, seen.faces, paired, signal);
    return { report, thumbnails };
  } finally {
    if (!run.finder) await finder.close();
  }
}

interface Opened {
  readonly video: VideoSource;
  readonly source: VideoSource | undefined;
  readonly sound: SoundSource | undefined;
}

async function openSource(
  { source: path }: ReportFiles,
  video: VideoSource,
  notes: string[],
  { limits, signal }: ReportRun,
): Promise<VideoSource | undefined> {
  if (path === undefined) return undefined;
  const source = await openVideo(path, { fps: video.fps, limits, signal });
  // A dub of a source of odd size has a pixel more.
  const fits = (a: number, b: number) => a - b >= 0 && a - b <= 1;
  if (fits(video.width, source.width) && fits(video.height, source.height)) return source;
  notes.push(
    `The source has ${source.width}×${source.height} pixels and the dub ${video.width}×${video.height}: they are not compared.`,
  );
  return undefined;
}

async function openSound(
  { sound, video }: ReportFiles,
  notes: string[],
  { limits, signal }: ReportRun,
): Promise<SoundSource | undefined> {
  try {
    return await readSound(sound ?? video, { limits, signal });
  } catch (error) {
    if (sound !== undefined || !(error instanceof MuseTalkError) || error.code !== 'NO_SOUND') throw error;
    notes.push('The video has no sound: give it with --sound, so that lips can be compared with it.');
    return undefined;
  }
}

/** Frames from one detection to the next: where a face was dubbed it is tracked, and lost it is detected anew. */
const DETECT_EVERY = 100;

async function measure(
  files: ReportFiles,
  { video, source, sound }: Opened,
  finder: FaceFinder,
  run: ReportRun,
): Promise<{ seen: SeenFaces; measured: Omit<Measured, 'syncNet'>; paired: PairedSource | undefined }> {
  const { signal, onProgress } = run;
  const watching = (stage: ReportStage, total: number) => ({
    signal,
    onFrame: (done: number) => onProgress?.({ stage, done, total }),
  });
  const fps = toNumber(video.fps);
  const frames = video.frameCount;
  const find = { choice: run.choice, detectEvery: DETECT_EVERY };
  const seen = await seeFaces(video, finder, find, watching('faces', frames));
  const alignment =
    source && fitSource(seen, await sketchVideo(source, watching('source', source.frameCount)), video);
  const paired = source && alignment && { video: source, frames: alignment.sources };

  onProgress?.({ stage: 'sound', done: 0, total: 0 });
  const opening = Float32Array.from(seen.faces, (face) => face?.opening ?? Number.NaN);
  const movement = Float32Array.from(seen.faces, (face) => face?.movement ?? Number.NaN);
  const heard = sound && (await hearOpening(sound, { fps: video.fps, frames, folder: run.mini, signal }));
  const silence = sound && (await silenceOf(sound, video));
  const mouth = silence && { fps, opening, movement, silence, heard: heard?.opening };
  const sync = heard && {
    by: heard.by,
    heard: heard.opening,
    ...measureSync(mouth ? withoutFaults(mouth) : opening, heard.opening, { fps, by: heard.by }),
  };

  const look = await measurePixels(video, seen.faces, paired, watching('pixels', frames));
  const { series: pixels, colors } = look;
  const timing = video.kind === 'video' ? await readTiming(files.video, signal) : undefined;
  const measured = { fps, faces: seen.faces, pixels, mouth, sync, alignment, colors, timing };
  return { seen, measured, paired };
}

/** What the SyncNet of the models folder says; undefined, and a note, where there is none that can be used. */
async function judgeSync(
  seen: Parameters<typeof askSyncNet>[1],
  notes: string[],
  { models, signal, onProgress }: ReportRun,
): Promise<SyncNetSays | undefined> {
  let judge: SyncJudge;
  try {
    const file = await findSyncNet(modelsFolder(models));
    if (!file) {
      notes.push('SyncNet is not in the models folder (musetalk models pull syncnet): it was not asked.');
      return undefined;
    }
    judge = await openSyncJudge(file);
  } catch (error) {
    if (!(error instanceof MuseTalkError)) throw error;
    notes.push(`SyncNet was not asked: ${error.message}.`);
    return undefined;
  }
  try {
    return await askSyncNet(judge, seen, {
      signal,
      onWindow: (done, total) => onProgress?.({ stage: 'sound', done, total }),
    });
  } finally {
    await judge.close();
  }
}

/**
 * The opening, without stretches in which the mouth has nothing to do with the sound: they agree with any lag. A mouth
 * that moves in some silence may do so in all of it.
 */
function withoutFaults(mouth: MouthSeries): Float32Array {
  const opening = Float32Array.from(mouth.opening);
  for (const { start, end, value } of movementInSpeech(mouth))
    if (value < LIMITS.speech) opening.fill(Number.NaN, start, end);
  const silent = movementInSilence(mouth);
  if (silent.some(({ value }) => value > LIMITS.silence))
    for (const { start, end } of silent) opening.fill(Number.NaN, start, end);
  return opening;
}

async function silenceOf(sound: SoundSource, { fps, frameCount }: VideoSource): Promise<Float32Array> {
  // Where the sound has ended there is silence.
  const silence = new Float32Array(frameCount).fill(1);
  let frame = 0;
  for await (const weight of closedMouth(sound.samples(), { fps })) {
    if (frame === frameCount) break;
    silence[frame++] = weight;
  }
  return silence;
}
