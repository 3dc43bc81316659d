import { join } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';
import { requireEncoder, timescale } from './encoder.ts';
import { fileUrl, runTool } from './ffmpeg.ts';
import { type OutputFormat, outputFormat, produce } from './output.ts';
import { toNumber } from './rate.ts';
import { type SoundTrack, soundArguments } from './sound-track.ts';
import type { Rational } from './source.ts';
import { verifyVideo } from './verify-video.ts';
import type { Segment } from './write-segment.ts';

/** What goes into the joined file beside the segments. */
export interface JoinOptions {
  readonly fps: Rational;
  readonly sound?: SoundTrack | undefined;
  readonly overwrite?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A finished video, as it was read back. */
export interface WrittenVideo {
  readonly path: string;
  readonly frameCount: number;
  /** Seconds. */
  readonly duration: number;
}

/**
 * Puts segments one after another into one video and adds the sound, without encoding a picture again: the result
 * shows the very frames of the segments. It appears at `output` whole or not at all.
 *
 * The sound is copied when the container takes it and it need not be cut or lengthened, else encoded once; it ends
 * with the pictures, silence fills what is missing.
 *
 * @throws MuseTalkError `CANNOT_WRITE`, `BAD_OPTION`, `NO_SOUND`, or as `probe` for the sound's file.
 */
export async function joinSegments(
  output: string,
  segments: readonly Segment[],
  options: JoinOptions,
): Promise<WrittenVideo> {
  const format = outputFormat(output);
  return produce(output, options, async (folder) => {
    const file = join(folder, 'whole');
    const result = await joinInto(file, output, format, segments, options);
    return { file, result };
  });
}

/** The work of `joinSegments`, into a file that the caller moves to `output` (named in errors). */
export async function joinInto(
  file: string,
  output: string,
  format: OutputFormat,
  segments: readonly Segment[],
  { fps, sound, signal }: JoinOptions,
): Promise<WrittenVideo> {
  const frameCount = segments.reduce((sum, segment) => sum + segment.frameCount, 0);
  const duration = frameCount / toNumber(fps);
  const track = sound && (await soundArguments(sound, format, { duration, fps, signal }));
  if (track?.encoder === 'libopus') await requireEncoder('libopus', signal);
  const args = [
    ...[
      '-f',
      'concat',
      '-safe',
      '0',
      '-protocol_whitelist',
      'file,pipe',
      '-i',
      'pipe:0',
      ...(track?.input ?? []),
    ],
    ...['-map', '0:v:0', '-c:v', 'copy', ...(track?.output ?? [])],
    ...['-map_metadata', '-1', '-map_chapters', '-1', '-fflags', '+bitexact', '-max_interleave_delta', '0'],
    ...(format.muxer === 'mp4' || format.muxer === 'mov'
      ? ['-movflags', '+faststart', '-video_track_timescale', String(timescale(fps))]
      : []),
    ...['-f', format.muxer, '-y', fileUrl(file)],
  ];
  const list = concatList(segments, fps);
  const input = (async function* () {
    yield Buffer.from(list);
  })();
  await runTool('ffmpeg', args, { task: `write ${output}`, blame: 'CANNOT_WRITE', input, signal });
  await verifyVideo(file, output, { frameCount, fps, sound: sound !== undefined, signal });
  return { path: output, frameCount, duration };
}

/** The script of FFmpeg's concat demuxer. Durations are stated, so that each segment begins on the grid. */
function concatList(segments: readonly Segment[], fps: Rational): string {
  const entries = segments.map(({ path, frameCount }) => {
    if (/[\r\n]/.test(path))
      throw new MuseTalkError('BAD_OPTION', `${JSON.stringify(path)} has a line break in its name`, {
        hint: 'Use a folder without one.',
      });
    const quoted = fileUrl(path).replaceAll("'", "'\\''");
    return `file '${quoted}'\nduration ${(frameCount / toNumber(fps)).toFixed(9)}\n`;
  });
  return `ffconcat version 1.0\n${entries.join('')}`;
}
