import { rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Image } from '../image/image.ts';
import { isPlanar, type PlanarImage } from '../image/planar.ts';
import { fromPlanar, fromRgb, PICTURE_COLOR, tagOptions } from './color-tags.ts';
import { checkQuality, type EncodeOptions, encoderSettings, requireEncoder, timescale } from './encoder.ts';
import { fileUrl, runTool } from './ffmpeg.ts';
import { cannotWrite, settle, type VideoEncoder } from './output.ts';
import { toText } from './rate.ts';
import { verifyVideo } from './verify-video.ts';

/** A part of a video that stands alone: it begins with a keyframe and refers to nothing outside. */
export interface Segment {
  readonly path: string;
  readonly frameCount: number;
}

/** How a segment is written. */
interface WriteSegmentOptions extends EncodeOptions {
  /** Look into the finished file, as is done by default; not worth it where it is joined and looked into at once. */
  readonly verify?: boolean | undefined;
}

/**
 * Encodes frames to a video without sound at `path` (an MP4 file whatever its name), whole or not at all.
 *
 * The same frames and options give the same bytes, so a run that was cut off may keep its finished segments.
 *
 * @throws MuseTalkError `CANNOT_WRITE` (disk full, no frames), `BAD_OPTION`, `MEDIA_TOOL`; the frames' own errors.
 */
export async function writeSegment(
  path: string,
  frames: AsyncIterable<Image | PlanarImage>,
  options: WriteSegmentOptions,
): Promise<Segment> {
  const encoder = options.encoder ?? 'libx264';
  checkQuality(options);
  await requireEncoder(encoder, options.signal);
  const part = join(dirname(resolve(path)), `.${process.pid}-${Math.random().toString(36).slice(2)}.part`);
  try {
    const count = { frames: 0 };
    const input = bytesOf(frames, options, count);
    const task = `write ${path}`;
    await runTool('ffmpeg', encodeArguments(part, encoder, options), {
      task,
      blame: 'CANNOT_WRITE',
      input,
      signal: options.signal,
    });
    if (count.frames === 0) throw cannotWrite(path, new Error('there is no frame to write'));
    if (options.verify !== false) {
      const { fps, signal } = options;
      await verifyVideo(part, path, { frameCount: count.frames, fps, sound: false, signal });
    }
    await settle(part, path);
    return { path, frameCount: count.frames };
  } finally {
    await rm(part, { force: true });
  }
}

function encodeArguments(path: string, encoder: VideoEncoder, options: EncodeOptions): string[] {
  const { fps, width, height, pixelAspect = { num: 1, den: 1 }, color = PICTURE_COLOR, planar } = options;
  return [
    ...[
      '-f',
      'rawvideo',
      '-pix_fmt',
      planar ? 'yuv420p' : 'rgb24',
      '-s',
      `${even(width)}x${even(height)}`,
      '-framerate',
      toText(fps),
    ],
    ...['-protocol_whitelist', 'file,pipe', '-i', 'pipe:0'],
    ...['-vf', `${planar ? fromPlanar(color) : fromRgb(color)},setsar=sar=${toText(pixelAspect)}:max=10000`],
    ...['-c:v', encoder, ...encoderSettings(encoder, options), ...tagOptions(color)],
    ...['-vsync', '0', '-video_track_timescale', String(timescale(fps)), '-fflags', '+bitexact'],
    ...['-f', 'mp4', '-y', fileUrl(path)],
  ];
}

const even = (size: number) => size + (size % 2);

async function* bytesOf(
  frames: AsyncIterable<Image | PlanarImage>,
  { width, height, planar = false }: EncodeOptions,
  count: { frames: number },
): AsyncGenerator<Uint8Array> {
  const wanted = `${width}×${height}${planar ? ', planar' : '×3'}`;
  for await (const frame of frames) {
    const found = `${frame.width}×${frame.height}${isPlanar(frame) ? ', planar' : `×${frame.channels}`}`;
    if (found !== wanted) throw new RangeError(`frame ${count.frames} is ${found}, not ${wanted}`);
    count.frames++;
    yield isPlanar(frame) ? frame.data : padToEven(frame);
  }
}

/** The bytes of an RGB picture with its last column and row repeated where their number is odd. */
export function padToEven({ width, height, data }: Image): Uint8Array {
  if (width % 2 === 0 && height % 2 === 0) return data;
  const row = even(width) * 3;
  const padded = new Uint8Array(row * even(height));
  for (let y = 0; y < even(height); y++) {
    const from = Math.min(y, height - 1) * width * 3;
    padded.set(data.subarray(from, from + width * 3), y * row);
    if (width % 2) padded.copyWithin(y * row + width * 3, y * row + width * 3 - 3, y * row + width * 3);
  }
  return padded;
}
