import type { Box } from '../core/box.ts';
import type { Image } from '../image/image.ts';
import { overlap } from '../networks/blazeface.ts';
import { distance, middleOf, rankFaces, rankLikeLast, sizeOfBox } from './choice.ts';
import { CutDetector } from './cuts.ts';
import { detectFaces, type Face } from './detect.ts';
import type { FaceFinder, FindOptions, FoundFace, FrameFace, NumberedImage } from './finder.ts';
import { landmarks68 } from './landmarks68.ts';
import { boxOfMesh, landmarksOf, type Mesh, squareOfFace, squareOfMesh } from './mesh.ts';
import type { FaceModels } from './models.ts';
import type { Square } from './square.ts';

/** FaceMesh takes its own word for "here is a face" from this presence on. */
const MIN_PRESENCE = 0.5;

/** While the face is lost, parts of the picture are searched too in every tenth frame. */
const THOROUGH_EVERY = 10;

/** What tracking asks of the networks. */
export interface FaceSight {
  /** The faces of a picture, largest first; `thorough` also in its parts. */
  detect(picture: Image, thorough: boolean): Promise<Face[]>;
  /** The mesh in a square of the picture, and how sure it is, 0 … 1. */
  mesh(picture: Image, square: Square): Promise<{ mesh: Mesh; presence: number }>;
}

/** The finder that needs no other weights than npm brings: BlazeFace and FaceMesh. It owns `models`. */
export function builtinFinder(models: FaceModels): FaceFinder {
  return {
    kind: 'builtin',
    find: (frames, options, signal) => {
      const sight: FaceSight = {
        detect: (picture, thorough) => detectFaces(models, picture, { thorough, signal }),
        mesh: async (picture, square) => (await landmarksOf(models, picture, [square], signal))[0]!,
      };
      return trackFace(sight, frames, options, signal);
    },
    close: () => models.close(),
  };
}

/**
 * Follows one face: detected in the first frame, at cuts, on a schedule and where it was lost; in between its
 * landmarks say where the next frame's are. Another person in the same shot is never taken for it.
 *
 * @throws the signal's reason after an abort.
 */
export async function* trackFace(
  sight: FaceSight,
  frames: AsyncIterable<NumberedImage>,
  { choice = 'largest', detectEvery = 25 }: FindOptions = {},
  signal?: AbortSignal,
): AsyncGenerator<FrameFace, void, undefined> {
  const cuts = new CutDetector();
  let shot: Shot | undefined;
  for await (const frame of frames) {
    signal?.throwIfAborted();
    const changed = cuts.next(frame);
    let tracked = await shot?.follow(sight, frame);
    // Where the face has not moved there was a flash of light and no cut.
    const cut: boolean = !shot || (changed && !tracked?.still);
    if (!shot || cut) {
      shot = new Shot();
      tracked = undefined;
    }
    if (!tracked || shot.sinceDetection >= detectEvery) {
      tracked = await shot.detect(sight, frame, tracked, choice);
    }
    yield { index: frame.index, face: tracked ? foundFace(tracked) : null, cut, faces: shot.faces };
  }
}

/** The face as it was tracked in one frame. */
interface Tracked {
  readonly mesh: Mesh;
  readonly presence: number;
  readonly box: Box;
  /** It lies where it was in the frame before, to a twenty-fifth of its size. */
  readonly still: boolean;
}

/** What is remembered from frame to frame of one shot. */
class Shot {
  faces = 0;
  sinceDetection = 0;
  /** Where to look next; undefined while the face is lost. */
  #square: Square | undefined;
  #lastBox: Box | undefined;
  #lostFrames = 0;
  /** Faces of other people, as last detected. */
  #others: readonly Box[] = [];

