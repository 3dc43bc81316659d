import type { Box, Point } from '../core/box.ts';
import { intersectBoxes } from '../core/box.ts';

/** How the box of a frame is made. */
export interface CropBoxOptions {
  /** 1.5 keeps the upper edge inside the picture, 1.0 does not. */
  readonly version: '1.0' | '1.5';
  /** Pixels by which the half line is moved down (a wider open mouth) or up; default 0. Whole numbers. */
  readonly bboxShift?: number;
}

/** The box of one frame as upstream finds it, and what its landmarks say about `bboxShift`. */
export interface LiteralCropBox {
  readonly box: Box;
  /** Where the box comes from: the detector where the landmarks gave none that can be used. */
  readonly from: 'landmarks' | 'detector';
  readonly room: ShiftRoom;
}

/** Pixels from point 29 of the nose bridge to its neighbours: down to 30 (`minus`) and up to 28 (`plus`). */
export interface ShiftRoom {
  readonly minus: number;
  readonly plus: number;
}

/**
 * The box that MuseTalk cuts out, from the 68 landmarks (pixels of the frame) and the detector's box; `null`
 * where the detector saw no face. Its middle row is the half line, point 29 of the nose bridge: all below is
 * drawn anew.
 *
 * Upstream: `get_landmark_and_bbox` to the letter. The box may leave the picture on the right and at the bottom,
 * in 1.0 also at the top; `cropBox` gives one that can be used.
 */
export function literalCropBox(
  landmarks: readonly Point[],
  detected: Box | null,
  options: CropBoxOptions,
): LiteralCropBox | null {
  if (detected === null) return null;
  const { box, room } = landmarkBox(landmarks, options);
  const usable = box.y2 > box.y1 && box.x2 > box.x1 && box.x1 >= 0;
  return { box: usable ? box : detected, from: usable ? 'landmarks' : 'detector', room };
}

/** What `cropBox` needs beside the landmarks. */
export interface PictureCropBoxOptions extends CropBoxOptions {
  /** The size of the frame in pixels. */
  readonly width: number;
  readonly height: number;
  /** Pixels added below the chin, so that an opening jaw has room; default 10 in 1.5, 0 in 1.0. */
  readonly extraMargin?: number;
}

/**
 * The box to cut out and to paste back: upstream's formula, the margin added, then cut to the picture, so that
 * the face is never stretched at a border. Where the landmarks span no box, the detector's box is taken; `null`
 * where neither gives one pixel inside the picture.
 */
export function cropBox(
  landmarks: readonly Point[],
  detected: Box | null,
  options: PictureCropBoxOptions,
): Box | null {
  const { version, width, height, extraMargin = version === '1.5' ? 10 : 0 } = options;
  const fromLandmarks = landmarkBox(landmarks, options).box;
  const spans = fromLandmarks.y2 > fromLandmarks.y1 && fromLandmarks.x2 > fromLandmarks.x1;
  const box = spans ? fromLandmarks : detected;
  if (box === null) return null;
  const inside = cutToPicture({ ...box, y2: box.y2 + extraMargin }, width, height);
  return inside.x2 > inside.x1 && inside.y2 > inside.y1 ? inside : null;
}

/**
 * The box with `extraMargin` pixels added below, at most down to the frame's last row.
 *
 * Upstream: 1.5 does this when it cuts out and again when it pastes; the other sides are not cut.
 */
export function withMargin(box: Box, extraMargin: number, frameHeight: number): Box {
  return { ...box, y2: Math.min(box.y2 + extraMargin, frameHeight) };
}

/** The part of a box inside a picture of `width` × `height` pixels; it may be empty. */
export function cutToPicture(box: Box, width: number, height: number): Box {
  return intersectBoxes({ x1: 0, y1: 0, x2: width, y2: height }, box);
}

/**
 * Over which values of `bboxShift` the half line stays between its neighbours on the nose bridge: mean room of
 * all frames with a face, in whole pixels. `null` without any frame.
 */
export function shiftRange(rooms: readonly ShiftRoom[]): { lowest: number; highest: number } | null {
  if (rooms.length === 0) return null;
  const mean = (values: number[]) =>
    Math.trunc(values.reduce((sum, value) => sum + value, 0) / values.length);
  return {
    lowest: 0 - mean(rooms.map((room) => room.minus)),
    highest: mean(rooms.map((room) => room.plus)),
  };
}

function landmarkBox(
  landmarks: readonly Point[],
  { version, bboxShift = 0 }: CropBoxOptions,
): { box: Box; room: ShiftRoom } {
  const xs = landmarks.map((point) => Math.trunc(point.x));
  const ys = landmarks.map((point) => Math.trunc(point.y));
  const room = { minus: ys[30]! - ys[29]!, plus: ys[29]! - ys[28]! };
  // Upstream: the half line is a view into the landmarks, so a shift moves point 29 itself.
  ys[29] = ys[29]! + bboxShift;
  const half = ys[29];
  const lowest = Math.max(...ys);
  const upper = half - (lowest - half);
  const y1 = Math.trunc(version === '1.5' ? Math.max(0, upper) : upper);
  return { box: { x1: Math.min(...xs), y1, x2: Math.max(...xs), y2: lowest }, room };
}
