/** Looks into inputs by their headers, before anything is queued. */

import { MuseTalkError } from '../core/errors.ts';
import type { MediaLimits } from '../media/limits.ts';
import { openVideo } from '../media/open-video.ts';
import { probe } from '../media/probe.ts';
import { toNumber } from '../media/rate.ts';

/** What the headers of a video or a picture say. */
export interface VideoFacts {
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  readonly fps: number;
  /** Seconds. */
  readonly duration: number;
  readonly still: boolean;
}

/** What the headers of a sound say. */
export interface SoundFacts {
  /** Seconds; undefined where the file does not say. */
  readonly duration: number | undefined;
}

/**
 * The facts of a video or a picture. `path` is never told to the client.
 *
 * @throws MuseTalkError WRONG_FILE, BAD_FILE, TOO_LARGE.
 */
export async function inspectVideo(
  path: string,
  limits: Partial<MediaLimits>,
  signal: AbortSignal,
): Promise<VideoFacts> {
  const video = await openVideo(path, { limits, signal });
  const still = video.kind !== 'video';
  const { width, height, frameCount: frames, duration } = video;
  return { width, height, frames, fps: toNumber(video.fps), duration, still };
}

/** The facts of a sound. @throws MuseTalkError NO_SOUND, WRONG_FILE, BAD_FILE, TOO_LARGE. */
export async function inspectSound(
  path: string,
  limits: Partial<MediaLimits>,
  signal: AbortSignal,
): Promise<SoundFacts> {
  const { sound, duration, kind } = await probe(path, { limits, signal });
  if (!sound || sound.channels === 0 || sound.rate === 0)
    throw new MuseTalkError('NO_SOUND', `there is no sound in the ${kind.name} file`, {
      hint: 'Give a file with speech, such as WAV, MP3, M4A, or a video with sound.',
    });
  return { duration: sound.duration ?? duration };
}
