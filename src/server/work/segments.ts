/** The sound of a dub whose parts speak: what was given for each part, and the video's own sound in between. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { MuseTalkError } from '../../core/errors.ts';
import { composeSound, type SoundPiece } from '../../media/compose-sound.ts';
import { openVideo } from '../../media/open-video.ts';
import { inputName } from '../files.ts';
import type { SegmentPlan } from '../request.ts';

/** The name of that sound in the job's folder. */
export const SPEECH = 'speech.wav';

/** Shortest stretch that is a piece of its own; below it, rounding of seconds. */
const SHORTEST = 0.001;

/**
 * Makes, once, the whole sound of a job in its folder.
 *
 * @throws MuseTalkError BAD_OPTION when a part lies beyond the end of the video; as `composeSound`.
 */
export async function soundOfSegments(
  folder: string,
  segments: readonly SegmentPlan[],
  { fps, signal }: { fps?: string | number | undefined; signal: AbortSignal },
): Promise<void> {
  // Beside the inputs, not with an attempt's work: its name and time tell a later attempt that nothing changed.
  const output = join(folder, SPEECH);
  const there = await access(output).then(
    () => true,
    () => false,
  );
  if (there) return;
  const { duration } = await openVideo(join(folder, 'video'), { fps, signal });
  await composeSound(output, piecesOf(folder, segments, duration), { signal });
}

/** The pieces in the order of time, from 0 to the end of the video. */
export function piecesOf(folder: string, segments: readonly SegmentPlan[], duration: number): SoundPiece[] {
  const pieces: SoundPiece[] = [];
  let at = 0;
  const original = (end: number) => {
    if (end - at > SHORTEST) pieces.push({ duration: end - at, path: join(folder, inputName(0)), from: at });
  };
  for (const { start, end, sound, from, to } of [...segments].sort((a, b) => a.start - b.start)) {
    if (start >= duration)
      throw new MuseTalkError(
        'BAD_OPTION',
        `a segment begins at ${start} s, and the video ends at ${duration} s`,
        {
          hint: 'Give segments within the video.',
          facts: { value: start, limit: duration },
        },
      );
    original(start);
    const length = Math.min(end, duration) - start;
    const spoken = Math.min(length, to === undefined ? length : to - from);
    pieces.push({ duration: spoken, path: join(folder, inputName(sound + 1)), from });
    if (length - spoken > SHORTEST) pieces.push({ duration: length - spoken });
    at = Math.min(end, duration);
  }
  original(duration);
  return pieces;
}
