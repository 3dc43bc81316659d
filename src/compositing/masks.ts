import type { Box } from '../core/box.ts';
import { intersectBoxes } from '../core/box.ts';
import { gaussianBlur } from '../image/blur.ts';
import { contentBox } from '../image/content-box.ts';
import { type Image, image } from '../image/image.ts';
import { dilate, ellipse, erode, fillRectangle } from '../image/morphology.ts';
import { crop, paste } from '../image/paste.ts';
import { pillowPlan, resizeByPlan } from '../image/pillow-resize.ts';

/** How much of a generated face shows: `mask` (one channel, 255 = all) lies over the frame at `crop`. */
export interface BlendMask {
  /** Pixels of the frame; may leave it. */
  readonly crop: Box;
  /** As large as `crop`. */
  readonly mask: Image;
}

/**
 * Which classes of face parsing may change: `face` (1.0: the whole face without neck and hair), `raw` (skin and
 * lips), `neck` (these and the neck), `jaw` (skin and lips without the nose, wider at the chin, narrower at the
 * cheeks).
 */
export type MaskRegion = 'face' | 'raw' | 'neck' | 'jaw';

/** How a map of face classes becomes a mask. */
export interface MaskStyle {
  /** The enlarged crop's side as a multiple of the box's longer side. */
  readonly expand: number;
  /** Size of the blur as a part of the enlarged crop's side. */
  readonly blur: number;
  readonly region: MaskRegion;
  /** Half width in 512ths of the crop that `jaw` leaves uneroded, left and right of the middle; default 90. */
  readonly leftCheekWidth?: number;
  readonly rightCheekWidth?: number;
}

/**
 * The styles of the original programs.
 *
 * Upstream: 1.5 blurs twice as wide in its realtime preparation as in its offline program.
 */
export const MASK_STYLES = {
  '1.0': { expand: 1.2, blur: 0.1, region: 'face' },
  '1.5': { expand: 1.5, blur: 0.05, region: 'jaw' },
  '1.5 realtime': { expand: 1.5, blur: 0.1, region: 'jaw' },
} as const satisfies Record<string, MaskStyle>;

/**
 * The square around a face box that is parsed and blended: even side, the same middle, may leave the picture.
 *
 * Formula: `get_crop_box` in musetalk/utils/blending.py.
 */
export function enlargedBox(box: Box, expand: number): Box {
  const x = Math.floor((box.x1 + box.x2) / 2);
  const y = Math.floor((box.y1 + box.y2) / 2);
  const side = Math.max(box.x2 - box.x1, box.y2 - box.y1);
  const half = Math.trunc(Math.floor(side / 2) * expand);
  return { x1: x - half, y1: y - half, x2: x + half, y2: y + half };
}

/**
 * The mask of the enlarged crop from its class map (512 × 512 class numbers, `parse` of that crop): the region,
 * inside the face box and below its middle row, with blurred edges.
 *
 * Formula: steps before pasting of `get_image` in musetalk/utils/blending.py, byte by byte.
 */
export function parsingMask(classes: Image, box: Box, style: MaskStyle): BlendMask {
  const square = enlargedBox(box, style.expand);
  const side = square.x2 - square.x1;
  const mask = image(side, side, 1);
  const kept = intersectBoxes(
    { x1: 0, y1: side / 2, x2: side, y2: side },
    { x1: box.x1 - square.x1, y1: box.y1 - square.y1, x2: box.x2 - square.x1, y2: box.y2 - square.y1 },
  );
  if (kept.x2 === kept.x1 || kept.y2 === kept.y1) return { crop: square, mask };
  const plan = pillowPlan(classes.width, classes.height, side, side, 'bicubic');
  paste(mask, resizeByPlan(regionMask(classes, style), plan, kept), kept.x1, kept.y1);
  return { crop: square, mask: gaussianBlur(mask, blurSize(side, style.blur)) };
}

/** Taps of the blur for a crop `width` pixels wide: an odd number near `factor × width`. */
export function blurSize(width: number, factor: number): number {
  return Math.floor((factor * width) / 2) * 2 + 1;
}

/** Where `region` is, in white: a picture of 0 and 255 in the size of the class map (512 × 512). */
export function regionMask(
  classes: Image,
  { region, leftCheekWidth = 90, rightCheekWidth = 90 }: Omit<MaskStyle, 'expand' | 'blur'>,
): Image {
  if (region === 'jaw') return jawMask(classes, leftCheekWidth, rightCheekWidth);
  return select(classes, CLASSES[region]);
}

const SKIN = 1;
const NOSE = 10;
/** Inside of the mouth, upper and lower lip. */
const MOUTH = [11, 12, 13];

const CLASSES: Readonly<Record<Exclude<MaskRegion, 'jaw'>, readonly number[]>> = {
  face: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
  raw: [SKIN, ...MOUTH],
  neck: [SKIN, ...MOUTH, 14],
};

function select({ width, height, data }: Image, wanted: readonly number[]): Image {
  const table = new Uint8Array(256);
  for (const number of wanted) table[number] = 255;
  const result = image(width, height, 1);
  for (let i = 0; i < data.length; i++) result.data[i] = table[data[i]!]!;
  return result;
}

/** Skin grown downward at the chin and shrunk at the cheeks, without the nose, with the mouth. */
function jawMask(classes: Image, leftCheekWidth: number, rightCheekWidth: number): Image {
  const { width, height } = classes;
  const grown = dilate(select(classes, [SKIN]), jawKernel());
  const shrunk = erode(grown, ellipse(35, 3), 2);
  const cheeks = cheekMask(width, height, leftCheekWidth, rightCheekWidth);
  const mouth = select(classes, MOUTH);
  const result = image(width, height, 1);
  for (let i = 0; i < result.data.length; i++) {
    const skin = cheeks.data[i] === 255 ? shrunk.data[i]! : grown.data[i]!;
    result.data[i] = classes.data[i] === NOSE ? 0 : skin | mouth.data[i]!;
  }
  return result;
}

/** 33 × 33: a cone from the eleventh row to the middle, then a block 21 wide. It grows skin up by 16, down by 6. */
export function jawKernel(): Image {
  const kernel = image(33, 33, 1);
  for (let row = 10; row < 33; row++) {
    const reach = Math.min(row - 10, 10);
    fillRectangle(kernel, 16 - reach, row, 16 + reach, row, 255);
  }
  return kernel;
}

/** White at both sides, from `left` and `right` 512ths away from the middle column on. */
export function cheekMask(width: number, height: number, left: number, right: number): Image {
  const mask = image(width, height, 1);
  const middle = width >> 1;
  fillRectangle(mask, 0, 0, middle - left, height - 1, 255);
  fillRectangle(mask, middle + right, 0, width - 1, height - 1, 255);
  return mask;
}

/**
 * The same mask without its black surroundings, and without what lies outside `box`, where a face cannot show
 * (default: no limit). Blending with it gives the same frame; this is the form to keep.
 */
export function trimMask({ crop: area, mask }: BlendMask, box: Box = area): BlendMask {
  const inside = intersectBoxes(area, box);
  const local = {
    x1: inside.x1 - area.x1,
    y1: inside.y1 - area.y1,
    x2: inside.x2 - area.x1,
    y2: inside.y2 - area.y1,
  };
  const cut = crop(mask, local);
  const content = contentBox(cut);
  return {
    crop: {
      x1: inside.x1 + content.x1,
      y1: inside.y1 + content.y1,
      x2: inside.x1 + content.x2,
      y2: inside.y1 + content.y2,
    },
    mask: crop(cut, content),
  };
}
