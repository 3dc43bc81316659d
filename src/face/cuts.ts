import type { Image } from '../image/image.ts';

/** The picture is looked at on a grid of about this many samples across and down. */
const GRID = 48;

/** Sees where one shot ends and the next begins, from one frame to the next. Holds no frame. */
export class CutDetector {
  #last: Sketch | undefined;
  /** How much the picture usually changes from frame to frame in this shot, 0 … 1. */
  #usual = 0;

  /**
   * Takes the next frame (RGB) and tells whether the picture has changed as it does at a cut. A flash of light
   * looks the same: who knows that the face stays where it was should not believe it.
   */
  next(frame: Image): boolean {
    const sketch = sketchOf(frame);
    const last = this.#last;
    this.#last = sketch;
    if (!last) return false;
    const change = meanDifference(last.luma, sketch.luma);
    const colours = histogramDistance(last.histogram, sketch.histogram);
    // Either most colours are new, or the picture has moved far more than is usual in this shot.
    const cut =
      change > 4 * this.#usual + 0.02 && (colours > 0.4 || (colours > 0.12 && change > 0.1) || change > 0.2);
    this.#usual = cut ? 0 : this.#usual + 0.2 * (change - this.#usual);
    return cut;
  }
}

/** A frame in small: its brightness on a grid (0 … 1) and the shares of its 64 colours. */
interface Sketch {
  readonly luma: Float32Array;
  readonly histogram: Float32Array;
}

function sketchOf({ width, height, channels, data }: Image): Sketch {
  const luma = new Float32Array(GRID * GRID);
  const histogram = new Float32Array(64);
  for (let row = 0; row < GRID; row++) {
    const y = Math.floor(((row + 0.5) * height) / GRID);
    for (let column = 0; column < GRID; column++) {
      const x = Math.floor(((column + 0.5) * width) / GRID);
      const at = (y * width + x) * channels;
      const [r, g, b] = [data[at]!, data[at + 1]!, data[at + 2]!];
      luma[row * GRID + column] = (0.299 * r + 0.587 * g + 0.114 * b) / 255;
      histogram[((r >> 6) << 4) | ((g >> 6) << 2) | (b >> 6)]! += 1 / luma.length;
    }
  }
  return { luma, histogram };
}

function meanDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;
}

/** 0 for the same shares of colours, 1 where no colour is shared. */
function histogramDistance(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / 2;
}