  /** Looks where the face was. `undefined` when it is not there any more. */
  async follow(sight: FaceSight, frame: Image): Promise<Tracked | undefined> {
    this.sinceDetection++;
    if (!this.#square) return undefined;
    const { mesh, presence } = await sight.mesh(frame, this.#square);
    const box = boxOfMesh(mesh);
    const last = this.#lastBox!;
    const moved = distance(middleOf(box), middleOf(last)) / sizeOfBox(last);
    const grown = sizeOfBox(box) / sizeOfBox(last);
    const lost = !(presence >= MIN_PRESENCE) || moved > 0.5 || grown > 1.5 || grown < 1 / 1.5;
    if (lost) {
      this.#square = undefined;
      return undefined;
    }
    this.#lastBox = box;
    this.#square = steadied(this.#square, squareOfMesh(mesh));
    return { mesh, presence, box, still: moved < 0.04 && Math.abs(grown - 1) < 0.04 };
  }

  /** Detects all faces; keeps to the tracked one if there is one, else takes the one to follow. */
  async detect(
    sight: FaceSight,
    frame: Image,
    tracked: Tracked | undefined,
    choice: FindOptions['choice'] & {},
  ): Promise<Tracked | undefined> {
    const first = this.#lastBox === undefined;
    const seen = await sight.detect(frame, tracked === undefined && this.#lostFrames % THOROUGH_EVERY === 0);
    this.faces = seen.length;
    this.sinceDetection = 0;
    if (tracked) {
      this.#others = seen.map(({ box }) => box).filter((box) => overlap(box, tracked.box) < 0.1);
      return tracked;
    }
    this.#lostFrames++;
    const strangers = (box: Box) => this.#others.some((other) => overlap(other, box) > 0.3);
    const candidates = first
      ? rankFaces(seen, choice)
      : rankLikeLast(
          seen.filter(({ box }) => !strangers(box)),
          this.#lastBox!,
          this.#lostFrames,
        );
    for (const face of candidates) {
      const found = await acquire(sight, frame, face);
      if (!found) continue;
      this.#square = squareOfMesh(found.mesh);
      this.#lastBox = found.box;
      this.#lostFrames = 0;
      this.#others = seen.filter((other) => other !== face).map(({ box }) => box);
      return found;
    }
    // Strangers walk on while the face is away: they stay strangers where they are now.
    if (!first) this.#others = seen.map(({ box }) => box).filter(strangers);
    return undefined;
  }
}

/** The mesh of a face just detected: three rounds, each looking where the last one found it. */
async function acquire(sight: FaceSight, frame: Image, face: Face): Promise<Tracked | undefined> {
  let square = squareOfFace(face);
  for (let round = 1; ; round++) {
    const { mesh, presence } = await sight.mesh(frame, square);
    if (!(presence >= MIN_PRESENCE)) return undefined;
    if (round === 3) return { mesh, presence, box: boxOfMesh(mesh), still: false };
    square = squareOfMesh(mesh);
  }
}

/**
 * A square on the way to where the face is now: the nearer, the less of the way, so that noise of the landmarks
 * does not shake the cut that the next landmarks are found in. A third of the square is margin, so lag is no harm.
 */
export function steadied(from: Square, to: Square): Square {
  const turn = Math.atan2(Math.sin(to.angle - from.angle), Math.cos(to.angle - from.angle));
  const away = Math.max(
    distance(from.centre, to.centre) / (0.05 * from.side),
    Math.abs(to.side - from.side) / (0.1 * from.side),
    Math.abs(turn) / 0.1,
  );
  const share = Math.min(Math.max(away, 0.1), 1);
  return {
    centre: {
      x: from.centre.x + share * (to.centre.x - from.centre.x),
      y: from.centre.y + share * (to.centre.y - from.centre.y),
    },
    side: from.side + share * (to.side - from.side),
    angle: from.angle + share * turn,
  };
}

function foundFace({ mesh, presence, box }: Tracked): FoundFace {
  return { landmarks: landmarks68(mesh), box, score: presence, mesh };
}
