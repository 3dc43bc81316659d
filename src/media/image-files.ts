import { readdir } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import sharp from 'sharp';
import { MuseTalkError } from '../core/errors.ts';
import { type Image, image } from '../image/image.ts';
import { PICTURE_COLOR } from './color-tags.ts';
import { inputFile, runTool } from './ffmpeg.ts';
import { DEFAULT_LIMITS, type MediaLimits } from './limits.ts';
import { refuseAbove } from './probe.ts';
import { toNumber } from './rate.ts';
import { type MediaKind, notReadable, sniff } from './sniff.ts';
import type { Frame, Rational, VideoSource } from './source.ts';

interface PictureOptions {
  readonly fps: Rational;
  readonly limits: MediaLimits;
  readonly signal: AbortSignal | undefined;
}

/** Endings of picture files; only they are taken from a folder. */
const ENDINGS = ['.png', '.jpg', '.jpeg', '.webp', '.tif', '.tiff', '.bmp'];

/** A picture as a source of one frame. */
export async function openPicture(
  path: string,
  kind: MediaKind,
  options: PictureOptions,
): Promise<VideoSource> {
  const { width, height, warnings } = await measure(path, kind, options.limits);
  return pictureSource('picture', path, [path], { width, height, warnings }, options);
}

/**
 * A folder of pictures as a source: sorted by the number in their names when every name holds one (the last
 * number counts: `shot2_0010.png` is 10), else by name. All must have the same size.
 */
export async function openFolder(folder: string, options: PictureOptions): Promise<VideoSource> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause) => {
    throw notReadable(folder, cause);
  });
  const names = entries
    .filter((e) => !e.isDirectory() && ENDINGS.includes(extname(e.name).toLowerCase()))
    .map((e) => e.name);
  if (names.length === 0)
    throw new MuseTalkError('NOT_FOUND', `the folder ${folder} holds no pictures`, {
      hint: `Put ${ENDINGS.join(', ')} files into it.`,
      facts: { folder },
    });
  refuseAbove(folder, 'frames', names.length, options.limits.frames);
  const paths = sortPictures(names).map((name) => join(folder, name));
  const size = await sameSize(paths, options);
  refuseAbove(folder, 'pixels in all', size.width * size.height * paths.length, options.limits.totalPixels);
  return pictureSource('folder', folder, paths, size, options);
}

/** Names in the order of their last number when all have one, else as text. */
export function sortPictures(names: readonly string[]): string[] {
  const byName = [...names].sort((a, b) => (a < b ? -1 : Number(a > b)));
  const numbers = new Map(byName.map((name) => [name, lastNumber(name)]));
  if ([...numbers.values()].some(Number.isNaN)) return byName;
  return byName.sort((a, b) => numbers.get(a)! - numbers.get(b)!);
}

function lastNumber(name: string): number {
  const digits = name
    .slice(0, name.length - extname(name).length)
    .match(/\d+/g)
    ?.at(-1);
  return digits === undefined ? Number.NaN : Number(digits);
}

interface Measured {
  /** Pixels after the rotation that the file asks for. */
  readonly width: number;
  readonly height: number;
  readonly warnings: readonly string[];
}

async function sameSize(paths: readonly string[], { limits, signal }: PictureOptions): Promise<Measured> {
  const warnings = new Set<string>();
  let first: Measured | undefined;
  for (const path of paths) {
    signal?.throwIfAborted();
    const size = await measure(path, await sniff(path, limits), limits);
    for (const warning of size.warnings) warnings.add(warning);
    first ??= size;
    if (size.width === first.width && size.height === first.height) continue;
    throw new MuseTalkError(
      'WRONG_FILE',
      `${path} has ${size.width}×${size.height} pixels, but ${paths[0]} has ${first.width}×${first.height}`,
      { hint: 'Bring all pictures of the folder to one size.', facts: { path, ...size } },
    );
  }
  return { ...first!, warnings: [...warnings] };
}

