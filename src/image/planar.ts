/**
 * Pictures as videos store them, Y′CbCr 4:2:0: brightness for each pixel, colour for each square of four. Whoever
 * draws on a part of a frame needs RGB there alone, and leaves the rest as it came.
 */
import { type Image, image } from './image.ts';
import { type Axis, resample } from './resample.ts';

/** What the numbers of a planar picture mean. */
export interface PlanarCode {
  /** Shares of red and blue in brightness: 0.299 and 0.114 in BT.601, 0.2126 and 0.0722 in BT.709. */
  readonly red: number;
  readonly blue: number;
  /** `tv`: brightness 16 … 235, colour 16 … 240; `pc`: 0 … 255. */
  readonly range: 'tv' | 'pc';
}

/**
 * A picture in three planes after one another: brightness [height, width], then blue and red difference
 * [height / 2, width / 2] each, which lie in the middle of their four pixels. Width and height are even.
 */
export interface PlanarImage {
  readonly width: number;
  readonly height: number;
  readonly code: PlanarCode;
  readonly data: Uint8Array;
}

/** Whether a picture is planar, not RGB. */
export function isPlanar(picture: Image | PlanarImage): picture is PlanarImage {
  return 'code' in picture;
}

/** Bytes of a planar picture. */
export function planarSize(width: number, height: number): number {
  return (width * height * 3) / 2;
}

/**
 * As `resample`, from a planar picture to RGB: brightness and colour are cut and scaled each by itself, and only what
 * comes out is turned into RGB.
 */
export function resamplePlanar(
  { width, height, code, data }: PlanarImage,
  x: Axis,
  y: Axis,
  toWidth: number,
  toHeight: number,
): Image {
  const [columns, rows] = [width >> 1, height >> 1];
  const cb = width * height;
  const cr = cb + columns * rows;
  const half = ({ start, step }: Axis): Axis => ({ start: start / 2, step: step / 2 });
  const colors = (at: number) => {
    const plane = image(columns, rows, 1, data.subarray(at, at + columns * rows));
    return resample(plane, half(x), half(y), toWidth, toHeight).data;
  };
  const luma = resample(image(width, height, 1, data.subarray(0, cb)), x, y, toWidth, toHeight).data;
  return image(toWidth, toHeight, 3, toRgb(luma, colors(cb), colors(cr), code));
}

/** Fractions of a step are taken in 65536ths. */
const BITS = 16;

/** RGB of pixels that each have their own colour. */
function toRgb(luma: Uint8Array, blues: Uint8Array, reds: Uint8Array, code: PlanarCode): Uint8Array {
  const { black, brightness, color } = scalesOf(code);
  const green = 1 - code.red - code.blue;
  const [ofCr, ofCb] = [2 * (1 - code.red), 2 * (1 - code.blue)];
  const whole = (factor: number) => Math.round(factor * (1 << BITS));
  const scale = whole(brightness);
  const offset = (1 << (BITS - 1)) - black * scale;
  const redOfCr = whole(ofCr * color);
  const greenOfCb = whole((-ofCb * code.blue * color) / green);
  const greenOfCr = whole((-ofCr * code.red * color) / green);
  const blueOfCb = whole(ofCb * color);
  const rgb = new Uint8Array(3 * luma.length);
  for (let i = 0, to = 0; i < luma.length; i++, to += 3) {
    const grey = luma[i]! * scale + offset;
    const u = blues[i]! - 128;
    const v = reds[i]! - 128;
    rgb[to] = clamped((grey + redOfCr * v) >> BITS);
    rgb[to + 1] = clamped((grey + greenOfCb * u + greenOfCr * v) >> BITS);
    rgb[to + 2] = clamped((grey + blueOfCb * u) >> BITS);
  }
  return rgb;
}

function clamped(value: number): number {
  return value < 0 ? 0 : Math.min(value, 255);
}

/** Black's number, and 255ths of RGB for a step of brightness and of colour. */
function scalesOf({ range }: PlanarCode): { black: number; brightness: number; color: number } {
  return range === 'tv'
    ? { black: 16, brightness: 255 / 219, color: 255 / 224 }
    : { black: 0, brightness: 1, color: 1 };
}

/**
 * Draws an RGB picture into a planar one with its upper left corner at (`x`, `y`). The mask, one byte a pixel, its
 * rows `maskStride` bytes apart, says how much shows, 255 = all; where it is 0 no byte changes.
 */
export function blendIntoPlanar(
  { width, height, code, data }: PlanarImage,
  drawn: Image,
  mask: { readonly data: Uint8Array; readonly at: number; readonly stride: number },
  x: number,
  y: number,
): void {
  const { black, brightness, color } = scalesOf(code);
  const { red, blue } = code;
  const green = 1 - red - blue;
  const columns = width >> 1;
  const cb = width * height;
  const cr = cb + cb / 4;
  const [left, right] = [x >> 1, (x + drawn.width + 1) >> 1];
  // For each place of colour, over its pixels: how much shows, and the colour of that.
  const shares = new Float64Array(right - left);
  const blues = new Float64Array(right - left);
  const reds = new Float64Array(right - left);
  for (let row = 0; row < drawn.height; row++) {
    const target = (y + row) * width + x;
    const from = row * drawn.width * 3;
    const maskRow = mask.at + row * mask.stride;
    for (let i = 0; i < drawn.width; i++) {
      const m = mask.data[maskRow + i]!;
      if (m === 0) continue;
      const [r, g, b] = [
        drawn.data[from + 3 * i]!,
        drawn.data[from + 3 * i + 1]!,
        drawn.data[from + 3 * i + 2]!,
      ];
      const luma = red * r + green * g + blue * b;
      data[target + i] = (data[target + i]! * (255 - m) + (black + luma / brightness) * m) / 255 + 0.5;
      const place = ((x + i) >> 1) - left;
      shares[place]! += m;
      blues[place]! += m * (b - luma);
      reds[place]! += m * (r - luma);
    }
    if ((y + row) % 2 === 0 && row + 1 < drawn.height) continue;
    const line = ((y + row) >> 1) * columns + left;
    for (let i = 0; i < shares.length; i++) {
      const share = shares[i]! / (4 * 255);
      if (share === 0) continue;
      const mixed = (old: number, sum: number, of: number) =>
        old * (1 - share) + 128 * share + sum / (4 * 255 * 2 * (1 - of) * color) + 0.5;
      data[cb + line + i] = clamped(mixed(data[cb + line + i]!, blues[i]!, blue));
      data[cr + line + i] = clamped(mixed(data[cr + line + i]!, reds[i]!, red));
    }
    shares.fill(0);
    blues.fill(0);
    reds.fill(0);
  }
}
