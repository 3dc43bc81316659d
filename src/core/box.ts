/** A rectangle in pixels. The far edges `x2`, `y2` are excluded, so `x2 − x1` is the width. */
export interface Box {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

/** A point in pixels, from the left and from the top. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The common part of two boxes; where there is none, an empty box (`x2 = x1` or `y2 = y1`). */
export function intersectBoxes(a: Box, b: Box): Box {
  const x1 = Math.max(a.x1, b.x1);
  const y1 = Math.max(a.y1, b.y1);
  return { x1, y1, x2: Math.max(x1, Math.min(a.x2, b.x2)), y2: Math.max(y1, Math.min(a.y2, b.y2)) };
}
