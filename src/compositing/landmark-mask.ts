import type { Box, Point } from '../core/box.ts';
import { intersectBoxes } from '../core/box.ts';
import { gaussianBlur } from '../image/blur.ts';
import { image } from '../image/image.ts';
import { paste } from '../image/paste.ts';
import { fillPolygon } from '../image/polygon.ts';
import { type BlendMask, blurSize, trimMask } from './masks.ts';

/** How the landmark mask is drawn. */
export interface LandmarkMaskOptions {
  /** Size of the blur as a part of the box's width; default 0.075, as wide as upstream's in 1.5. */
  readonly feather?: number;
  /** By how much the chin is moved away from the mouth, as a part of their distance; default 0.06. */
  readonly chinGrowth?: number;
  /** By how much the jaw at the ears is drawn towards the mouth, as a part of their distance; default 0.12. */
  readonly cheekShrink?: number;
}

/** The jaw at ear level, on both sides of the picture. */
const JAW_FIRST = 2;
const JAW_LAST = 14;
const CHIN = 8;
const NOSE_BASE = 33;
const UPPER_LIP = 51;
/** From the picture's right nostril to its left one. */
const NOSTRILS = [35, 34, 33, 32, 31];

/**
 * A mask from the 68 landmarks of a frame, where no network parses the face: everything between the jaw line and
 * the nose, from ear to ear, with soft edges. It follows the landmarks by fractions of a pixel, so it does not
 * flicker, and it is nearly black at the edges of `box`, so that no seam shows where the drawn face ends.
 *
 * As in upstream's `jaw` masks it reaches a little below the chin, which may move down, and stays clear of ears
 * and hair. Landmarks and box are in pixels of the frame; both may leave it.
 */
export function landmarkMask(
  landmarks: readonly Point[],
  box: Box,
  { feather = 0.075, chinGrowth = 0.06, cheekShrink = 0.12 }: LandmarkMaskOptions = {},
): BlendMask {
  const size = blurSize(box.x2 - box.x1, feather);
  const radius = (size - 1) / 2;
  const corners = lowerFace(landmarks, chinGrowth, cheekShrink);
  const area = intersectBoxes(aroundPoints(corners), insideOf(box, size));
  const width = area.x2 - area.x1;
  const height = area.y2 - area.y1;
  if (width === 0 || height === 0)
    return { crop: { ...area, x2: area.x1, y2: area.y1 }, mask: image(0, 0, 1) };

  const core = image(width, height, 1);
  fillPolygon(
    core,
    corners.map(({ x, y }) => ({ x: x - area.x1, y: y - area.y1 })),
  );
  const mask = image(width + 2 * radius, height + 2 * radius, 1);
  paste(mask, core, radius, radius);
  const crop = {
    x1: area.x1 - radius,
    y1: area.y1 - radius,
    x2: area.x2 + radius,
    y2: area.y2 + radius,
  };
  return trimMask({ crop, mask: gaussianBlur(mask, size) }, box);
}

/** The outline: along the jaw over the chin, and back under the nose. */
function lowerFace(landmarks: readonly Point[], chinGrowth: number, cheekShrink: number): Point[] {
  const mouth = middle(landmarks[48]!, landmarks[54]!);
  const jaw = landmarks.slice(JAW_FIRST, JAW_LAST + 1).map((point, i) => {
    const side = Math.abs(i + JAW_FIRST - CHIN) / (CHIN - JAW_FIRST);
    return towards(mouth, point, 1 + chinGrowth * (1 - side) - cheekShrink * side);
  });
  // A quarter of the way from the nose to the lip, so that the nostrils keep their own pixels.
  const nose = landmarks[NOSE_BASE]!;
  const lip = landmarks[UPPER_LIP]!;
  const down = { x: (lip.x - nose.x) / 4, y: (lip.y - nose.y) / 4 };
  const underNose = NOSTRILS.map((i) => ({ x: landmarks[i]!.x + down.x, y: landmarks[i]!.y + down.y }));
  return [...jaw, ...underNose];
}

/** The box without the strip in which the blur fades from half to nearly nothing (two sigma). */
function insideOf(box: Box, blur: number): Box {
  const strip = Math.round(0.3 * blur);
  // Rows above the middle are not drawn anew.
  const half = Math.ceil((box.y1 + box.y2) / 2);
  return { x1: box.x1 + strip, y1: half + strip, x2: box.x2 - strip, y2: box.y2 - strip };
}

function aroundPoints(points: readonly Point[]): Box {
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  return {
    x1: Math.floor(Math.min(...xs)),
    y1: Math.floor(Math.min(...ys)),
    x2: Math.ceil(Math.max(...xs)),
    y2: Math.ceil(Math.max(...ys)),
  };
}

function middle(a: Point, b: Point): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

/** The point at `factor` times the distance from `origin` to `point`. */
function towards(origin: Point, point: Point, factor: number): Point {
  return { x: origin.x + (point.x - origin.x) * factor, y: origin.y + (point.y - origin.y) * factor };
}
