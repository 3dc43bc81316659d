import type { Box } from '../core/box.ts';
import { type Image, image } from './image.ts';

/** Pillow's filters: a tent over 2 pixels, a cubic (a = −0.5) over 4, a windowed sinc over 6. */
export type PillowFilter = 'bilinear' | 'bicubic' | 'lanczos';

/** Which pixels each output pixel is the weighted sum of. Make it once, use it for every picture of these sizes. */
export interface PillowPlan {
  readonly columns: Axis;
  readonly rows: Axis;
}

/** One direction: output `d` reads pixels `first[d]` up to `end[d]`, weights (2^−22) at `d × most`. */
interface Axis {
  readonly from: number;
  readonly to: number;
  readonly most: number;
  readonly first: Int32Array;
  readonly end: Int32Array;
  readonly weights: Int32Array;
}

const FILTERS: Readonly<Record<PillowFilter, { support: number; weight: (x: number) => number }>> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: (x) => cubic(Math.abs(x)) },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

function cubic(x: number): number {
  const a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

/** Prepares to resize pictures of `fromWidth` × `fromHeight` pixels to `width` × `height`, as Pillow does. */
export function pillowPlan(
  fromWidth: number,
  fromHeight: number,
  width: number,
  height: number,
  filter: PillowFilter,
): PillowPlan {
  return { columns: axis(fromWidth, width, filter), rows: axis(fromHeight, height, filter) };
}

/**
 * The picture in the plan's size, equal to Pillow 12's `Image.resize` byte by byte: antialiased when shrinking,
 * columns first, rounded to 8 bits in between. Of the output only `region` is computed (default: all of it);
 * it must lie inside the output.
 *
 * @throws RangeError when the picture has not the size that the plan was made for.
 */
export function resizeByPlan(source: Image, { columns, rows }: PillowPlan, region?: Box): Image {
  if (source.width !== columns.from || source.height !== rows.from) {
    throw new RangeError(
      `a plan for ${columns.from}×${rows.from} pixels cannot resize ${source.width}×${source.height}`,
    );
  }
  const part = region ?? { x1: 0, y1: 0, x2: columns.to, y2: rows.to };
  if (part.y2 <= part.y1) return image(part.x2 - part.x1, 0, source.channels);
  const top = rows.first[part.y1]!;
  const bottom = rows.end[part.y2 - 1]!;
  return down(across(source, columns, part.x1, part.x2, top, bottom), rows, part.y1, part.y2, top);
}

/** Pillow's `Image.resize` to `width` × `height` pixels. */
export function resizePillow(source: Image, width: number, height: number, filter: PillowFilter): Image {
  return resizeByPlan(source, pillowPlan(source.width, source.height, width, height, filter));
}

function axis(from: number, to: number, filter: PillowFilter): Axis {
  const { support, weight } = FILTERS[filter];
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  const most = Math.ceil(reach) * 2 + 1;
  const first = new Int32Array(to);
  const end = new Int32Array(to);
  const weights = new Int32Array(to * most);
  if (from === to) {
    // Pillow leaves a pass out when its size stays; one full weight is the same.
    for (let d = 0; d < to; d++) {
      first[d] = d;
      end[d] = d + 1;
      weights[d * most] = 1 << 22;
    }
    return { from, to, most, first, end, weights };
  }
  for (let d = 0; d < to; d++) {
    const centre = (d + 0.5) * scale;
    const lo = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const hi = Math.min(Math.trunc(centre + reach + 0.5), from);
    const w: number[] = [];
    for (let x = lo; x < hi; x++) w.push(weight((x - centre + 0.5) * (1 / stretch)));
    const sum = w.reduce((total, value) => total + value, 0);
    w.forEach((value, i) => {
      const scaled = (value / sum) * (1 << 22);
      weights[d * most + i] = Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    });
    first[d] = lo;
    end[d] = hi;
  }
  return { from, to, most, first, end, weights };
}

/** Columns `x1` to `x2` of the output, for the source's rows `top` to `bottom`. */
function across(source: Image, columns: Axis, x1: number, x2: number, top: number, bottom: number): Image {
  const { most, first, end, weights } = columns;
  const { channels: n, data, width } = source;
  const result = image(x2 - x1, bottom - top, n);
  let at = 0;
  for (let y = top; y < bottom; y++) {
    for (let x = x1; x < x2; x++) {
      const w = x * most;
      const taps = end[x]! - first[x]!;
      const start = (y * width + first[x]!) * n;
      for (let c = 0; c < n; c++) {
        let sum = 1 << 21;
        for (let i = 0, p = start + c; i < taps; i++, p += n) sum += Math.imul(data[p]!, weights[w + i]!);
        result.data[at++] = toByte(sum);
      }
    }
  }
  return result;
}

/** Rows `y1` to `y2` of the output; the source's first row is the picture's row `top`. */
function down(source: Image, rows: Axis, y1: number, y2: number, top: number): Image {
  const { most, first, end, weights } = rows;
  const result = image(source.width, y2 - y1, source.channels);
  const length = source.width * source.channels;
  const sums = new Int32Array(length);
  for (let y = y1; y < y2; y++) {
    sums.fill(1 << 21);
    for (let tap = first[y]!; tap < end[y]!; tap++) {
      const weight = weights[y * most + tap - first[y]!]!;
      const start = (tap - top) * length;
      for (let i = 0; i < length; i++) sums[i] = sums[i]! + Math.imul(source.data[start + i]!, weight);
    }
    const at = (y - y1) * length;
    for (let i = 0; i < length; i++) result.data[at + i] = toByte(sums[i]!);
  }
  return result;
}

function toByte(sum: number): number {
  return Math.max(0, Math.min(sum >> 22, 255));
}
