/** One face through one shot. */
import type { Box } from '../core/box.ts';
import type { Image } from '../image/image.ts';
import { overlap } from '../networks/blazeface.ts';
import { distance, middleOf, rankFaces, rankLikeLast, sizeOfBox } from './choice.ts';
import type { FaceChoice, FoundFace } from './finder.ts';

/** While the face is lost, parts of the picture are searched too in every tenth frame. */
const THOROUGH_EVERY = 10;

/** A face that a detector saw. */
export interface SeenFace {
  /** In pixels of the picture. */
  readonly box: Box;
  /** 0 … 1. */
  readonly score: number;
}

/** What tracking asks of the networks. `F` is what their detector says of a face, `S` what their landmarks say. */
export interface FaceSight<F extends SeenFace, S extends FoundFace> {
  /** The faces of a picture, largest first; `thorough` also in its parts. */
  detect(picture: Image, thorough: boolean): Promise<F[]>;
  /** The landmarks of a face that was detected in the picture; `undefined` when there is none after all. */
  acquire(picture: Image, face: F): Promise<S | undefined>;
  /** The landmarks near where they were in the frame before; `undefined` when there is no face any more. */
  follow(picture: Image, last: S): Promise<S | undefined>;
}

/** What is remembered of a face from frame to frame of one shot. */
export class Shot<F extends SeenFace, S extends FoundFace> {
  /** How many faces the last detection saw. */
  faces = 0;
  /** Frames since then. */
  sinceDetection = 0;
  readonly #sight: FaceSight<F, S>;
  /** The face where it was seen last. */
  #last: S | undefined;
  #lost = true;
  #lostFrames = 0;
  /** Faces of other people, as last detected. */
  #others: readonly Box[] = [];

  constructor(sight: FaceSight<F, S>) {
    this.#sight = sight;
  }

  /**
   * Looks where the face was; `undefined` when it is not there any more. `still` says that it lies where it was in
   * the frame before, to a twenty-fifth of its size.
   */
  async follow(frame: Image): Promise<{ face: S; still: boolean } | undefined> {
    this.sinceDetection++;
    const last = this.#last;
    if (this.#lost || !last) return undefined;
    const face = await this.#sight.follow(frame, last);
    const moved = face ? distance(middleOf(face.box), middleOf(last.box)) / sizeOfBox(last.box) : 0;
    const grown = face ? sizeOfBox(face.box) / sizeOfBox(last.box) : 1;
    // No head moves half its size from one frame to the next: the landmarks have slipped off.
    this.#lost = !face || moved > 0.5 || grown > 1.5 || grown < 1 / 1.5;
    if (this.#lost || !face) return undefined;
    this.#last = face;
    return { face, still: moved < 0.04 && Math.abs(grown - 1) < 0.04 };
  }

  /** Detects all faces; keeps to the tracked one if there is one, else takes the one to follow. */
  async detect(frame: Image, tracked: S | undefined, choice: FaceChoice): Promise<S | undefined> {
    const seen = await this.#sight.detect(frame, !tracked && this.#lostFrames % THOROUGH_EVERY === 0);
    this.faces = seen.length;
    this.sinceDetection = 0;
    if (tracked) {
      this.#others = boxesOf(seen).filter((box) => overlap(box, tracked.box) < 0.1);
      return tracked;
    }
    this.#lostFrames++;
    for (const candidate of this.#candidates(seen, choice)) {
      const face = await this.#sight.acquire(frame, candidate);
      if (!face) continue;
      this.#last = face;
      this.#lost = false;
      this.#lostFrames = 0;
      this.#others = boxesOf(seen.filter((other) => other !== candidate));
      return face;
    }
    // Strangers walk on while the face is away: they stay strangers where they are now.
    if (this.#last) this.#others = boxesOf(seen).filter((box) => this.#isStranger(box));
    return undefined;
  }

  #candidates(seen: readonly F[], choice: FaceChoice): F[] {
    if (!this.#last) return rankFaces(seen, choice);
    const familiar = seen.filter(({ box }) => !this.#isStranger(box));
    return rankLikeLast(familiar, this.#last.box, this.#lostFrames);
  }

  #isStranger(box: Box): boolean {
    return this.#others.some((other) => overlap(other, box) > 0.3);
  }
}

function boxesOf(faces: readonly SeenFace[]): Box[] {
  return faces.map(({ box }) => box);
}

/** A face without what a sight keeps for itself. */
export function plain({ landmarks, box, score, mesh }: FoundFace): FoundFace {
  return { landmarks, box, score, mesh };
}
