import type { Box } from '../core/box.ts';
import type { Image } from '../image/image.ts';
import { applyAffine } from '../image/warp.ts';
import type { BlazeFaceBox, BlazeFaceConfig } from '../networks/blazeface.ts';
import {
  anchorCentres,
  decodeBlazeFace,
  FULL_RANGE,
  mergeOverlapping,
  overlap,
  SHORT_RANGE,
} from '../networks/blazeface.ts';
import type { Session } from '../nn/session.ts';
import type { FaceModels } from './models.ts';
import type { Square } from './square.ts';
import { cutSquare, meanOfBlocks, squareToPicture } from './square.ts';

/** A face that the detector saw, in pixels of the picture. */
export type Face = BlazeFaceBox;

/** How faces are detected. */
export interface DetectOptions {
  /** Faces below are left out, 0 … 1; default 0.5. */
  readonly minScore?: number;
  /** Look at parts of the picture too where the whole shows no face: finds faces down to some 20 pixels. */
  readonly thorough?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * All faces of a picture (RGB), the largest first.
 *
 * Two detectors look at the whole picture: one for close faces, one for faces from a twentieth of its side on.
 */
export async function detectFaces(
  models: FaceModels,
  picture: Image,
  { minScore = 0.5, thorough = true, signal }: DetectOptions = {},
): Promise<Face[]> {
  const whole = wholePicture(picture);
  const look = (session: Session, config: BlazeFaceConfig, squares: Square[]) =>
    detectIn(session, config, picture, squares, { minScore, signal });
  const seen = await Promise.all([
    look(models.shortRange, SHORT_RANGE, [whole]),
    look(models.fullRange, FULL_RANGE, [whole]),
  ]);
  let faces = distinct(seen.flat());
  for (const parts of [2, 4]) {
    if (faces.length > 0 || !thorough) break;
    faces = distinct(await look(models.fullRange, FULL_RANGE, tiles(picture, parts)));
  }
  return faces.sort((a, b) => areaOf(b.box) - areaOf(a.box));
}

/** Looks at squares of one size. */
async function detectIn(
  session: Session,
  config: BlazeFaceConfig,
  picture: Image,
  squares: readonly Square[],
  { minScore, signal }: { minScore: number; signal: AbortSignal | undefined },
): Promise<Face[]> {
  const { size } = config;
  const centres = anchorCentres(config);
  const data = new Uint8Array(squares.length * size * size * 3);
  // Two steps are cheaper than one for a large picture: whole blocks first, then the rest.
  const block = Math.max(Math.floor(squares[0]!.side / (2 * size)), 1);
  const smaller = block === 1 ? picture : meanOfBlocks(picture, block);
  for (const [i, square] of squares.entries()) {
    data.set(cutSquare(smaller, shrunk(square, block), size).data, i * size * size * 3);
  }
  const images = { dtype: 'uint8', shape: [squares.length, size, size, 3], data } as const;
  const { regressors, scores } = await session.run({ images }, { signal });
  const anchors = centres.length / 2;
  return squares.flatMap((square, i) => {
    const rows = (regressors!.data as Float32Array).subarray(i * anchors * 16, (i + 1) * anchors * 16);
    const row = (scores!.data as Float32Array).subarray(i * anchors, (i + 1) * anchors);
    const faces = mergeOverlapping(decodeBlazeFace(rows, row, centres, minScore));
    return faces.map((face) => inPicture(face, square, size));
  });
}

/** The smallest square round the picture, both in the same middle: what letterboxing shows. */
function wholePicture({ width, height }: Image): Square {
  return { centre: { x: width / 2, y: height / 2 }, side: Math.max(width, height), angle: 0 };
}

/** Squares that cover the picture, each overlapping the next by half; `parts` on the shorter side, less one half. */
function tiles({ width, height }: { width: number; height: number }, parts: number): Square[] {
  const side = Math.min(width, height) / (parts / 2);
  const middles = (length: number) => {
    const count = Math.max(Math.ceil((length - side) / (side / 2)), 0) + 1;
    if (count === 1) return [length / 2];
    return Array.from({ length: count }, (_, i) => side / 2 + (i * (length - side)) / (count - 1));
  };
  return middles(height).flatMap((y) => middles(width).map((x) => ({ centre: { x, y }, side, angle: 0 })));
}

function shrunk({ centre, side, angle }: Square, factor: number): Square {
  return { centre: { x: centre.x / factor, y: centre.y / factor }, side: side / factor, angle };
}

function inPicture({ box, score, keypoints }: Face, square: Square, size: number): Face {
  const map = squareToPicture(square, size);
  const from = applyAffine(map, { x: box.x1, y: box.y1 });
  const to = applyAffine(map, { x: box.x2, y: box.y2 });
  return {
    box: { x1: from.x, y1: from.y, x2: to.x, y2: to.y },
    score,
    keypoints: keypoints.map((point) => applyAffine(map, point)),
  };
}

/** One of each face that several looks have found: the one of the best score. */
function distinct(faces: readonly Face[]): Face[] {
  const kept: Face[] = [];
  for (const face of [...faces].sort((a, b) => b.score - a.score)) {
    if (kept.every((other) => overlap(other.box, face.box) < 0.3)) kept.push(face);
  }
  return kept;
}

function areaOf({ x1, y1, x2, y2 }: Box): number {
  return (x2 - x1) * (y2 - y1);
}