/** Size of a picture from its header; nothing is decoded, so a picture that declares too much costs nothing. */
async function measure(path: string, kind: MediaKind, limits: MediaLimits): Promise<Measured> {
  if (kind.family !== 'still')
    throw new MuseTalkError('WRONG_FILE', `${path} is ${kind.name}, not a picture`, { facts: { path } });
  if (kind.demuxer === 'bmp_pipe') return { ...(await measureBmp(path, limits)), warnings: [] };
  const header = await sharp(path, { limitInputPixels: false })
    .metadata()
    .catch((cause) => {
      throw badPicture(path, cause);
    });
  refuseAbove(path, 'pixels in a picture', header.width * header.height, limits.pixels);
  const sideways = (header.orientation ?? 1) >= 5;
  const warnings: string[] = [];
  if (header.hasAlpha) warnings.push('the picture is transparent in places; it is laid over black');
  if ((header.pages ?? 1) > 1) warnings.push(`the picture holds ${header.pages} pages; the first is used`);
  return {
    width: sideways ? header.height : header.width,
    height: sideways ? header.width : header.height,
    warnings,
  };
}

/**
 * Reads a picture file (PNG, JPEG, WebP, TIFF, BMP) as RGB, turned upright, transparency laid over black.
 *
 * @throws MuseTalkError `NOT_FOUND`, `WRONG_FILE`, `BAD_FILE`, `TOO_LARGE`.
 */
export async function readImage(
  path: string,
  own: Partial<MediaLimits> = {},
): Promise<Image & { channels: 3 }> {
  const limits = { ...DEFAULT_LIMITS, ...own };
  const kind = await sniff(path, limits);
  const { width, height } = await measure(path, kind, limits);
  const data = kind.demuxer === 'bmp_pipe' ? await decodeBmp(path) : await decodeBySharp(path, limits);
  if (data.length !== width * height * 3)
    throw badPicture(path, new Error(`${data.length} bytes for ${width}×${height} pixels`));
  return { ...image(width, height, 3, data), channels: 3 };
}

async function decodeBySharp(path: string, { pixels }: MediaLimits): Promise<Uint8Array> {
  try {
    const { data } = await sharp(path, { limitInputPixels: pixels, failOn: 'error' })
      .rotate() // upright, by EXIF
      .flatten({ background: '#000' })
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return new Uint8Array(data);
  } catch (cause) {
    throw badPicture(path, cause);
  }
}

async function measureBmp(path: string, limits: MediaLimits): Promise<{ width: number; height: number }> {
  const args = ['-show_entries', 'stream=width,height', '-of', 'csv=p=0', ...inputFile(path, 'bmp_pipe')];
  const printed = await runTool('ffprobe', args, { task: `read ${path}`, blame: 'BAD_FILE', timeout: 60 });
  const [width = 0, height = 0] = printed.toString('latin1').trim().split(',').map(Number);
  if (!(width > 0 && height > 0)) throw badPicture(path, new Error('its header gives no size'));
  refuseAbove(path, 'pixels in a picture', width * height, limits.pixels);
  return { width, height };
}

/** sharp reads no BMP; FFmpeg does. */
async function decodeBmp(path: string): Promise<Uint8Array> {
  const args = [
    ...inputFile(path, 'bmp_pipe'),
    '-frames:v',
    '1',
    '-pix_fmt',
    'rgb24',
    '-f',
    'rawvideo',
    'pipe:1',
  ];
  const limit = 3 * DEFAULT_LIMITS.pixels;
  return new Uint8Array(
    await runTool('ffmpeg', args, { task: `decode ${path}`, blame: 'BAD_FILE', timeout: 60, limit }),
  );
}

function badPicture(path: string, cause: unknown): MuseTalkError {
  const words = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
  return new MuseTalkError('BAD_FILE', `the picture ${path} cannot be decoded: ${words}`, {
    hint: 'Check that it opens in an image viewer; save it again as PNG.',
    facts: { path },
    cause,
  });
}

function pictureSource(
  kind: 'picture' | 'folder',
  path: string,
  files: readonly string[],
  { width, height, warnings }: Measured,
  { fps, limits, signal }: PictureOptions,
): VideoSource {
  const rate = toNumber(fps);
  async function* frames(start = 0, end = files.length): AsyncGenerator<Frame, void, undefined> {
    for (let index = Math.max(0, start); index < Math.min(end, files.length); index++) {
      signal?.throwIfAborted();
      yield { ...(await readImage(files[index]!, limits)), index, time: index / rate };
    }
  }
  return {
    path: resolve(path),
    kind,
    width,
    height,
    pixelAspect: { num: 1, den: 1 },
    fps,
    frameCount: files.length,
    duration: files.length / rate,
    color: PICTURE_COLOR,
    timestamps: undefined,
    warnings,
    frames,
  };
}
