import { stat } from 'node:fs/promises';
import { MuseTalkError } from '../core/errors.ts';
import { planarSize } from '../image/planar.ts';
import { colorWarnings, decideColor, isStoredPlanar, planarCode, toRgb, unchanged } from './color-tags.ts';
import { inputFile, streamTool } from './ffmpeg.ts';
import { averageRate, constantTiming, type Timing } from './frame-rate.ts';
import { openFolder, openPicture } from './image-files.ts';
import { DEFAULT_LIMITS, decodingTime, type MediaLimits } from './limits.ts';
import { type Probe, probePackets, refuseAbove, type VideoStream } from './probe.ts';
import { parseRate, toNumber, usualRate } from './rate.ts';
import { notReadable, sniff } from './sniff.ts';
import type { Frame, FramesOptions, PlanarFrame, Rational, VideoSource } from './source.ts';
import { takeBytes } from './spare-frames.ts';
import { readTimestamps, type Timestamps } from './timestamps.ts';

/** How a video is read. */
export interface OpenVideoOptions {
  /** Frames per second to show the video at; its own by default, 25 for a picture or a folder. */
  readonly fps?: Rational | number | string | undefined;
  /** `constant` (default): one rate, frames repeated or left out as needed. `source`: each frame at its own time. */
  readonly timing?: 'constant' | 'source' | undefined;
  readonly limits?: Partial<MediaLimits> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a video, a picture, or a folder of pictures as a source of RGB frames. Headers and times are read now,
 * pixels when `frames()` is read.
 *
 * @throws MuseTalkError `NOT_FOUND`, `WRONG_FILE` (no pictures in it), `BAD_FILE` (damaged), `TOO_LARGE`,
 * `BAD_OPTION` (a rate that is none).
 */
export async function openVideo(path: string, options: OpenVideoOptions = {}): Promise<VideoSource> {
  const fps = options.fps === undefined ? undefined : parseRate(options.fps);
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const context = { limits, signal: options.signal };
  const pictureRate = fps ?? { num: 25, den: 1 };
  if (await isFolder(path)) return openFolder(path, { fps: pictureRate, ...context });
  const kind = await sniff(path, limits);
  if (kind.family === 'still') return openPicture(path, kind, { fps: pictureRate, ...context });

  const { found, pictures } = await probePackets(path, context);
  const { video } = found;
  if (video === undefined || video.width === 0 || video.height === 0)
    throw new MuseTalkError('WRONG_FILE', `${path} (${kind.name}) holds no pictures`, {
      hint: 'Give a video or a picture that shows the face.',
      facts: { path },
    });
  const opened = { ...found, video };
  const stamps = await readTimestamps(opened, pictures, context);
  const timing =
    options.timing === 'source' ? sourceTiming(stamps) : constantTiming(stamps, video.declaredRate, fps);
  refuseAbove(path, 'frames', timing.frameCount, limits.frames);
  return videoFile(opened, stamps, timing, options);
}

type FoundVideo = Probe & { readonly video: VideoStream };

/** Every frame of the source at its own time. */
function sourceTiming(stamps: Timestamps): Timing {
  return {
    fps: usualRate(averageRate(stamps), 0.01),
    frameCount: stamps.times.length,
    shown: undefined,
    warnings: [],
  };
}

function videoFile(
  found: FoundVideo,
  stamps: Timestamps,
  timing: Timing,
  { timing: wish, signal }: OpenVideoOptions,
): VideoSource {
  const { path, video } = found;
  const { fps, frameCount } = timing;
  const timestamps = wish === 'source' ? stamps.times : undefined;
  const rate = toNumber(fps);
  const warnings = [...timing.warnings, ...colorWarnings(video.color, video.pixelFormat)];
  if (video.alpha) warnings.push('the video is transparent in places; it is laid over black');
  if (video.bitDepth > 8) warnings.push(`the video has ${video.bitDepth} bits a colour; 8 are kept`);

  const shown = (index: number) => timing.shown?.[index] ?? index;

  /** The bytes of frames in one form, with their numbers and times. */
  async function* read(start: number, end: number, form: Form) {
    const first = Math.max(0, start);
    const last = Math.min(end, frameCount);
    if (first >= last) return;
    let index = first;
    let source = shown(first);
    const context = { form, signal, warnings };
    for await (const picture of decode(found, stamps, source, shown(last - 1) + 1, context)) {
      for (; index < last && shown(index) === source; index++) {
        // The receiver may draw on what it gets, so a frame that comes again is copied first.
        const again = index + 1 < last && shown(index + 1) === source;
        const data = again ? picture.slice() : picture;
        yield { data, index, time: timestamps?.[index] ?? index / rate };
      }
      source++;
    }
  }

  const { width, height } = video;
  const color = decideColor(video.color, video);

  async function* frames(
    start = 0,
    end = frameCount,
    { colors = 'exact' }: FramesOptions = {},
  ): AsyncGenerator<Frame, void, undefined> {
    for await (const frame of read(start, end, rgbForm(video, color, colors === 'near')))
      yield { width, height, channels: 3, ...frame };
  }

  const code = planarCode(color);
  async function* planes(start = 0, end = frameCount): AsyncGenerator<PlanarFrame, void, undefined> {
    for await (const frame of read(start, end, planarForm(video))) yield { width, height, code, ...frame };
  }
  const isPlanar = isStoredPlanar(color, video.pixelFormat) && width % 2 === 0 && height % 2 === 0;

  return {
    path,
    kind: 'video',
    width,
    height,
    pixelAspect: video.pixelAspect,
    fps,
    frameCount,
    duration: timestamps ? stamps.times.at(-1)! + stamps.lastDuration : frameCount / rate,
    color,
    timestamps,
    warnings,
    frames,
    ...(isPlanar && { planes }),
  };
}

/** In what form decoded pictures are handed over. */
interface Form {
  /** FFmpeg's filter that makes it. */
  readonly filter: string;
  /** Bytes of a picture. */
  readonly size: number;
  /** The fourth byte of each pixel says how much of it shows. */
  readonly alpha: boolean;
}

function rgbForm({ width, height, alpha }: VideoStream, color: VideoSource['color'], near: boolean): Form {
  const filter = toRgb(color, { width, height, alpha, near });
  return { filter, size: width * height * (alpha ? 4 : 3), alpha };
}

function planarForm({ width, height, pixelFormat }: VideoStream): Form {
  return { filter: unchanged(width, height, pixelFormat), size: planarSize(width, height), alpha: false };
}

interface DecodeContext {
  readonly form: Form;
  readonly signal: AbortSignal | undefined;
  readonly warnings: string[];
}

/**
 * The bytes of frames `start` … `end` − 1 of a stream. Frames that a damaged end lacks repeat the last one.
 *
 * Decoding begins at the keyframe before `start`. Where it ends too early (H.264 with open groups can, near its
 * end), the rest is decoded from the beginning, which always works.
 */
async function* decode(
  found: FoundVideo,
  stamps: Timestamps,
  start: number,
  end: number,
  { form, signal, warnings }: DecodeContext,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  let given = start;
  let held: Uint8Array<ArrayBuffer> | undefined; // held back, so that the last can be copied before it is given away
  for (const entry of new Set([entryPoint(stamps, found.kind.demuxer, start), 0])) {
    for await (const picture of picturesFrom(entry, given, found, stamps, { form, signal })) {
      if (held) yield held;
      held = picture;
      if (++given >= end) break;
    }
    if (given >= end) break;
  }
  if (held === undefined)
    throw new MuseTalkError(
      'BAD_FILE',
      `${found.path} ends before frame ${start}, though it names ${stamps.times.length}`,
      {
        hint: 'The file may be cut off; copy or download it again.',
        facts: { path: found.path, start },
      },
    );
  if (given < end)
    warnings.push(`the video names ${end} frames but only ${given} can be decoded; the last one is repeated`);
  for (; given < end; given++) yield held.slice();
  yield held;
}

/** Bytes of the frames of a stream from `start` on, decoded from the keyframe `entry` on. */
async function* picturesFrom(
  entry: number,
  start: number,
  { path, kind, video }: FoundVideo,
  stamps: Timestamps,
  { form, signal }: Pick<DecodeContext, 'form' | 'signal'>,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const { filter, size, alpha } = form;
  // What lies before the start is decoded, but neither converted nor handed over.
  const wanted = start > entry ? `select=gte(n\\,${start - entry}),${filter}` : filter;
  const args = [
    ...(entry > 0 ? ['-seek_timestamp', '1', '-ss', secondsBefore(stamps, entry)] : []),
    ...inputFile(path, kind.demuxer),
    ...['-map', `0:${video.index}`, '-an', '-sn', '-dn'],
    ...['-vf', wanted],
    ...['-vsync', '0', '-f', 'rawvideo', 'pipe:1'],
  ];
  const cpuTime = decodingTime(video.width * video.height * (stamps.times.length - entry));
  const bytes = streamTool('ffmpeg', args, { task: `decode ${path}`, blame: 'BAD_FILE', signal, cpuTime });
  for await (const picture of pieces(bytes, size)) yield alpha ? overBlack(picture) : picture;
}

/** Containers in which FFmpeg finds a moment exactly; others are decoded from their beginning. */
const SEEKABLE = ['mov', 'matroska'];

/** The frame to begin decoding with: the last one at or before `start` that needs no earlier one. */
function entryPoint({ keyframes }: Timestamps, demuxer: string, start: number): number {
  return SEEKABLE.includes(demuxer) ? (keyframes.findLast((frame) => frame <= start) ?? 0) : 0;
}

/** A moment in the file's clock between a frame and the one before it, as FFmpeg reads it. */
function secondsBefore({ times, start }: Timestamps, frame: number): string {
  return (start + (times[frame - 1]! + times[frame]!) / 2).toFixed(6);
}

/** Cuts a stream of bytes into arrays of exactly `size`; what is left at the end is dropped. */
async function* pieces(
  chunks: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const spare: Uint8Array<ArrayBuffer>[] = [];
  let piece = takeBytes(spare, size);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let taken = 0; taken < chunk.length; ) {
      const part = chunk.subarray(taken, taken + size - filled);
      piece.set(part, filled);
      taken += part.length;
      filled += part.length;
      if (filled < size) break;
      yield piece;
      piece = takeBytes(spare, size);
      filled = 0;
    }
  }
}

/** RGB of RGBA laid over black: c · alpha / 255, rounded. */
function overBlack(rgba: Uint8Array): Uint8Array<ArrayBuffer> {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    const alpha = rgba[from + 3]!;
    for (let c = 0; c < 3; c++) rgb[to + c] = Math.round((rgba[from + c]! * alpha) / 255);
  }
  return rgb;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw notReadable(path, cause);
  }
}
