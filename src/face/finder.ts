import type { Box, Point } from '../core/box.ts';
import type { Image } from '../image/image.ts';

/** A picture with its number in the source: a `Frame` of `media` is one. */
export interface NumberedImage extends Image {
  /** Number of the frame in the source, from 0. */
  readonly index: number;
}

/**
 * Which face is followed where there are several: the largest, the leftmost or rightmost of the picture, the
 * n-th largest (0 = largest), the one nearest to a point in pixels (in the frame of that number, or where a shot
 * begins), or the one whose mouth moves most.
 */
export type FaceChoice = 'largest' | 'left' | 'right' | 'speaking' | number | FacePoint;

/** Where a face is to be found. */
export interface FacePoint extends Point {
  /** Number of the frame in the source. */
  readonly frame?: number | undefined;
}

/** The face that is followed, in one frame. Positions are in pixels of the frame. */
export interface FoundFace {
  /** 68 points in iBUG's order (see {@link FACE_MESH_68} for what is where). May lie outside the picture. */
  readonly landmarks: readonly Point[];
  /** Round the face: the detector's box where it looks at every frame, else the box round what is tracked. */
  readonly box: Box;
  /** How sure the network is that there is a face, 0 … 1. */
  readonly score: number;
  /** The 468 points of FaceMesh, x, y, z after one another (z in pixels, smaller is nearer); only `builtin`. */
  readonly mesh?: Float32Array | undefined;
}

/** What a {@link FaceFinder} says of one frame. */
export interface FrameFace {
  /** Number of the frame in the source. */
  readonly index: number;
  /** `null` where the frame shows no face that could be used; such a frame passes through untouched. */
  readonly face: FoundFace | null;
  /** A new shot starts here; nothing may be smoothed across it. True for the first frame. */
  readonly cut: boolean;
  /** How many faces the last detection saw, the followed one included. */
  readonly faces: number;
}

/** How faces are looked for. */
export interface FindOptions {
  /** Default `'largest'`. After a cut the choice is made anew. */
  readonly choice?: FaceChoice | undefined;
  /** Frames from one detection to the next while the face is tracked without doubt; default 25, 1 = always. */
  readonly detectEvery?: number | undefined;
}

/** Finds and follows one face through the frames of a video. */
export interface FaceFinder {
  /** `builtin`: BlazeFace and FaceMesh; `official`: S3FD and RTMPose, as upstream. */
  readonly kind: 'builtin' | 'official';
  /**
   * One result for every frame, in order, unsmoothed (see `smoothFaces`). Holds the pixels of at most two frames.
   *
   * @throws the signal's reason after an abort.
   */
  find(
    frames: AsyncIterable<NumberedImage>,
    options?: FindOptions,
    signal?: AbortSignal,
  ): AsyncGenerator<FrameFace, void, undefined>;
  /** Frees the networks. */
  close(): Promise<void>;
}
