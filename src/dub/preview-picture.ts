/** A preview as a picture: the frame with its marks, or a sheet of them. */
import type { Box, Point } from '../core/box.ts';
import { type Color, drawDot, drawNumber, fillBox, strokeBox, tint } from '../image/draw.ts';
import { type Image, image } from '../image/image.ts';
import { crop, paste } from '../image/paste.ts';
import { resizeLinear } from '../image/resize.ts';
import { boxOf, maskOf, type Seen } from './preview-framing.ts';

/** Values of `bboxShift`, from … to. */
export interface ShiftRange {
  readonly lowest: number;
  readonly highest: number;
}

const GREEN: Color = [0, 230, 90];
const YELLOW: Color = [255, 220, 0];
const CYAN: Color = [0, 220, 255];
const RED: Color = [255, 60, 60];

/** The frame with all marks. */
export async function drawn(seen: Seen, bboxShift: number): Promise<Image> {
  const { frame, face } = seen;
  const picture = image(frame.width, frame.height, 3, Uint8Array.from(frame.data));
  const box = boxOf(seen, bboxShift);
  const { crop: area, mask } = await maskOf(seen, box);
  const thickness = Math.max(1, Math.round(Math.max(frame.width, frame.height) / 600));
  tint(picture, mask, { x: area.x1, y: area.y1 }, RED);
  strokeBox(picture, box, GREEN, thickness);
  fillBox(picture, halfLine(box, thickness), YELLOW);
  for (const point of seen.skull?.landmarks ?? face.landmarks) drawDot(picture, point, thickness, CYAN);
  return picture;
}

/** The middle of the box: what lies below is drawn anew. */
function halfLine({ x1, x2, y1, y2 }: Box, thickness: number): Box {
  const y = Math.floor((y1 + y2) / 2);
  return { x1, x2, y1: y, y2: y + thickness };
}

const TILE_WIDTH = 240;
const COLUMNS = 5;
const MOST_TILES = 15;

/** Pictures of the face for the values in the range, each with its number; at most fifteen. */
export async function sheet(seen: Seen, range: ShiftRange): Promise<Image> {
  const { bboxShift: current } = seen.settings;
  const shifts = shiftsIn(range, current);
  const area = around(shifts.map((shift) => boxOf(seen, shift)));
  const height = Math.max(1, Math.round((TILE_WIDTH * (area.y2 - area.y1)) / (area.x2 - area.x1)));
  const columns = Math.min(COLUMNS, shifts.length);
  const rows = Math.ceil(shifts.length / columns);
  const whole = image(columns * TILE_WIDTH, rows * height, 3);
  for (const [i, shift] of shifts.entries()) {
    seen.signal?.throwIfAborted();
    const tile = resizeLinear(crop(await drawn(seen, shift), area), TILE_WIDTH, height);
    drawNumber(tile, shift, { x: 0, y: 0 }, shift === current ? YELLOW : [255, 255, 255]);
    const corner: Point = { x: (i % columns) * TILE_WIDTH, y: Math.floor(i / columns) * height };
    paste(whole, tile, corner.x, corner.y);
  }
  return whole;
}

/** All whole numbers of the range, or evenly spread ones with 0 among them; and the current value. */
export function shiftsIn({ lowest, highest }: ShiftRange, current: number): number[] {
  const step = Math.ceil((highest - lowest + 1) / MOST_TILES);
  const values = new Set([current]);
  for (let shift = Math.ceil(lowest / step) * step; shift <= highest; shift += step) values.add(shift + 0);
  return [...values].sort((a, b) => a - b);
}

/** A box around boxes with a margin of a tenth. */
function around(boxes: readonly Box[]): Box {
  const x1 = Math.min(...boxes.map((box) => box.x1));
  const y1 = Math.min(...boxes.map((box) => box.y1));
  const x2 = Math.max(...boxes.map((box) => box.x2));
  const y2 = Math.max(...boxes.map((box) => box.y2));
  const margin = Math.round((x2 - x1) / 10);
  return { x1: x1 - margin, y1: y1 - margin, x2: x2 + margin, y2: y2 + margin };
}
