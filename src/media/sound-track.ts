import { MuseTalkError } from '../core/errors.ts';
import { inputFile } from './ffmpeg.ts';
import type { OutputFormat } from './output.ts';
import { probe, type SoundStream } from './probe.ts';
import { toNumber } from './rate.ts';
import type { Rational } from './source.ts';

/** The sound of a video that is written: a file, or a part of it. */
export interface SoundTrack {
  readonly path: string;
  /** Seconds from the beginning of the file; 0 by default. */
  readonly start?: number | undefined;
  /** Seconds; up to the end of the pictures by default. Silence follows where it is shorter. */
  readonly duration?: number | undefined;
}

interface TrackContext {
  /** Seconds of the pictures. */
  readonly duration: number;
  readonly fps: Rational;
  readonly signal: AbortSignal | undefined;
}

/** Arguments of FFmpeg that read a sound file as the second input and write its first sound stream. */
export interface TrackArguments {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly encoder: 'copy' | OutputFormat['soundEncoder'];
}

/**
 * How a sound gets into a video of the given length: copied where nothing must change, else encoded once.
 *
 * @throws MuseTalkError `NO_SOUND`, `BAD_OPTION` for a part outside the file, or as `probe`.
 */
export async function soundArguments(
  track: SoundTrack,
  format: OutputFormat,
  context: TrackContext,
): Promise<TrackArguments> {
  const { path, start = 0, duration = context.duration } = track;
  const found = await probe(path, { signal: context.signal });
  const { kind, sound } = found;
  if (sound === undefined)
    throw new MuseTalkError('NO_SOUND', `there is no sound in ${path}`, {
      hint: 'Give a file with a sound stream.',
      facts: { path },
    });
  if (!(start >= 0 && duration > 0))
    throw new MuseTalkError(
      'BAD_OPTION',
      `the part of ${path} from ${start} s on, ${duration} s long, does not exist`,
    );

  const length = Math.min(duration, context.duration);
  const from = start + sound.origin;
  const file = inputFile(path, kind.demuxer);
  const map = ['-map', `1:${sound.index}`, ...roomForRunIn(format, sound)];
  const available = sound.duration ?? found.duration ?? 0;
  const enough = from === 0 && length === context.duration && available >= length - 1 / toNumber(context.fps);
  if (enough && Math.abs(sound.start) < 0.001 && format.copies.includes(sound.codec))
    return { input: file, output: [...map, '-c:a', 'copy', '-t', length.toFixed(6)], encoder: 'copy' };

  const part = [...(from > 0 ? ['-ss', from.toFixed(6)] : []), '-t', length.toFixed(6)];
  // Late or missing samples become silence, and the track ends with the pictures.
  const filter = [
    ...(sound.codec.startsWith('pcm_f') ? [FINITE] : []),
    ...(sound.channels > 8 ? [meanOfChannels(sound.channels)] : []),
    ...['aresample=async=1:first_pts=0', 'apad', `atrim=end=${context.duration.toFixed(6)}`],
  ].join(',');
  return {
    input: [...part, ...file],
    output: [...map, '-af', filter, '-c:a', format.soundEncoder, ...bitRate(sound)],
    encoder: format.soundEncoder,
  };
}

/** FFmpeg filter that silences samples that are no numbers; encoders stop at them. Only files of floats have any. */
const FINITE = 'aeval=if(isnan(val(ch))+isinf(val(ch))\\,0\\,val(ch)):c=same';

/** FFmpeg filter that makes one channel of many, each counting alike. */
export function meanOfChannels(channels: number): string {
  const terms = Array.from({ length: channels }, (_, c) => `${1 / channels}*c${c}`);
  return `pan=mono|c0=${terms.join('+')}`;
}

/** 96 kbit/s for each of at most two channels, less below 32 kHz; more channels are mixed down to two. */
function bitRate({ channels, rate }: SoundStream): string[] {
  const written = channels > 8 ? 1 : Math.min(channels, 2);
  return [
    '-ac',
    String(written),
    '-rematrix_maxval',
    '1.0',
    '-b:a',
    `${(rate < 32000 ? 64 : 96) * written}k`,
  ];
}

/**
 * Matroska holds no negative times, which the run-in of AAC (1024 samples) has: everything moves by that much.
 * Current muxers do so by themselves, older ones only after the first pictures.
 */
function roomForRunIn({ muxer, soundEncoder }: OutputFormat, { rate }: SoundStream): string[] {
  return muxer === 'matroska' && soundEncoder === 'aac'
    ? ['-output_ts_offset', (1024 / rate).toFixed(6)]
    : [];
}
