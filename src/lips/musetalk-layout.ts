import type { Box, Point } from '../core/box.ts';
import { cropBox, literalCropBox } from '../face/crop-box.ts';
import type { FoundFace, FrameFace } from '../face/finder.ts';
import { smoothFaces } from '../face/smooth.ts';
import type { VideoSource } from '../media/source.ts';
import type { Compat } from '../sound/mel-blocks.ts';
import type { Layout, PictureSize } from './lip-model.ts';

/** By which rules boxes are laid out. */
export interface LayoutOptions {
  readonly version: '1.0' | '1.5';
  readonly compat: Compat;
  /** Pixels by which the half line is moved. */
  readonly bboxShift: number;
}

/**
 * MuseTalk's boxes: from point 29 of the nose bridge to the chin, and as far upward; one for each frame. By the
 * right rules the landmarks are smoothed over time first. Reads all faces and keeps some 600 bytes of each.
 */
export async function layoutByLandmarks(
  faces: AsyncIterable<FrameFace>,
  { width, height, fps }: PictureSize & Pick<VideoSource, 'fps'>,
  { version, compat, bboxShift }: LayoutOptions,
): Promise<Layout> {
  const coords: (Box | null)[] = [];
  const points: (Float32Array | undefined)[] = [];
  const openings: number[] = [];
  let several = 0;
  const literal = compat === 'upstream';
  for await (const { face, faces: count } of literal ? faces : smoothed(faces, fps.num / fps.den)) {
    if (count > 1) several++;
    const box = face && boxOfFace(face, literal);
    coords.push(box);
    points.push(box && face ? Float32Array.from(face.landmarks.flatMap(({ x, y }) => [x, y])) : undefined);
    openings.push(box && face ? mouthOpening(face.landmarks) / (box.y2 - box.y1) : Number.NaN);
  }
  return {
    coords,
    landmarks: (frame) => pointsOf(points[frame]),
    openings,
    reference: undefined,
    warnings: several > 0 ? [`${several} frames show more than one face; one of them is followed`] : [],
  };

  function boxOfFace({ landmarks, box }: FoundFace, literal: boolean): Box | null {
    if (literal) return literalCropBox(landmarks, box, { version, bboxShift })?.box ?? null;
    return cropBox(landmarks, box, { version, bboxShift, width, height, extraMargin: 0 });
  }
}

/** Frames that are smoothed together, and frames on either side that are looked at too. */
const SMOOTHED = 1500;
const CONTEXT = 50;

/** Faces with steadier landmarks, in order; holds about a minute of them, so that any length has room. */
async function* smoothed(faces: AsyncIterable<FrameFace>, fps: number): AsyncGenerator<FrameFace> {
  let held: FrameFace[] = [];
  let given = 0; // of those held
  for await (const { face, ...rest } of faces) {
    // The landmarks are enough; a mesh is seven times as large.
    held.push({ ...rest, face: face && { ...face, mesh: undefined } });
    if (held.length < SMOOTHED + 2 * CONTEXT) continue;
    yield* smoothFaces(held, { fps }).slice(given, -CONTEXT);
    held = held.slice(-2 * CONTEXT);
    given = CONTEXT;
  }
  yield* smoothFaces(held, { fps }).slice(given);
}

/** Pixels between the inner edges of the lips: the mean of three distances of the 68 landmarks. */
function mouthOpening(landmarks: readonly Point[]): number {
  const pairs = [
    [61, 67],
    [62, 66],
    [63, 65],
  ] as const;
  const distances = pairs.map(([upper, lower]) =>
    Math.hypot(landmarks[upper]!.x - landmarks[lower]!.x, landmarks[upper]!.y - landmarks[lower]!.y),
  );
  return distances.reduce((sum, d) => sum + d, 0) / pairs.length;
}

function pointsOf(numbers: Float32Array | undefined): Point[] | undefined {
  return (
    numbers &&
    Array.from({ length: numbers.length / 2 }, (_, i) => ({ x: numbers[2 * i]!, y: numbers[2 * i + 1]! }))
  );
}
