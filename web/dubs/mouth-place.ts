/** Where the mouth is, told from the pictures themselves: where result and source differ. */

/** A point of a picture in parts of its width and height. */
export interface Spot {
  readonly x: number;
  readonly y: number;
}

/** What is taken when nothing differs: where a mouth is in a portrait. */
export const USUAL_SPOT: Spot = { x: 0.5, y: 0.6 };

const WIDTH = 96;

/** A difference of colour below this is the encoder's. */
const NOISE = 36;

/** The middle of what differs between two pictures of the same size; the usual spot where little does. */
export function mouthPlace(real: CanvasImageSource, generated: CanvasImageSource, ratio: number): Spot {
  const height = Math.max(1, Math.round(WIDTH / ratio));
  const [a, b] = [pixelsOf(real, height), pixelsOf(generated, height)];
  return middleOfChange(a, b, WIDTH);
}

/** The middle of what differs between two RGBA pictures, each difference as heavy as it is large. */
export function middleOfChange(a: Uint8ClampedArray, b: Uint8ClampedArray, width: number): Spot {
  const height = a.length / 4 / width;
  let [weight, x, y] = [0, 0, 0];
  for (let i = 0; i < a.length; i += 4) {
    const change =
      Math.abs(a[i]! - b[i]!) + Math.abs(a[i + 1]! - b[i + 1]!) + Math.abs(a[i + 2]! - b[i + 2]!);
    if (change < NOISE) continue;
    weight += change;
    x += change * ((i / 4) % width);
    y += change * Math.floor(i / 4 / width);
  }
  if (weight < NOISE * 4) return USUAL_SPOT;
  return { x: (x / weight + 0.5) / width, y: (y / weight + 0.5) / height };
}

function pixelsOf(picture: CanvasImageSource, height: number): Uint8ClampedArray {
  const context = new OffscreenCanvas(WIDTH, height).getContext('2d', { willReadFrequently: true })!;
  context.drawImage(picture, 0, 0, WIDTH, height);
  return context.getImageData(0, 0, WIDTH, height).data;
}
