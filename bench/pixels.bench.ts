// Times the pixel operations of one frame: 1280 × 720 with a face box of 400 × 400 pixels.
// Run: node --import tsx bench/pixels.bench.ts
import { pathToFileURL } from 'node:url';
import { composite, compositeInto } from '../src/compositing/blend.ts';
import { landmarkMask } from '../src/compositing/landmark-mask.ts';
import { MASK_STYLES, parsingMask, regionMask, trimMask } from '../src/compositing/masks.ts';
import { softBoxMask } from '../src/compositing/soft-box-mask.ts';
import type { Point } from '../src/core/box.ts';
import { gaussianBlur } from '../src/image/blur.ts';
import { type Image, image } from '../src/image/image.ts';
import { fillRectangle } from '../src/image/morphology.ts';
import { crop } from '../src/image/paste.ts';
import { resizePillow } from '../src/image/pillow-resize.ts';
import { resize, resizePlan } from '../src/image/resize.ts';
import { cropToPicture, sampleAffine, warpAffine } from '../src/image/warp.ts';
import { noise } from '../test/noise.ts';

const SIDE = 400;
const frame = noise(1280, 720, 3);
const box = { x1: 440, y1: 160, x2: 440 + SIDE, y2: 160 + SIDE };
const face256 = noise(256, 256, 3);
const classes = faceClasses();
const landmarks = faceLandmarks();

const toNetwork = resizePlan(SIDE, SIDE, 256, 256, 'lanczos4');
const toBox = resizePlan(256, 256, SIDE, SIDE, 'linear');
const cropped = crop(frame, box);
const mask = parsingMask(classes, box, MASK_STYLES['1.5']);
const trimmed = trimMask(mask, box);
const square = image(600, 600, 1);
fillRectangle(square, 100, 300, 500, 500, 255);
const grain = noise(600, 600, 1);
const turned = cropToPicture({ centre: { x: 640, y: 360 }, width: 500, height: 500, angle: 0.2 }, 192, 192);

const operations: Record<string, () => unknown> = {
  'per output frame:': () => undefined,
  'crop the box': () => crop(frame, box),
  'Lanczos 400 → 256': () => resize(cropped, toNetwork),
  'linear 256 → 400': () => resize(face256, toBox),
  'composite into a new frame': () => composite(frame, face256, box, trimmed),
  'composite in place': () => compositeInto(frame, face256, box, trimmed),
  'composite in place, mask not trimmed': () => compositeInto(frame, face256, box, mask),
  'affine crop 192 × 192': () => sampleAffine(frame, turned, 192, 192),
  'warpAffine to 288 × 384': () => warpAffine(frame, [0.18, 0, 28.8, 0, 0.18, 127.2], 288, 384),
  'per source frame:': () => undefined,
  'Pillow bilinear 600 → 512 RGB': () => resizePillow(crop(frame, mask.crop), 512, 512, 'bilinear'),
  'class map → mask, jaw': () => regionMask(classes, { region: 'jaw' }),
  'blur 31 of a 600 px mask': () => gaussianBlur(square, 31),
  'blur 61 of a 600 px mask': () => gaussianBlur(square, 61),
  'blur 61 of 600 × 600 noise': () => gaussianBlur(grain, 61),
  'parsing mask, all steps': () => parsingMask(classes, box, MASK_STYLES['1.5']),
  'trim a mask': () => trimMask(mask, box),
  'landmark mask': () => landmarkMask(landmarks, box),
  'soft box mask': () => softBoxMask({ ...box, y1: 360 }, { feather: 24 }),
};

/** What was measured of one operation. */
export interface PixelTimes {
  readonly name: string;
  readonly milliseconds: number;
}

/** Times each operation; a name that ends in a colon is a heading and takes no time. */
export function* timePixels({ runs = 150 } = {}): Generator<PixelTimes> {
  for (const [name, run] of Object.entries(operations)) {
    yield { name, milliseconds: name.endsWith(':') ? 0 : milliseconds(run, runs) };
  }
}

/** The best tenth of all runs, of which 10 warm up: other work on the machine shows less. */
function milliseconds(run: () => unknown, runs: number): number {
  const times: number[] = [];
  for (let i = -Math.min(10, runs); i < runs; i++) {
    const start = performance.now();
    run();
    if (i >= 0) times.push(performance.now() - start);
  }
  return times.sort((x, y) => x - y)[Math.floor(times.length / 10)]!;
}

/** A class map with an oval of skin, a nose and a mouth. */
function faceClasses(): Image {
  const map = image(512, 512, 1);
  for (let y = 0; y < 512; y++) {
    for (let x = 0; x < 512; x++) {
      if (((x - 256) / 150) ** 2 + ((y - 256) / 190) ** 2 < 1) map.data[y * 512 + x] = 1;
      if (Math.abs(x - 256) < 25 && y > 220 && y < 290) map.data[y * 512 + x] = 10;
      if (Math.abs(x - 256) < 50 && y > 330 && y < 360) map.data[y * 512 + x] = 12;
    }
  }
  return map;
}

/** 68 points: a half ellipse as jaw, everything else on the middle line. */
function faceLandmarks(): Point[] {
  const middle = (box.x1 + box.x2) / 2;
  return Array.from({ length: 68 }, (_, i) => {
    if (i > 16) return { x: middle + (i >= 31 && i <= 35 ? (i - 33) * 15 : 0), y: 360 + (i >= 31 ? 40 : 0) };
    const angle = (Math.PI * i) / 16;
    return { x: middle - 190 * Math.cos(angle), y: 330 + 220 * Math.sin(angle) };
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const { name, milliseconds: spent } of timePixels()) {
    console.log(name.endsWith(':') ? `\n${name}` : `${spent.toFixed(2).padStart(8)} ms  ${name}`);
  }
}
