import { type Image, image } from '../src/image/image.ts';

/** Pseudo-random bytes, the same for the same seed. */
export function noise(width: number, height: number, channels: Image['channels'], seed = 1): Image {
  let state = seed;
  const data = Uint8Array.from({ length: width * height * channels }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
  return image(width, height, channels, data);
}
