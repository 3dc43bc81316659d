import { CutDetector } from './cuts.ts';
import type { FindOptions, FoundFace, FrameFace, NumberedImage } from './finder.ts';
import { detectingOnce, FacesOfShot, isLateChoice } from './several.ts';
import type { FaceSight, SeenFace } from './shot.ts';

/**
 * Follows one face: detected in the first frame, at cuts, on a schedule and where it was lost; in between its
 * landmarks say where the next frame's are. Another person in the same shot is never taken for it. Where the choice
 * of a face is made late, the results of a shot come when it is made.
 *
 * @throws the signal's reason after an abort.
 */
export async function* trackFace<F extends SeenFace, S extends FoundFace>(
  sight: FaceSight<F, S>,
  frames: AsyncIterable<NumberedImage>,
  { choice = 'largest', detectEvery = 25 }: FindOptions = {},
  signal?: AbortSignal,
): AsyncGenerator<FrameFace, void, undefined> {
  // Several are asked for the same picture.
  const eyes = isLateChoice(choice) ? detectingOnce(sight) : sight;
  const cuts = new CutDetector();
  let shot: FacesOfShot<F, S> | undefined;
  for await (const frame of frames) {
    signal?.throwIfAborted();
    const changed = cuts.next(frame);
    const followed = await shot?.follow(frame);
    // Where a face has not moved there was a flash of light and no cut.
    const cut: boolean = !shot || (changed && !followed?.some((face) => face?.still));
    if (!shot || cut) {
      if (shot) yield* shot.settle();
      shot = new FacesOfShot(eyes, choice);
    }
    await shot.see(frame, cut ? [] : (followed ?? []), detectEvery);
    if (shot.isReady(frame.index)) yield* shot.settle();
  }
  if (shot) yield* shot.settle();
}
