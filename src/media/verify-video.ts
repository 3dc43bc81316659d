import { MuseTalkError } from '../core/errors.ts';
import { probePackets } from './probe.ts';
import { toNumber } from './rate.ts';
import type { Rational } from './source.ts';
import { readTimestamps } from './timestamps.ts';

/** What a finished video must hold. */
export interface Expected {
  readonly frameCount: number;
  readonly fps: Rational;
  readonly sound: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Our own files are as long as they had to be. */
const UNLIMITED = {
  bytes: Infinity,
  pixels: Infinity,
  totalPixels: Infinity,
  frames: Infinity,
  duration: Infinity,
};

/**
 * Looks into a file that FFmpeg has finished, because it may end with code 0 though the disk was full. `output` is
 * the name that it will have, for the error.
 *
 * @throws MuseTalkError `CANNOT_WRITE` when frames are missing or out of place, or a stream is absent.
 */
export async function verifyVideo(file: string, output: string, expected: Expected): Promise<void> {
  const { frameCount, signal } = expected;
  const wrong = await flawOf(file, expected).catch((cause) => cause as Error);
  signal?.throwIfAborted();
  if (wrong === undefined) return;
  const why = wrong instanceof Error ? wrong.message.replaceAll(file, 'the file') : wrong;
  throw new MuseTalkError('CANNOT_WRITE', `cannot write ${output}: the finished file is not right: ${why}`, {
    hint: 'Check the free space of the disk, and the FFmpeg that the doctor command names.',
    facts: { output, frameCount },
    cause: wrong,
  });
}

async function flawOf(
  file: string,
  { frameCount, fps, sound, signal }: Expected,
): Promise<string | undefined> {
  const context = { limits: UNLIMITED, signal };
  const { found, pictures, sounds } = await probePackets(file, context);
  if (found.video === undefined) return 'it holds no pictures';
  if (sound && !(found.sound && sounds.has(found.sound.index))) return 'it holds no sound';
  const { times } = await readTimestamps({ ...found, video: found.video }, pictures, context);
  if (times.length !== frameCount) return `it holds ${times.length} frames instead of ${frameCount}`;
  const misplaced = times.findIndex((time, i) => Math.abs(time * toNumber(fps) - i) > 0.1);
  if (misplaced >= 0) return `frame ${misplaced} is at ${times[misplaced]} s`;
  const length = found.duration ?? 0;
  const wanted = frameCount / toNumber(fps);
  return Math.abs(length - wanted) > 1 / toNumber(fps) + 0.05
    ? `it lasts ${length} s instead of ${wanted} s`
    : undefined;
}
