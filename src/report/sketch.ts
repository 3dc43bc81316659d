/** A frame in small, for telling frames apart and comparing colours: means of cells, whose noise averages out. */
import type { Box } from '../core/box.ts';
import type { Image } from '../image/image.ts';

/** Means of a frame's cells, row by row. */
export interface Sketch {
  readonly columns: number;
  readonly rows: number;
  /** RGB of each cell, 0 … 255. */
  readonly colors: Float32Array;
}

/** Rows of pixels of a cell that are looked at, at least; of large cells not all, for the noise is gone before. */
const ROWS_READ = 6;

/** Cells of `columns` × `rows` that cover the frame; none is smaller than four pixels. */
export function sketchOf(frame: Image, mostColumns: number): Sketch {
  const side = Math.max(4, Math.ceil(frame.width / mostColumns));
  const columns = Math.ceil(frame.width / side);
  const rows = Math.ceil(frame.height / side);
  const colors = new Float32Array(columns * rows * 3);
  const { width, height, channels, data } = frame;
  const step = Math.max(1, Math.floor(side / ROWS_READ));
  const read = new Uint32Array(rows);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(y / side);
    if ((y - row * side) % step !== 0) continue;
    read[row]!++;
    let cell = row * columns * 3;
    let at = y * width * channels;
    for (let x = 0; x < width; x += side, cell += 3) {
      let [r, g, b] = [0, 0, 0];
      for (const end = at + Math.min(side, width - x) * channels; at < end; at += channels) {
        r += data[at]!;
        g += data[at + 1]!;
        b += data[at + 2]!;
      }
      colors[cell]! += r;
      colors[cell + 1]! += g;
      colors[cell + 2]! += b;
    }
  }
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const count = read[row]! * Math.min(side, width - column * side);
      for (let c = 0; c < 3; c++) colors[at++]! /= count;
    }
  }
  return { columns, rows, colors };
}

/** The luma of each cell (BT.601), 0 … 255. */
export function lumaOf({ colors }: Sketch): Float32Array {
  const luma = new Float32Array(colors.length / 3);
  for (let i = 0; i < luma.length; i++)
    luma[i] = 0.299 * colors[3 * i]! + 0.587 * colors[3 * i + 1]! + 0.114 * colors[3 * i + 2]!;
  return luma;
}

/** For each cell of a grid over a picture whether it lies wholly outside `box`; all do where there is none. */
export function cellsOutside(
  box: Box | null,
  { columns, rows }: Pick<Sketch, 'columns' | 'rows'>,
  { width, height }: { readonly width: number; readonly height: number },
  mostColumns: number,
): Uint8Array {
  const outside = new Uint8Array(columns * rows).fill(1);
  if (!box) return outside;
  const side = Math.max(4, Math.ceil(width / mostColumns));
  const [x1, x2] = [Math.floor(box.x1 / side), Math.floor(Math.min(box.x2, width - 1) / side)];
  const [y1, y2] = [Math.floor(box.y1 / side), Math.floor(Math.min(box.y2, height - 1) / side)];
  for (let y = Math.max(0, y1); y <= Math.min(rows - 1, y2); y++) {
    for (let x = Math.max(0, x1); x <= Math.min(columns - 1, x2); x++) outside[y * columns + x] = 0;
  }
  return outside;
}
