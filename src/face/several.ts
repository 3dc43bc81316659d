/**
 * Which of several faces is meant may show later than where a shot begins: who speaks, or who is at a point of a later
 * frame. So all of them are followed for a while, and the one that is meant is told from the beginning of the shot.
 */
import type { Image } from '../image/image.ts';
import { distance, middleOf } from './choice.ts';
import { CutDetector } from './cuts.ts';
import type { FaceChoice, FacePoint, FoundFace, FrameFace, NumberedImage } from './finder.ts';
import { type FaceSight, plain, type SeenFace, Shot } from './shot.ts';

/** A choice that is not made in the first frame of a shot. */
export type LateChoice = 'speaking' | (FacePoint & { readonly frame: number });

/** Faces that are followed side by side at most, the largest ones. */
const MOST_FACES = 4;

/** Frames of a shot after which it is told who speaks: ten seconds, which bounds work and memory. */
const LOOK = 250;

/** Frames of a shot after which a named frame is waited for no longer. */
const LONGEST_WAIT = 1500;

/** Whether a choice needs {@link trackSeveral}. */
export function isLateChoice(choice: FaceChoice): choice is LateChoice {
  return choice === 'speaking' || (typeof choice === 'object' && (choice.frame ?? 0) > 0);
}

/** As `trackFace`, for late choices: results of a shot come when its choice is made. */
export async function* trackSeveral<F extends SeenFace, S extends FoundFace>(
  given: FaceSight<F, S>,
  frames: AsyncIterable<NumberedImage>,
  { choice, detectEvery }: { readonly choice: LateChoice; readonly detectEvery: number },
  signal: AbortSignal | undefined,
): AsyncGenerator<FrameFace, void, undefined> {
  const sight = detectingOnce(given);
  const cuts = new CutDetector();
  let group: Group<F, S> | undefined;
  for await (const frame of frames) {
    signal?.throwIfAborted();
    const changed = cuts.next(frame);
    const tracked = await group?.follow(frame);
    // Where a face has not moved there was a flash of light and no cut.
    const cut: boolean = !group || (changed && !tracked?.some((one) => one?.still));
    if (!group || cut) {
      if (group) yield* group.settle(choice);
      group = new Group(sight);
    }
    await group.see(frame, cut ? [] : (tracked ?? []), detectEvery);
    if (group.isReady(choice, frame.index)) yield* group.settle(choice);
  }
  if (group) yield* group.settle(choice);
}

type Followed<S> = { readonly face: S; readonly still: boolean } | undefined;

interface Candidate<F extends SeenFace, S extends FoundFace> {
  readonly shot: Shot<F, S>;
  /** What is not told yet, a frame each. */
  told: FrameFace[];
}

/** The faces of one shot. */
class Group<F extends SeenFace, S extends FoundFace> {
  readonly #sight: FaceSight<F, S>;
  #candidates: Candidate<F, S>[] = [];
  #frames = 0;
  #chosen = false;

  constructor(sight: FaceSight<F, S>) {
    this.#sight = sight;
  }

  async follow(frame: Image): Promise<Followed<S>[]> {
    const followed: Followed<S>[] = [];
    for (const { shot } of this.#candidates) followed.push(await shot.follow(frame));
    return followed;
  }

  /** Takes the frame in: all faces that it shows as long as none has been seen, then those that are followed. */
  async see(frame: NumberedImage, followed: readonly Followed<S>[], detectEvery: number): Promise<void> {
    const fresh = !this.#chosen && !this.#candidates.some(({ told }) => told.some(({ face }) => face));
    const before = this.#candidates[0]?.told ?? [];
    if (fresh) {
      const seen = await this.#sight.detect(frame, this.#frames % 10 === 0);
      const count = Math.min(MOST_FACES, Math.max(1, seen.length));
      this.#candidates = Array.from({ length: count }, () => ({
        shot: new Shot(this.#sight),
        told: [...before],
      }));
    }
    for (const [i, { shot, told }] of this.#candidates.entries()) {
      let face = fresh ? undefined : followed[i]?.face;
      if (!face || shot.sinceDetection >= detectEvery) face = await shot.detect(frame, face, i);
      const cut = this.#frames === 0;
      told.push({ index: frame.index, face: face ? plain(face) : null, cut, faces: shot.faces });
    }
    this.#frames++;
  }

  /** Whether the choice can be made now. */
  isReady(choice: LateChoice, frame: number): boolean {
    if (this.#chosen) return true;
    const single = this.#candidates.length === 1 && this.#candidates[0]!.told.at(-1)!.face !== null;
    if (choice === 'speaking') return single || this.#frames >= LOOK;
    return single || frame >= choice.frame || this.#frames >= LONGEST_WAIT;
  }

  /** Makes the choice, if it is not made, and tells what is not told yet. */
  *settle(choice: LateChoice): Generator<FrameFace> {
    const rank = choice === 'speaking' ? stillness : awayFrom(choice);
    const [best] = [...this.#candidates].sort((a, b) => rank(a.told) - rank(b.told));
    this.#candidates = [best!];
    this.#chosen = true;
    const { told } = best!;
    best!.told = [];
    yield* told;
  }
}

/** The less a mouth moves, the higher. */
function stillness(told: readonly FrameFace[]): number {
  return -mouthMovement(told.map(({ face }) => face));
}

function awayFrom(point: FacePoint): (told: readonly FrameFace[]) => number {
  return (told) => {
    const face = told.at(-1)?.face;
    return face ? distance(middleOf(face.box), point) : Number.MAX_VALUE;
  };
}

/** Upper and lower points of the inner lips among the 68. */
const INNER_LIPS = [
  [61, 67],
  [62, 66],
  [63, 65],
] as const;

/** Frames in which a mouth's movement is measured apart: a second, so that one yawn is not taken for a speech. */
const STRETCH = 25;

/**
 * How much a mouth moves: the spread of its opening (one standard deviation, as a part of the face's height) within a
 * second, the mean of all seconds; where the face is not seen it counts as still. Measured on two seconds of speech:
 * 0.011; on a portrait that is moved about: 0.004, which is the noise of the landmarks.
 */
export function mouthMovement(faces: readonly (Pick<FoundFace, 'landmarks' | 'box'> | null)[]): number {
  let sum = 0;
  for (let start = 0; start < faces.length; start += STRETCH) {
    const seen = faces.slice(start, start + STRETCH).flatMap((face) => (face ? [opening(face)] : []));
    sum += spread(seen) * seen.length;
  }
  return sum / Math.max(1, faces.length);
}

function spread(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const mean = values.reduce((total, value) => total + value, 0) / values.length;
  return Math.sqrt(values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length);
}

function opening({ landmarks, box }: Pick<FoundFace, 'landmarks' | 'box'>): number {
  const gaps = INNER_LIPS.map(([upper, lower]) => distance(landmarks[upper]!, landmarks[lower]!));
  return gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length / (box.y2 - box.y1);
}

/** A sight that looks at each picture once, however many ask what it shows. */
function detectingOnce<F extends SeenFace, S extends FoundFace>(sight: FaceSight<F, S>): FaceSight<F, S> {
  let last: { picture: Image; thorough: boolean; seen: Promise<F[]> } | undefined;
  return {
    ...sight,
    detect(picture, thorough) {
      if (last?.picture !== picture || (thorough && !last.thorough))
        last = { picture, thorough, seen: sight.detect(picture, thorough) };
      return last.seen;
    },
  };
}
