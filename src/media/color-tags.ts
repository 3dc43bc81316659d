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

/** FFmpeg filter that turns decoded pictures into RGB of the given size; `alpha` keeps it as a fourth channel. */
export function toRgb(color: DecidedColor, width: number, height: number, alpha: boolean): string {
  const matrix = `in_color_matrix=${MATRICES[color.space]}:in_range=${color.range}:out_range=pc`;
  return `scale=w=${width}:h=${height}:${matrix}:${EXACT},format=${alpha ? 'rgba' : 'rgb24'}`;
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
