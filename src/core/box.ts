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
