/** One frame as a dub would see it, before anything long is started: the face, its box, what may change. */
import { parsingFolder } from '../avatar/parsing-folder.ts';
import type { BlendMask } from '../compositing/masks.ts';
import type { Box, Point } from '../core/box.ts';
import { MuseTalkError } from '../core/errors.ts';
import { literalCropBox, type ShiftRoom, shiftRange } from '../face/crop-box.ts';
import type { FaceFinder, FoundFace, NumberedImage } from '../face/finder.ts';
import type { FaceParser } from '../face/parse.ts';
import type { Image } from '../image/image.ts';
import { openVideo } from '../media/open-video.ts';
import { toNumber } from '../media/rate.ts';
import type { VideoSource } from '../media/source.ts';
import type { PreviewSettings } from '../options/preview.ts';
import { faceChoice, openFinder, openParser } from './faces.ts';
import {
  boxOf,
  bySkull,
  type DrawnBy,
  drawnByOf,
  maskOf,
  noFace,
  type Seen,
  type Shown,
  versionOf,
} from './preview-framing.ts';
import { drawn, type ShiftRange, sheet } from './preview-picture.ts';

/** What a preview shows, as a picture and in numbers. */
export interface Preview {
  readonly picture: Image;
  /** Number of the frame. */
  readonly frame: number;
  /** Whose way of framing a face is shown: that of the model that would draw. */
  readonly drawnBy: DrawnBy;
  /** What is cut out and pasted back, in pixels of the frame. */
  readonly box: Box;
  /** How sure the finder is, 0 … 1, and how many faces it saw. */
  readonly score: number;
  readonly faces: number;
  /** `parsing`: a network or given maps say what may change; `landmarks`: the mask is drawn from the points. */
  readonly mask: 'parsing' | 'landmarks';
  /** Values of `bboxShift` that make sense, over `framesSeen` frames. */
  readonly range: ShiftRange;
  readonly framesSeen: number;
  readonly warnings: readonly string[];
  /** Where they were asked for. */
  readonly layers?: PreviewLayers | undefined;
}

/** What a preview is made of, for those who lay it over each other by themselves. Positions in pixels of the frame. */
export interface PreviewLayers {
  /** The frame without marks. */
  readonly frame: Image;
  readonly mask: BlendMask;
  /** 68 points. */
  readonly landmarks: readonly Point[];
  /** The box round the face that the finder saw. */
  readonly face: Box;
  /** The boxes of the faces in this frame, the largest first, at most eight. */
  readonly found: readonly Box[];
}

/** What stands around a preview. */
export interface PreviewRun {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
  /** A face finder, used instead of the one that the options name, and left open. */
  readonly finder?: FaceFinder | undefined;
  /** Give the layers too. */
  readonly layers?: boolean | undefined;
}

/** Faces that are listed at most. */
const MOST_FACES = 8;

/** Frames over which the range of a sweep is measured: enough for its means, quickly read. */
const SWEEP_FRAMES = 250;

/**
 * Draws on one frame of a video what a dub would do there: in red what may change, in green the box that is cut out,
 * in yellow the line below which it is drawn anew, in blue the landmarks. Box and mask are those of the model that
 * would draw: mini frames a face by its skull, and has no use for `bboxShift` and its like. With `sweep`: a sheet of
 * the values of `bboxShift`, MuseTalk's in any case.
 *
 * @throws MuseTalkError NO_FACE, BAD_OPTION for a frame that is not there or a sweep of mini, and what the video and
 * the finder throw.
 */
