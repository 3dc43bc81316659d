/** What the containers' clocks say: gaps between frames, and how sound and pictures begin and end. */
import { probePackets } from '../media/probe.ts';
import { readTimestamps } from '../media/timestamps.ts';

/** Clocks of a file. Seconds. */
export interface StreamTiming {
  /** Frames that are shown much longer or shorter than is usual in the file. */
  readonly irregular: readonly number[];
  /** From the first picture to the first sample. */
  readonly soundStart: number | undefined;
  readonly soundLength: number | undefined;
  readonly videoLength: number;
}

/** A frame shown for this share longer or shorter than usual is irregular. */
const TOLERANCE = 0.4;

/** Reads the clocks of a video file; of a folder or a picture there are none. */
export async function readTiming(path: string, signal?: AbortSignal): Promise<StreamTiming | undefined> {
  const { found, pictures } = await probePackets(path, { signal });
  const { video } = found;
  if (!video || found.kind.family === 'still') return undefined;
  const { times, lastDuration } = await readTimestamps({ ...found, video }, pictures, { signal });
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  const usual = gaps.toSorted((a, b) => a - b)[gaps.length >> 1] ?? lastDuration;
  const irregular = gaps.flatMap((gap, i) => (Math.abs(gap / usual - 1) > TOLERANCE ? [i] : []));
  const { sound } = found;
  return {
    irregular,
    soundStart: sound?.start,
    soundLength: sound?.duration,
    videoLength: times.at(-1)! + lastDuration,
  };
}
