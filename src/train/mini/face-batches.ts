/**
 * Draws training pairs for the picture network of mini: a target frame and a reference frame of the same clip,
 * both bent, tinted and mirrored in the same way, so that sixteen people look like many.
 */
import type { FloatTensor } from '../../core/tensor.ts';
import { tensor } from '../../core/tensor.ts';
import { MINI_CODE, MINI_SIZE } from '../../networks/mini-face.ts';

/** Pixels of a prepared crop beyond the face's box, on each side, so that a shifted box still sees the picture. */
export const CROP_MARGIN = 12;
/** Side of a prepared crop, in pixels. */
export const CROP_SIZE = MINI_SIZE + 2 * CROP_MARGIN;

/** A prepared clip: crops and lip codes of its frames. */
export interface FaceClip {
  readonly name: string;
  readonly speaker: string;
  readonly frames: number;
  /** RGB, [frames, 152, 152, 3]. */
  readonly crops: Uint8Array;
  /** [frames, 8] */
  readonly codes: Float32Array;
  /** Codes of the mirrored faces, [frames, 8]. */
  readonly mirroredCodes: Float32Array;
  /** Opening of the lips, in heights of the box. */
  readonly openings: Float32Array;
}

/** Inputs of a training step. Pictures in −1 … 1. */
export interface FaceBatch {
  /** [B, 3, 128, 128] */
  readonly target: FloatTensor;
  /** [B, 3, 128, 128] */
  readonly reference: FloatTensor;
  /** [B, 8] */
  readonly code: FloatTensor;
}

/** Uniform numbers in 0 … 1. */
type Random = () => number;

/** Noise added to lip codes, which are predicted with errors later. */
const CODE_NOISE = 0.08;

/** A batch of pairs; `pick` chooses the clip of each. */
export function drawFaces(pick: () => FaceClip, batch: number, random: Random): FaceBatch {
  const target = tensor([batch, 3, MINI_SIZE, MINI_SIZE]);
  const reference = tensor([batch, 3, MINI_SIZE, MINI_SIZE]);
  const code = tensor([batch, MINI_CODE]);
  const size = 3 * MINI_SIZE ** 2;
  for (let b = 0; b < batch; b++) {
    const clip = pick();
    const at = pickTarget(clip, random);
    const from = pickReference(clip, at, random);
    const look = drawLook(random);
    const codes = look.mirror ? clip.mirroredCodes : clip.codes;
    for (let c = 0; c < MINI_CODE; c++) {
      // A mouth that is stretched moves its lips as much further.
      code.data[b * MINI_CODE + c] = look.stretch * codes[at * MINI_CODE + c]! + CODE_NOISE * normal(random);
    }
    drawCrop(clip, at, look, target.data.subarray(b * size, (b + 1) * size));
    drawCrop(clip, from, jittered(look, random), reference.data.subarray(b * size, (b + 1) * size));
  }
  return { target, reference, code };
}

/** Open mouths are rare, so a frame counts by ¼ and its opening beside the clip's widest. */
function pickTarget({ frames, openings }: FaceClip, random: Random): number {
  const widest = Math.max(...openings, 1e-6);
  for (;;) {
    const at = Math.floor(random() * frames);
    if (random() * 1.25 < 0.25 + openings[at]! / widest) return at;
  }
}

/** Half the time a closed mouth (as at the end), else one whose opening differs; never the target's neighbour. */
function pickReference(clip: FaceClip, target: number, random: Random): number {
  const { frames, openings } = clip;
  const sorted = Float32Array.from(openings).sort();
  const closed = sorted[Math.floor(0.25 * (frames - 1))]!;
  const range = Math.max(sorted[frames - 1]! - sorted[0]!, 1e-6);
  const wantClosed = random() < 0.5;
  let at = target;
  for (let attempt = 0; attempt < 40; attempt++) {
    at = Math.floor(random() * frames);
    if (Math.abs(at - target) < 2) continue;
    const difference = Math.abs(openings[at]! - openings[target]!) / range;
    if (wantClosed ? openings[at]! <= closed : difference > 0.3 || attempt > 10) return at;
  }
  return at;
}

/** How a crop is bent and tinted. */
interface Look {
  readonly mirror: boolean;
  readonly turn: number;
  readonly scale: number;
  readonly aspect: number;
  readonly shiftX: number;
  readonly shiftY: number;
  /** Displacements of a 5 × 5 grid over the crop, x then y, in pixels. */
  readonly warp: Float32Array;
  /** How much higher the mouth is: lips, teeth and opening alike. */
  readonly stretch: number;
  readonly gamma: number;
  readonly gains: readonly [number, number, number];
  readonly brightness: number;
  readonly saturation: number;
}

function drawLook(random: Random): Look {
  const spread = (reach: number) => (random() * 2 - 1) * reach;
  return {
    mirror: random() < 0.5,
    turn: spread(0.1),
    scale: 1 + spread(0.06),
    aspect: 1 + spread(0.05),
    shiftX: spread(0.05) * MINI_SIZE,
    shiftY: spread(0.03) * MINI_SIZE,
    warp: Float32Array.from({ length: 50 }, () => spread(3.5)),
    // Few people who were filmed open the mouth wide, and all must be able to: it is stretched rather than pressed.
    stretch: Math.exp(0.12 + spread(0.38)),
    gamma: Math.exp(spread(0.35)),
    gains: [Math.exp(spread(0.25)), Math.exp(spread(0.25)), Math.exp(spread(0.25))],
    brightness: spread(0.06),
    saturation: 0.4 + 0.9 * random(),
  };
}

