import { MuseTalkError } from '../core/errors.ts';
import { inputFile, streamTool } from './ffmpeg.ts';
import { DEFAULT_LIMITS, decodingTime, type MediaLimits } from './limits.ts';
import { type PicturePacket, type Probe, type ProbeOptions, refuseAbove, type VideoStream } from './probe.ts';
import { toNumber } from './rate.ts';
import type { MediaKind } from './sniff.ts';

/** When each frame is shown, in the order of showing. */
export interface Timestamps {
  /** Seconds of each frame since the first. */
  readonly times: readonly number[];
  /** Seconds in the file's own clock of the first frame. */
  readonly start: number;
  /** Seconds of the last frame: what the file says, else the usual distance. */
  readonly lastDuration: number;
  /** Which frames can be decoded without earlier ones; empty where that is not known. */
  readonly keyframes: readonly number[];
}

type Row = Pick<PicturePacket, 'time' | 'duration' | 'key'>;

/** Containers whose packets carry times that can be trusted without decoding. */
const TIMED_KINDS = ['mov', 'matroska'];

/**
 * The times of all frames of a video stream, from its packets where the container is exact about them, else by
 * decoding it once. The numbers agree with the frames that FFmpeg gives, so that they can be paired.
 *
 * @throws MuseTalkError `BAD_FILE` without a single frame, `TOO_LARGE` above the limits.
 */
export async function readTimestamps(
  { path, kind, video }: Probe & { video: VideoStream },
  packets: readonly PicturePacket[],
  { limits: own, signal }: ProbeOptions = {},
): Promise<Timestamps> {
  const limits = { ...DEFAULT_LIMITS, ...own };
  const mostFrames = Math.min(limits.frames, limits.totalPixels / (video.width * video.height));
  const timed = packets.filter(({ stream, discarded }) => stream === video.index && !discarded);
  const exact = TIMED_KINDS.includes(kind.demuxer);
  if (exact && timed.length > 0 && timed.every(({ time }) => !Number.isNaN(time))) {
    refuseAbove(path, 'frames', timed.length, mostFrames);
    return order(path, video, timed, limits);
  }
  const rows: Row[] = [];
  const cpuTime = decodingTime(video.width * video.height * mostFrames);
  for await (const row of decodedRows(path, kind, video, { signal, cpuTime })) {
    rows.push(row);
    refuseAbove(path, 'frames', rows.length, mostFrames);
  }
  return order(path, video, rows, limits);
}

async function* decodedRows(
  path: string,
  kind: MediaKind,
  video: VideoStream,
  bounds: { readonly signal: AbortSignal | undefined; readonly cpuTime: number },
): AsyncGenerator<Row> {
  const entries = 'frame=key_frame,best_effort_timestamp_time,pkt_duration_time';
  const args = ['-select_streams', String(video.index), '-show_entries', entries, '-of', 'compact=p=0'];
  const options = { task: `read the times of the frames of ${path}`, blame: 'BAD_FILE', ...bounds } as const;
  let rest = '';
  for await (const chunk of streamTool('ffprobe', [...args, ...inputFile(path, kind.demuxer)], options)) {
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim()) yield readRow(line);
  }
}

/** A line such as `key_frame=1|best_effort_timestamp_time=0.040000|pkt_duration_time=0.040000`. */
function readRow(line: string): Row {
  const fields = Object.fromEntries(
    line
      .trim()
      .split('|')
      .map((field) => field.split('=', 2) as [string, string]),
  );
  return {
    time: Number(fields.best_effort_timestamp_time ?? Number.NaN),
    duration: Number(fields.pkt_duration_time) || 0,
    key: fields.key_frame === '1',
  };
}

function order(path: string, video: VideoStream, rows: readonly Row[], limits: MediaLimits): Timestamps {
  if (rows.length === 0)
    throw new MuseTalkError('BAD_FILE', `${path} holds no frame that can be read`, {
      hint: 'The file may be cut off; copy or download it again.',
      facts: { path },
    });
  const step = video.declaredRate ? 1 / toNumber(video.declaredRate) : 0.04;
  const untimed = rows.some(({ time }) => !Number.isFinite(time));
  const sorted = untimed
    ? rows.map((row, i) => ({ ...row, time: i * step }))
    : [...rows].sort((a, b) => a.time - b.time);
  const start = sorted[0]!.time;
  const times = sorted.map(({ time }) => time - start);
  refuseAbove(path, 'seconds', times.at(-1)!, limits.duration);
  return {
    times,
    start,
    lastDuration: sorted.at(-1)!.duration || step,
    keyframes: sorted.flatMap(({ key }, i) => (key ? [i] : [])),
  };
}
