/** One frame as a dub would see it, before anything long is started: the face, its box, what may change. */
import { parsingFolder } from '../avatar/parsing-folder.ts';
import { landmarkMask } from '../compositing/landmark-mask.ts';
import { type BlendMask, enlargedBox, MASK_STYLES, parsingMask, trimMask } from '../compositing/masks.ts';
import type { Box, Point } from '../core/box.ts';
import { MuseTalkError } from '../core/errors.ts';
import { cropBox, literalCropBox, type ShiftRoom, shiftRange } from '../face/crop-box.ts';
import type { FaceFinder, FoundFace, NumberedImage } from '../face/finder.ts';
import type { FaceParser } from '../face/parse.ts';
import { type Color, drawDot, drawNumber, fillBox, strokeBox, tint } from '../image/draw.ts';
import { type Image, image } from '../image/image.ts';
import { crop, paste } from '../image/paste.ts';
import { resizeLinear } from '../image/resize.ts';
import { layoutBySkull, miniMask, wholePixels } from '../lips/mini-layout.ts';
import { isMini } from '../lips/mini-networks.ts';
import type { Parse } from '../lips/musetalk.ts';
import { modelName } from '../lips/open-model.ts';
import { openVideo } from '../media/open-video.ts';
import { toNumber } from '../media/rate.ts';
import type { VideoSource } from '../media/source.ts';
import type { PreviewSettings } from '../options/preview.ts';
import { faceChoice, openFinder, openParser } from './faces.ts';

