import type { Box, Point } from '../core/box.ts';
import type { FaceChoice } from './finder.ts';

interface Boxed {
  readonly box: Box;
}

/**
 * The faces in the order in which they answer a choice, the best first; `faces` come with the largest first. For
 * a number that is too high the order is empty.
 */
export function rankFaces<F extends Boxed>(faces: readonly F[], choice: FaceChoice): F[] {
  if (typeof choice === 'number') return faces.slice(choice, choice + 1);
  const rank = rankOf(choice);
  return [...faces].sort((a, b) => rank(a) - rank(b));
}

function rankOf(choice: Exclude<FaceChoice, number>): (face: Boxed) => number {
  if (choice === 'largest' || choice === 'speaking') return ({ box }) => -sizeOfBox(box);
  if (choice === 'left') return ({ box }) => middleOf(box).x;
  if (choice === 'right') return ({ box }) => -middleOf(box).x;
  return ({ box }) => distance(middleOf(box), choice);
}

/**
 * The faces that can be the one seen last at `box`, `frames` frames ago, nearest first: about as large, and no
 * further away than a head moves in that time (a face width, and a tenth more with each frame).
 */
export function rankLikeLast<F extends Boxed>(faces: readonly F[], box: Box, frames: number): F[] {
  const size = sizeOfBox(box);
  const from = middleOf(box);
  return faces
    .filter((face) => {
      const ratio = sizeOfBox(face.box) / size;
      return ratio > 0.5 && ratio < 2 && distance(middleOf(face.box), from) < size * (1 + frames / 10);
    })
    .sort((a, b) => distance(middleOf(a.box), from) - distance(middleOf(b.box), from));
}

/** The middle of a box. */
export function middleOf({ x1, y1, x2, y2 }: Box): Point {
  return { x: (x1 + x2) / 2, y: (y1 + y2) / 2 };
}

/** The longer side of a box, in pixels. */
export function sizeOfBox({ x1, y1, x2, y2 }: Box): number {
  return Math.max(x2 - x1, y2 - y1);
}

/** Pixels between two points. */
export function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
