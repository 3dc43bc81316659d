import { CutDetector } from './cuts.ts';
import type { FindOptions, FoundFace, FrameFace, NumberedImage } from './finder.ts';
import { isLateChoice, trackSeveral } from './several.ts';
import { type FaceSight, plain, type SeenFace, Shot } from './shot.ts';

/**
 * Follows one face: detected in the first frame, at cuts, on a schedule and where it was lost; in between its
 * landmarks say where the next frame's are. Another person in the same shot is never taken for it.
 *
 * @throws the signal's reason after an abort.
 */
export async function* trackFace<F extends SeenFace, S extends FoundFace>(
  sight: FaceSight<F, S>,
  frames: AsyncIterable<NumberedImage>,
  { choice = 'largest', detectEvery = 25 }: FindOptions = {},
  signal?: AbortSignal,
): AsyncGenerator<FrameFace, void, undefined> {
  if (isLateChoice(choice)) {
    yield* trackSeveral(sight, frames, { choice, detectEvery }, signal);
    return;
  }
  const cuts = new CutDetector();
  let shot: Shot<F, S> | undefined;
  for await (const frame of frames) {
    signal?.throwIfAborted();
    const changed = cuts.next(frame);
    let tracked = await shot?.follow(frame);
    // Where the face has not moved there was a flash of light and no cut.
    const cut: boolean = !shot || (changed && !tracked?.still);
    if (!shot || cut) {
      shot = new Shot(sight);
      tracked = undefined;
    }
    let face = tracked?.face;
    if (!face || shot.sinceDetection >= detectEvery) face = await shot.detect(frame, face, choice);
    yield { index: frame.index, face: face ? plain(face) : null, cut, faces: shot.faces };
  }
}