export async function preview(
  path: string,
  settings: PreviewSettings,
  run: PreviewRun = {},
): Promise<Preview> {
  const { signal } = run;
  const video = await openVideo(path, { signal });
  const frame = frameOf(video, settings);
  const drawnBy = await drawnByOf(settings);
  const finder = run.finder ?? (await openFinder(settings, drawnBy === 'mini' ? 'mesh' : 'points'));
  let parser: FaceParser | undefined;
  try {
    const shown = await findIn(video, finder, frame, settings, signal);
    const rooms = settings.sweep
      ? await roomsOf(video, finder, settings, run)
      : [roomOf(shown.face, settings)];
    const range = shiftRange(rooms)!;
    if (drawnBy !== 'mini' && settings.parsing === undefined) parser = await openParser(settings);
    const given = settings.parsing === undefined ? undefined : await parsingFolder(settings.parsing);
    const parse = drawnBy === 'mini' ? undefined : (given ?? parser?.parse);
    const skull = drawnBy === 'mini' ? await bySkull(video, finder, frame, settings, signal) : undefined;
    const seen: Seen = { ...shown, video, parse, skull, settings, signal };
    const picture = settings.sweep ? await sheet(seen, range) : await drawn(seen, settings.bboxShift);
    return {
      ...{ picture, frame, drawnBy, box: boxOf(seen, settings.bboxShift) },
      ...{ score: shown.face.score, faces: shown.faces, mask: parse ? 'parsing' : 'landmarks' },
      ...{ range, framesSeen: rooms.length, warnings: video.warnings },
      ...(run.layers && { layers: await layersOf(seen, finder) }),
    };
  } finally {
    await parser?.close();
    if (run.finder === undefined) await finder.close();
  }
}

function frameOf(video: VideoSource, { frame, time }: PreviewSettings): number {
  if (frame !== undefined && time !== undefined)
    throw new MuseTalkError('BAD_OPTION', 'a frame is named by its number and by its time', {
      hint: 'Give either --frame or --time.',
    });
  const wanted = time === undefined ? (frame ?? 0) : Math.floor(time * toNumber(video.fps) + 1e-6);
  if (wanted < video.frameCount) return wanted;
  throw new MuseTalkError('BAD_OPTION', `${video.path} has no frame ${wanted}`, {
    hint: `It has ${video.frameCount}: 0 … ${video.frameCount - 1}, ${video.duration.toFixed(2)} s.`,
    facts: { wanted, frames: video.frameCount },
  });
}

async function findIn(
  video: VideoSource,
  finder: FaceFinder,
  index: number,
  { face: words }: PreviewSettings,
  signal: AbortSignal | undefined,
): Promise<Shown> {
  const kept: NumberedImage[] = [];
  async function* one() {
    for await (const frame of video.frames(index, index + 1)) {
      kept.push(frame);
      yield frame;
    }
  }
  for await (const { face, faces } of finder.find(one(), { choice: faceChoice(words) }, signal))
    if (face) return { frame: kept[0]!, face, faces };
  throw noFace(index, video);
}

async function roomsOf(
  video: VideoSource,
  finder: FaceFinder,
  settings: PreviewSettings,
  { signal, onProgress }: PreviewRun,
): Promise<ShiftRoom[]> {
  const total = Math.min(video.frameCount, SWEEP_FRAMES);
  const rooms: ShiftRoom[] = [];
  const choice = faceChoice(settings.face);
  for await (const { index, face } of finder.find(video.frames(0, total), { choice }, signal)) {
    if (face) rooms.push(roomOf(face, settings));
    onProgress?.({ done: index + 1, total });
  }
  return rooms;
}

function roomOf({ landmarks, box }: FoundFace, settings: PreviewSettings): ShiftRoom {
  return literalCropBox(landmarks, box, { version: versionOf(settings) })!.room;
}

async function layersOf(seen: Seen, finder: FaceFinder): Promise<PreviewLayers> {
  const { frame, face, settings } = seen;
  return {
    frame,
    mask: await maskOf(seen, boxOf(seen, settings.bboxShift)),
    ...{
      landmarks: seen.skull?.landmarks ?? face.landmarks,
      face: face.box,
      found: await facesIn(seen, finder),
    },
  };
}

/** Every face of the frame, asked for one by one: the finder follows one at a time. */
async function facesIn({ frame, faces, face, signal }: Seen, finder: FaceFinder): Promise<Box[]> {
  if (faces <= 1) return [face.box];
  const found: Box[] = [];
  for (let choice = 0; choice < Math.min(faces, MOST_FACES); choice++) {
    for await (const { face } of finder.find(only(frame), { choice }, signal)) if (face) found.push(face.box);
  }
  return found;
}

async function* only(frame: NumberedImage): AsyncGenerator<NumberedImage> {
  yield frame;
}