/** What a preview shows, as a picture and in numbers. */
export interface Preview {
  readonly picture: Image;
  /** Number of the frame. */
  readonly frame: number;
  /** Whose way of framing a face is shown: that of the model that would draw. */
  readonly drawnBy: 'mini' | '1.0' | '1.5';
  /** What is cut out and pasted back, in pixels of the frame. */
  readonly box: Box;
  /** How sure the finder is, 0 … 1, and how many faces it saw. */
  readonly score: number;
  readonly faces: number;
  /** `parsing`: a network or given maps say what may change; `landmarks`: the mask is drawn from the points. */
  readonly mask: 'parsing' | 'landmarks';
  /** Values of `bboxShift` that make sense, over `framesSeen` frames. */
  readonly range: { readonly lowest: number; readonly highest: number };
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

const GREEN: Color = [0, 230, 90];
const YELLOW: Color = [255, 220, 0];
const CYAN: Color = [0, 220, 255];
const RED: Color = [255, 60, 60];

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

/** The model that would draw. @throws MuseTalkError BAD_OPTION for a sweep of a model that has nothing to sweep. */
async function drawnByOf(settings: PreviewSettings): Promise<Preview['drawnBy']> {
  const name = await modelName(settings);
  if (name !== 'mini' && !(await isMini(name))) return versionOf(settings);
  if (!settings.sweep) return 'mini';
  if (settings.model === 'auto') return '1.5';
  throw new MuseTalkError('BAD_OPTION', 'mini frames a face by its skull: it has no shift to sweep', {
    hint: 'Leave out --sweep, or choose an official model with --model.',
  });
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

interface Shown {
  readonly frame: NumberedImage;
  readonly face: FoundFace;
  readonly faces: number;
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

/** Frames to either side by which mini's box is steadied; a whole shot would give nearly the same. */
const STEADIED_BY = 12;

/** Box and landmarks of the frame as mini's own layout gives them. */
async function bySkull(
  video: VideoSource,
  finder: FaceFinder,
  frame: number,
  { face: words }: PreviewSettings,
  signal: AbortSignal | undefined,
): Promise<Skull> {
  const first = Math.max(0, frame - STEADIED_BY);
  const frames = video.frames(first, Math.min(video.frameCount, frame + STEADIED_BY + 1));
  const { coords, landmarks } = await layoutBySkull(
    finder.find(frames, { choice: faceChoice(words) }, signal),
  );
  const box = coords[frame - first];
  if (box) return { box, landmarks: landmarks(frame - first) };
  throw noFace(frame, video);
}

function noFace(index: number, video: VideoSource): MuseTalkError {
  return new MuseTalkError('NO_FACE', `frame ${index} of ${video.path} shows no face that could be used`, {
    hint: 'Choose another with --frame or --time.',
    facts: { frame: index },
  });
}

function roomOf({ landmarks, box }: FoundFace, settings: PreviewSettings): ShiftRoom {
  return literalCropBox(landmarks, box, { version: versionOf(settings) })!.room;
}

function versionOf({ model, version }: PreviewSettings): '1.0' | '1.5' {
  const name = model === 'auto' ? (version ?? '') : model;
  return /(^|-)(v1|1\.0)$/.test(name) ? '1.0' : '1.5';
}

interface Skull {
  readonly box: Box;
  readonly landmarks: readonly Point[] | undefined;
}

interface Seen extends Shown {
  readonly video: VideoSource;
  readonly parse: Parse | undefined;
  /** Where mini would draw. */
  readonly skull: Skull | undefined;
  readonly settings: PreviewSettings;
  readonly signal: AbortSignal | undefined;
}

function boxOf({ face, skull, video: { width, height }, settings }: Seen, bboxShift: number): Box {
  if (skull) return wholePixels(skull.box);
  const version = versionOf(settings);
  const extraMargin = version === '1.5' ? settings.extraMargin : 0;
  const box = cropBox(face.landmarks, face.box, { version, bboxShift, extraMargin, width, height });
  if (box) return box;
  throw new MuseTalkError('NO_FACE', 'the face lies outside the picture');
}

async function maskOf({ frame, face, parse, skull, settings, signal }: Seen, box: Box): Promise<BlendMask> {
  if (skull) return miniMask(skull);
  if (!parse) return landmarkMask(face.landmarks, box);
  const version = versionOf(settings);
  const { parsingMode, leftCheekWidth, rightCheekWidth } = settings;
  const style = MASK_STYLES[version];
  const classes = await parse(frame, enlargedBox(box, style.expand), { signal });
  const region = version === '1.0' ? style.region : parsingMode;
  return trimMask(parsingMask(classes, box, { ...style, region, leftCheekWidth, rightCheekWidth }), box);
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

/** The frame with all marks. */
async function drawn(seen: Seen, bboxShift: number): Promise<Image> {
  const { frame, face } = seen;
  const picture = image(frame.width, frame.height, 3, Uint8Array.from(frame.data));
  const box = boxOf(seen, bboxShift);
  const { crop: area, mask } = await maskOf(seen, box);
  const thickness = Math.max(1, Math.round(Math.max(frame.width, frame.height) / 600));
  tint(picture, mask, { x: area.x1, y: area.y1 }, RED);
  strokeBox(picture, box, GREEN, thickness);
  fillBox(picture, halfLine(box, thickness), YELLOW);
  for (const point of seen.skull?.landmarks ?? face.landmarks) drawDot(picture, point, thickness, CYAN);
  return picture;
}

/** The middle of the box: what lies below is drawn anew. */
function halfLine({ x1, x2, y1, y2 }: Box, thickness: number): Box {
  const y = Math.floor((y1 + y2) / 2);
  return { x1, x2, y1: y, y2: y + thickness };
}

const TILE_WIDTH = 240;
const COLUMNS = 5;
const MOST_TILES = 15;

/** Pictures of the face for the values in the range, each with its number; at most fifteen. */
async function sheet(seen: Seen, range: Preview['range']): Promise<Image> {
  const { bboxShift: current } = seen.settings;
  const shifts = shiftsIn(range, current);
  const area = around(shifts.map((shift) => boxOf(seen, shift)));
  const height = Math.max(1, Math.round((TILE_WIDTH * (area.y2 - area.y1)) / (area.x2 - area.x1)));
  const columns = Math.min(COLUMNS, shifts.length);
  const rows = Math.ceil(shifts.length / columns);
  const whole = image(columns * TILE_WIDTH, rows * height, 3);
  for (const [i, shift] of shifts.entries()) {
    seen.signal?.throwIfAborted();
    const tile = resizeLinear(crop(await drawn(seen, shift), area), TILE_WIDTH, height);
    drawNumber(tile, shift, { x: 0, y: 0 }, shift === current ? YELLOW : [255, 255, 255]);
    const corner: Point = { x: (i % columns) * TILE_WIDTH, y: Math.floor(i / columns) * height };
    paste(whole, tile, corner.x, corner.y);
  }
  return whole;
}

/** All whole numbers of the range, or evenly spread ones with 0 among them; and the current value. */
export function shiftsIn({ lowest, highest }: Preview['range'], current: number): number[] {
  const step = Math.ceil((highest - lowest + 1) / MOST_TILES);
  const values = new Set([current]);
  for (let shift = Math.ceil(lowest / step) * step; shift <= highest; shift += step) values.add(shift + 0);
  return [...values].sort((a, b) => a - b);
}

/** A box around boxes with a margin of a tenth. */
function around(boxes: readonly Box[]): Box {
  const x1 = Math.min(...boxes.map((box) => box.x1));
  const y1 = Math.min(...boxes.map((box) => box.y1));
  const x2 = Math.max(...boxes.map((box) => box.x2));
  const y2 = Math.max(...boxes.map((box) => box.y2));
  const margin = Math.round((x2 - x1) / 10);
  return { x1: x1 - margin, y1: y1 - margin, x2: x2 + margin, y2: y2 + margin };
}
