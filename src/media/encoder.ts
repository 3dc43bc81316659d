import { MuseTalkError } from '../core/errors.ts';
import type { DecidedColor } from './color-tags.ts';
import { runTool } from './ffmpeg.ts';
import type { VideoEncoder } from './output.ts';
import type { Rational } from './source.ts';
import { findTool } from './tools.ts';

/** How frames become a video stream. All segments of one video must be written with equal options. */
export interface EncodeOptions {
  readonly fps: Rational;
  /** Pixels of every frame. An odd number is padded by one pixel that repeats the edge: 4:2:0 needs even ones. */
  readonly width: number;
  readonly height: number;
  readonly pixelAspect?: Rational | undefined;
  /** Matrix, range and tags of the stream; BT.709 by default. Pass the source's. */
  readonly color?: DecidedColor | undefined;
  /** `libx264` by default, for WebM `libvpx-vp9`. */
  readonly encoder?: VideoEncoder | undefined;
  /** Quality, lower is better: 18 by default for x264 (hardly told from the source), 20 for x265, 28 for VP9. */
  readonly crf?: number | undefined;
  /** Speed of x264 and x265, `faster` by default: for x264 at these qualities files of the size of `medium`'s in half the time. */
  readonly preset?: string | undefined;
  /** The frames are planar and mean what `color` says; RGB by default. */
  readonly planar?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Threads of an encoder: fixed, because x264's result depends on their number, and the same frames shall give the
 * same bytes on every machine and after every restart.
 */
const ENCODER_THREADS = 4;

/** FFmpeg options of an encoder: quality, speed, closed groups of pictures, and what makes it repeatable. */
export function encoderSettings(encoder: VideoEncoder, { crf, preset = 'faster' }: EncodeOptions): string[] {
  const threads = ['-threads', String(ENCODER_THREADS)];
  switch (encoder) {
    case 'libx264':
      return [
        '-preset',
        preset,
        '-crf',
        String(crf ?? 18),
        ...threads,
        '-x264-params',
        'open-gop=0:sliced-threads=0',
      ];
    case 'libx265':
      return [
        ...['-preset', preset, '-crf', String(crf ?? 20), '-tag:v', 'hvc1'],
        ...['-x265-params', `open-gop=0:frame-threads=2:pools=${ENCODER_THREADS}:log-level=error`],
      ];
    case 'libvpx-vp9':
      return [
        '-crf',
        String(crf ?? 28),
        '-b:v',
        '0',
        '-deadline',
        'good',
        '-cpu-used',
        '2',
        '-row-mt',
        '0',
        ...threads,
      ];
  }
}

const PRESETS = [
  'ultrafast',
  'superfast',
  'veryfast',
  'faster',
  'fast',
  'medium',
  'slow',
  'slower',
  'veryslow',
];

/** @throws MuseTalkError `BAD_OPTION` for a size, quality or preset that no encoder takes. */
export function checkQuality({ crf = 0, preset = 'faster', width, height }: EncodeOptions): void {
  const bad = (message: string, hint: string) => new MuseTalkError('BAD_OPTION', message, { hint });
  if (!(crf >= 0 && crf <= 63)) throw bad(`a quality (crf) of ${crf} does not exist`, 'Give 0 (best) to 51.');
  if (!PRESETS.includes(preset))
    throw bad(`there is no preset "${preset}"`, `Take one of ${PRESETS.join(', ')}.`);
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0))
    throw bad(`a picture of ${width}×${height} pixels cannot be written`, 'Give whole numbers above 0.');
}

/** What each FFmpeg program says it can encode; asked once. */
const listed = new Map<string, string>();

/** @throws MuseTalkError `MEDIA_TOOL` when the FFmpeg in use was built without the encoder. */
export async function requireEncoder(
  encoder: VideoEncoder | 'libopus',
  signal: AbortSignal | undefined,
): Promise<void> {
  const { path } = await findTool('ffmpeg');
  const list = listed.get(path) ?? (await listEncoders(signal));
  listed.set(path, list);
  if (new RegExp(`^ [VA]\\S+ ${encoder} `, 'm').test(list)) return;
  throw new MuseTalkError('MEDIA_TOOL', `the FFmpeg at ${path} has no encoder ${encoder}`, {
    hint: 'Install a full build of FFmpeg, or choose another encoder or kind of output.',
    facts: { encoder, path },
  });
}

async function listEncoders(signal: AbortSignal | undefined): Promise<string> {
  const options = { task: 'list the encoders', blame: 'MEDIA_TOOL', signal, timeout: 30 } as const;
  return (await runTool('ffmpeg', ['-encoders'], options)).toString('latin1');
}

/** Ticks a second in which every frame time is a whole number; fine enough for any rate. */
export function timescale({ num }: Rational): number {
  return num * Math.ceil(12_000 / num);
}
