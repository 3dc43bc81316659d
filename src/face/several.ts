/**
 * Which of several faces is meant may show later than where a shot begins: who speaks, or who is at a point of a later
 * frame. So all of them are followed for a while, and the one that is meant is told from the beginning of the shot.
 */
import type { Image } from '../image/image.ts';
import { distance, middleOf } from './choice.ts';
import type { FaceChoice, FacePoint, FoundFace, FrameFace, NumberedImage } from './finder.ts';
import { type FaceSight, plain, type SeenFace, Shot } from './shot.ts';

/** A choice that is not made in the first frame of a shot. */
type LateChoice = 'speaking' | (FacePoint & { readonly frame: number });

/** Faces that are followed side by side at most, the largest ones. */
const MOST_FACES = 4;

/** Frames of a shot after which it is told who speaks: ten seconds, which bounds work and memory. */
const LOOK = 250;

/** Frames of a shot after which a named frame is waited for no longer. */
const LONGEST_WAIT = 1500;

/** Whether a choice is made later than in the first frame of a shot. */
export function isLateChoice(choice: FaceChoice): choice is LateChoice {
  return choice === 'speaking' || (typeof choice === 'object' && (choice.frame ?? 0) > 0);
}

type Followed<S> = { readonly face: S; readonly still: boolean } | undefined;

interface Candidate<F extends SeenFace, S extends FoundFace> {
  readonly shot: Shot<F, S>;
  /** What is not told yet, a frame each. */
  told: FrameFace[];
}

/** The faces of one shot: the one that was chosen at once, or those of which one is chosen later. */
export class FacesOfShot<F extends SeenFace, S extends FoundFace> {
  readonly #sight: FaceSight<F, S>;
  readonly #choice: FaceChoice;
  #candidates: Candidate<F, S>[] = [];
  #frames = 0;
  #chosen = false;

  constructor(sight: FaceSight<F, S>, choice: FaceChoice) {
    this.#sight = sight;
    this.#choice = choice;
    if (isLateChoice(choice)) return;
    this.#candidates = [{ shot: new Shot(sight), told: [] }];
    this.#chosen = true;
  }

  /** Looks where each face was, in the order of the candidates. */
  async follow(frame: Image): Promise<Followed<S>[]> {
    const followed: Followed<S>[] = [];
    for (const { shot } of this.#candidates) followed.push(await shot.follow(frame));
    return followed;
  }

  /**
   * Takes the frame in. Before a late choice: all faces that it shows as long as none has been seen, then those that
   * are followed.
   */
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
      const choice = isLateChoice(this.#choice) ? i : this.#choice;
      if (!face || shot.sinceDetection >= detectEvery) face = await shot.detect(frame, face, choice);
      const cut = this.#frames === 0;
      told.push({ index: frame.index, face: face ? plain(face) : null, cut, faces: shot.faces });
    }
    this.#frames++;
  }

  /** Whether the choice is made, or can be made now. */
  isReady(frame: number): boolean {
    const choice = this.#choice;
    if (this.#chosen || !isLateChoice(choice)) return true;
    const single = this.#candidates.length === 1 && this.#candidates[0]!.told.at(-1)!.face !== null;
    if (choice === 'speaking') return single || this.#frames >= LOOK;
    return single || frame >= choice.frame || this.#frames >= LONGEST_WAIT;
  }

  /** Makes the choice, if it is not made, and tells what is not told yet. */
  *settle(): Generator<FrameFace> {
    const choice = this.#choice;
    if (!this.#chosen && isLateChoice(choice)) {
      const rank = choice === 'speaking' ? stillness : awayFrom(choice);
      this.#candidates = this.#candidates.toSorted((a, b) => rank(a.told) - rank(b.told)).slice(0, 1);
      this.#chosen = true;
    }
    const [chosen] = this.#candidates;
    const { told } = chosen!;
    chosen!.told = [];
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
export function detectingOnce<F extends SeenFace, S extends FoundFace>(
  sight: FaceSight<F, S>,
): FaceSight<F, S> {
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
