/** Crops on their way into a network: mirrored, tinted, as numbers in −1 … 1. */
import type { Image } from '../../image/image.ts';
import type { Random } from '../random.ts';

/** How a face is changed at random: the same for a target and its reference. */
export interface Tint {
  readonly mirror: boolean;
  /** A byte of each channel to a number in −1 … 1. */
  readonly tables: readonly [Float32Array, Float32Array, Float32Array];
}

const PLAIN = Float32Array.from({ length: 256 }, (_, i) => i / 127.5 - 1);

/** Nothing is changed. */
export const AS_IT_IS: Tint = { mirror: false, tables: [PLAIN, PLAIN, PLAIN] };

/** A random tint: `mirror` is how often a face is mirrored, `colour` the reach of gamma and gains. */
export function drawTint(random: Random, { mirror, colour }: { mirror: number; colour: number }): Tint {
  const mirrored = random.uniform() < mirror;
  if (colour === 0) return { ...AS_IT_IS, mirror: mirrored };
  const gamma = Math.exp(random.uniform(-colour, colour));
  const gain = Math.exp(random.uniform(-colour, colour));
  const table = () => {
    const own = gain * Math.exp(random.uniform(-colour, colour) / 3);
    return PLAIN.map((_, i) => Math.min(1, (i / 255) ** gamma * own) * 2 - 1);
  };
  return { mirror: mirrored, tables: [table(), table(), table()] };
}

/** Writes a square picture as [3, size, size]. */
export function writePicture(
  out: Float32Array,
  { width, height, data }: Image,
  { mirror, tables }: Tint,
): void {
  const plane = width * height;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + (mirror ? width - 1 - x : x)) * 3;
      const to = y * width + x;
      for (let c = 0; c < 3; c++) out[c * plane + to] = tables[c]![data[from + c]!]!;
    }
  }
}

/** Numbers in −1 … 1, [3, H, W], as a picture. */
export function pictureOf(numbers: Float32Array, width: number, height: number): Image {
  const plane = width * height;
  const data = new Uint8Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) {
      data[3 * i + c] = Math.min(255, Math.max(0, Math.round((numbers[c * plane + i]! + 1) * 127.5)));
    }
  }
  return { width, height, channels: 3, data };
}
