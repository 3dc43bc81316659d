import type { PlanarCode } from '../image/planar.ts';
import type { ColorTags, VideoSource } from './source.ts';

/** Tags with the matrix and the range decided, as a conversion needs them. */
export type DecidedColor = VideoSource['color'];

/** The matrices that FFmpeg's scaler knows: name in the tags → name in the filter. */
const MATRICES: Readonly<Record<string, string>> = {
  bt709: 'bt709',
  smpte170m: 'smpte170m',
  bt470bg: 'bt470',
  fcc: 'fcc',
  smpte240m: 'smpte240m',
  bt2020nc: 'bt2020',
};

/** What pictures are (sRGB), written as a video: players know BT.709 best, and the primaries are the same. */
export const PICTURE_COLOR: DecidedColor = {
  space: 'bt709',
  primaries: 'bt709',
  transfer: 'bt709',
  range: 'tv',
};

/** Exact arithmetic and full chroma resolution: a pure colour survives decoding and encoding within a step or two. */
const EXACT = 'flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp';

/**
 * Tags for a stream that may carry none. An untagged one is taken as players take it: BT.709 from 1280 × 720 on,
 * BT.601 below, studio range. RGB inside a video file is written as BT.709.
 */
export function decideColor(
  tags: ColorTags,
  { width, height, pixelFormat }: { width: number; height: number; pixelFormat: string },
): DecidedColor {
  if (isRgb(pixelFormat)) return PICTURE_COLOR;
  const large = Math.max(width, height) >= 1280 || Math.min(width, height) >= 720;
  const space = tags.space !== undefined && tags.space in MATRICES ? tags.space : undefined;
  return {
    space: space ?? (large ? 'bt709' : 'smpte170m'),
    primaries: tags.primaries,
    transfer: tags.transfer,
    range: tags.range ?? 'tv',
  };
}

/** Sentences about what a conversion to 8-bit RGB of these tags leaves out. */
export function colorWarnings(tags: ColorTags, pixelFormat: string): string[] {
  const warnings: string[] = [];
  if (tags.transfer === 'smpte2084' || tags.transfer === 'arib-std-b67')
    warnings.push(
      'the video is HDR: it is processed with 8 bits and without tone mapping, so light areas may show bands',
    );
  if (!isRgb(pixelFormat) && tags.space !== undefined && !(tags.space in MATRICES))
    warnings.push(`the colour matrix ${tags.space} is not known here; colours may be off`);
  return warnings;
}

/** What decoded pictures are turned into. */
export interface RgbOptions {
  readonly width: number;
  readonly height: number;
  /** Keeps transparency as a fourth channel. */
  readonly alpha: boolean;
  /** See `FramesOptions`. */
  readonly near: boolean;
}

/** FFmpeg filter that turns decoded pictures into RGB of the given size. */
export function toRgb(color: DecidedColor, { width, height, alpha, near }: RgbOptions): string {
  const matrix = `in_color_matrix=${MATRICES[color.space]}:in_range=${color.range}:out_range=pc`;
  const flags = near ? 'flags=bicubic' : EXACT;
  return `scale=w=${width}:h=${height}:${matrix}:${flags},format=${alpha ? 'rgba' : 'rgb24'}`;
}

/** Shares of red and blue in brightness. */
const SHARES: Readonly<Record<string, readonly [red: number, blue: number]>> = {
  bt709: [0.2126, 0.0722],
  smpte170m: [0.299, 0.114],
  bt470bg: [0.299, 0.114],
  fcc: [0.3, 0.11],
  smpte240m: [0.212, 0.087],
  bt2020nc: [0.2627, 0.0593],
};

/** What the numbers of planar pictures of these tags mean. */
export function planarCode({ space, range }: DecidedColor): PlanarCode {
  const [red, blue] = SHARES[space]!;
  return { red, blue, range };
}

/** Whether pictures of a stream are planar as they are decoded: 8 bits, 4:2:0, of the range that was decided. */
export function isStoredPlanar(color: DecidedColor, pixelFormat: string): boolean {
  return pixelFormat === 'yuv420p' || (pixelFormat === 'yuvj420p' && color.range === 'pc');
}

/** FFmpeg filter that hands decoded pictures over in the given size and format, which they have already. */
export function unchanged(width: number, height: number, pixelFormat: string): string {
  return `scale=w=${width}:h=${height},format=${pixelFormat}`;
}

/** FFmpeg filter that says what the numbers of planar pictures mean, and leaves them. */
export function fromPlanar({ space, range }: DecidedColor): string {
  return `setparams=colorspace=${space}:range=${range},format=yuv420p`;
}

/** FFmpeg filter that turns RGB into the planes of `format` by the matrix and range that the tags will name. */
export function fromRgb(color: DecidedColor, format = 'yuv420p'): string {
  const matrix = `in_range=pc:out_color_matrix=${MATRICES[color.space]}:out_range=${color.range}`;
  return `scale=${matrix}:${EXACT},format=${format}`;
}

/** FFmpeg output options that write the tags into the stream. */
export function tagOptions(color: DecidedColor): string[] {
  const options = ['-colorspace', color.space, '-color_range', color.range];
  if (color.primaries) options.push('-color_primaries', color.primaries);
  if (color.transfer) options.push('-color_trc', color.transfer);
  return options;
}

function isRgb(pixelFormat: string): boolean {
  return /^(rgb|bgr|gbr|argb|abgr|rgba|bgra|0rgb|0bgr|pal8|x2rgb|x2bgr|monob|monow)/.test(pixelFormat);
}