/** The reference is another frame: it never lies on the target to the pixel. */
function jittered(look: Look, random: Random): Look {
  const spread = (reach: number) => (random() * 2 - 1) * reach;
  return {
    ...look,
    turn: look.turn + spread(0.01),
    scale: look.scale * (1 + spread(0.012)),
    shiftX: look.shiftX + spread(0.7),
    shiftY: look.shiftY + spread(0.7),
  };
}

/** Where the mouth lies in a prepared crop and how far its stretching reaches, in pixels. */
const MOUTH = { x: CROP_SIZE / 2, y: CROP_MARGIN + 98, across: 40, down: 24 };

/** exp(−((i − middle) / reach)²) of each place. */
function bell(size: number, middle: number, reach: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => Math.exp(-(((i - middle) / reach) ** 2)));
}

function drawCrop(clip: FaceClip, frame: number, look: Look, out: Float32Array): void {
  const source = clip.crops.subarray(frame * CROP_SIZE ** 2 * 3, (frame + 1) * CROP_SIZE ** 2 * 3);
  const [red, green, blue] = toneTables(look);
  const cos = Math.cos(look.turn) * look.scale;
  const sin = Math.sin(look.turn) * look.scale;
  const middleX = CROP_SIZE / 2 + look.shiftX - 0.5;
  const middleY = CROP_SIZE / 2 + look.shiftY - 0.5;
  const plane = MINI_SIZE ** 2;
  const last = CROP_SIZE - 1.001;
  const { saturation } = look;
  const bend = new Float32Array(10);
  const pressed = 1 / look.stretch - 1;
  const across = bell(CROP_SIZE, MOUTH.x, MOUTH.across);
  const down = bell(CROP_SIZE, MOUTH.y, MOUTH.down);
  // No array is made for a pixel: this loop runs a quarter of a million times for each step.
  for (let y = 0; y < MINI_SIZE; y++) {
    bendOfRow(look.warp, y, bend);
    const v = y + 0.5 - MINI_SIZE / 2;
    for (let x = 0; x < MINI_SIZE; x++) {
      const u = (look.mirror ? MINI_SIZE - 1 - x : x) + 0.5 - MINI_SIZE / 2;
      const column = x >> COLUMN_BITS;
      const f0 = (x & COLUMN_MASK) / (COLUMN_MASK + 1);
      const dx = bend[column]! * (1 - f0) + bend[column + 1]! * f0;
      const dy = bend[column + 5]! * (1 - f0) + bend[column + 6]! * f0;
      const sx = clamp(middleX + look.aspect * (cos * u - sin * v) + dx, last);
      const plainY = clamp(middleY + (sin * u + cos * v) / look.aspect + dy, last);
      const share = pressed * across[sx | 0]! * down[plainY | 0]!;
      const sy = clamp(plainY + (plainY - MOUTH.y) * share, last);
      const ix = sx | 0;
      const iy = sy | 0;
      const at = (iy * CROP_SIZE + ix) * 3;
      const fx = sx - ix;
      const fy = sy - iy;
      const r = red[mixed(source, at, fx, fy)]!;
      const g = green[mixed(source, at + 1, fx, fy)]!;
      const b = blue[mixed(source, at + 2, fx, fy)]!;
      const grey = 0.299 * r + 0.587 * g + 0.114 * b;
      const to = y * MINI_SIZE + x;
      out[to] = limited(grey + (r - grey) * saturation);
      out[to + plane] = limited(grey + (g - grey) * saturation);
      out[to + 2 * plane] = limited(grey + (b - grey) * saturation);
    }
  }
}

/** A sample of one channel between four pixels, in quarters of a byte. */
function mixed(source: Uint8Array, at: number, fx: number, fy: number): number {
  const below = at + CROP_SIZE * 3;
  const top = source[at]! * (1 - fx) + source[at + 3]! * fx;
  const bottom = source[below]! * (1 - fx) + source[below + 3]! * fx;
  return ((top * (1 - fy) + bottom * fy) * 4 + 0.5) | 0;
}

/** Quarters of a byte to −1 … 1, with gamma, gain and brightness, for each channel. */
function toneTables({ gamma, gains, brightness }: Look): [Float32Array, Float32Array, Float32Array] {
  const table = (gain: number) =>
    Float32Array.from({ length: 1022 }, (_, i) => ((i / 1020) ** gamma * gain + brightness) * 2 - 1);
  return [table(gains[0]), table(gains[1]), table(gains[2])];
}

/** Points of the warp's grid are 2⁵ pixels apart. */
const COLUMN_BITS = 5;
const COLUMN_MASK = (1 << COLUMN_BITS) - 1;

/** The displacements at row y of the grid's five columns: x, then y. */
function bendOfRow(warp: Float32Array, y: number, out: Float32Array): void {
  const j = y >> COLUMN_BITS;
  const g = (y & COLUMN_MASK) / (COLUMN_MASK + 1);
  for (let i = 0; i < 5; i++) {
    out[i] = warp[j * 5 + i]! * (1 - g) + warp[j * 5 + 5 + i]! * g;
    out[5 + i] = warp[25 + j * 5 + i]! * (1 - g) + warp[30 + j * 5 + i]! * g;
  }
}

function limited(value: number): number {
  return value > 1 ? 1 : Math.max(value, -1);
}

function clamp(value: number, last: number): number {
  return Math.min(last, Math.max(0, value));
}

/** A normally distributed number (Box and Muller). */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
