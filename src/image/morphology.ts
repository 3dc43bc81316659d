import { contentBox } from './content-box.ts';
import { type Image, image } from './image.ts';
import { roundHalfEven } from './rounding.ts';

/**
 * The largest value under the kernel's pixels, at each place of a one-channel picture. The kernel (one channel,
 * not 0 = counts) is anchored at its middle, `(width >> 1, height >> 1)`, and not mirrored; nothing comes in
 * from outside the picture. Equal to OpenCV's `dilate`.
 */
export function dilate(source: Image, kernel: Image): Image {
  const { width, height } = source;
  const result = image(width, height, 1);
  const runs = runsOf(kernel);
  const anchorX = kernel.width >> 1;
  const anchorY = kernel.height >> 1;
  const content = contentBox(source);
  const x1 = Math.max(0, content.x1 + anchorX - kernel.width + 1);
  const x2 = Math.min(width, content.x2 + anchorX);
  const maxima = windowMaxima(Math.max(...runs.map((run) => run.length)), width, kernel.width);

  for (let y = content.y1; y < content.y2; y++) {
    maxima.read(source.data, y * width);
    for (const run of runs) {
      const to = y + anchorY - run.row;
      if (to < 0 || to >= height) continue;
      const { level, window } = maxima.covering(run.length);
      // A run is covered by two windows of the next smaller power of two, one from each end.
      const left = kernel.width + run.start - anchorX;
      const right = left + run.length - window;
      const at = to * width;
      for (let x = x1; x < x2; x++) {
        const best = Math.max(level[x + left]!, level[x + right]!);
        if (best > result.data[at + x]!) result.data[at + x] = best;
      }
    }
  }
  return result;
}

/**
 * The smallest value under the kernel's pixels, `iterations` times over; else as `dilate`. Equal to OpenCV's
 * `erode`.
 */
export function erode(source: Image, kernel: Image, iterations = 1): Image {
  let inverse = invert(source);
  for (let i = 0; i < iterations; i++) inverse = dilate(inverse, kernel);
  return invert(inverse);
}

/** A kernel of the pixels (255) inside an ellipse that fills `width` × `height`, as OpenCV draws it. */
export function ellipse(width: number, height: number): Image {
  const result = image(width, height, 1);
  const r = height >> 1;
  const c = width >> 1;
  for (let y = 0; y < height; y++) {
    const dy = y - r;
    const dx = r === 0 ? c : roundHalfEven(c * Math.sqrt((r * r - dy * dy) / (r * r)));
    result.data.fill(255, y * width + Math.max(c - dx, 0), y * width + Math.min(c + dx + 1, width));
  }
  return result;
}

/**
 * Fills the rectangle between two corners with `value`, cut to the picture.
 *
 * Upstream: as in OpenCV both corners belong to it, unlike the far edge of a box.
 */
export function fillRectangle(
  target: Image,
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  value: number,
): void {
  const { width, height, channels: n } = target;
  const left = Math.max(0, x1);
  const right = Math.min(width - 1, x2);
  if (right < left) return;
  for (let y = Math.max(0, y1); y <= Math.min(height - 1, y2); y++) {
    target.data.fill(value, (y * width + left) * n, (y * width + right + 1) * n);
  }
}

function invert({ width, height, channels, data }: Image): Image {
  return image(
    width,
    height,
    channels,
    data.map((value) => 255 - value),
  );
}

interface Run {
  readonly row: number;
  readonly start: number;
  readonly length: number;
}

function runsOf(kernel: Image): Run[] {
  const runs: Run[] = [];
  for (let row = 0; row < kernel.height; row++) {
    let start = 0;
    for (let x = 0; x <= kernel.width; x++) {
      if (x < kernel.width && kernel.data[row * kernel.width + x] !== 0) continue;
      if (x > start) runs.push({ row, start, length: x - start });
      start = x + 1;
    }
  }
  return runs;
}

/** Maxima over 1, 2, 4, … pixels to the right of each place of a row; zeros stand `pad` wide on both sides. */
function windowMaxima(longest: number, width: number, pad: number) {
  const length = width + 2 * pad;
  const levels = [new Uint8Array(length)];
  while (1 << levels.length <= longest) levels.push(new Uint8Array(length));
  return {
    read(data: Uint8Array, start: number): void {
      levels[0]!.set(data.subarray(start, start + width), pad);
      for (let k = 1; k < levels.length; k++) {
        const half = 1 << (k - 1);
        const finer = levels[k - 1]!;
        const level = levels[k]!;
        for (let i = 0; i < length; i++) {
          level[i] = Math.max(finer[i]!, i + half < length ? finer[i + half]! : 0);
        }
      }
    },
    covering(run: number): { level: Uint8Array; window: number } {
      const k = 31 - Math.clz32(run);
      return { level: levels[k]!, window: 1 << k };
    },
  };
}
