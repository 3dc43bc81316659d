/** Looks at what mini's picture network draws for frames that it does not learn from. */
import type { FloatTensor, Tensor } from '../../core/tensor.ts';
import { tensor } from '../../core/tensor.ts';
import { type Image, image } from '../../image/image.ts';
import { crop } from '../../image/paste.ts';
import { drawMini, MINI_CODE, MINI_SIZE } from '../../networks/mini-face.ts';
import { Engine } from '../../nn/session.ts';
import { input } from '../../nn/value.ts';
import { frozenTensors, Weights } from '../../nn/weights.ts';
import { CROP_MARGIN, CROP_SIZE, type FaceClip } from './face-batches.ts';
import { MOUTH_CUT } from './face-loss.ts';

/** How near the drawn faces are, and the faces: masked, reference, drawn and true ones, a row for each. */
export interface FaceLook {
  readonly values: { readonly pixels: number; readonly mouthPsnr: number };
  readonly rows: readonly (readonly Image[])[];
}

/** Rows that are looked at. */
const LOOKS = 8;

/** Draws frames spread over the clips, each after its clip's most closed mouth. */
export async function lookAtFaces(
  face: ReadonlyMap<string, FloatTensor>,
  clips: readonly FaceClip[],
  { threads }: { threads?: number | undefined } = {},
): Promise<FaceLook> {
  const chosen = Array.from({ length: LOOKS }, (_, i) => {
    const clip = clips[Math.floor((i * clips.length) / LOOKS)]!;
    const frame = Math.floor((((i * 5) % LOOKS) + 0.5) * (clip.frames / LOOKS));
    return { clip, frame, closed: clip.openings.indexOf(Math.min(...clip.openings)) };
  });
  const targets = chosen.map(({ clip, frame }) => faceAt(clip, frame));
  const references = chosen.map(({ clip, closed }) => faceAt(clip, closed));
  const codes = tensor([LOOKS, MINI_CODE]);
  for (const [i, { clip, frame }] of chosen.entries())
    codes.data.set(clip.codes.subarray(frame * MINI_CODE, (frame + 1) * MINI_CODE), i * MINI_CODE);
  const drawn = await draw(
    face,
    { crops: bytesOf(targets), references: bytesOf(references), codes },
    threads,
  );
  return {
    values: distanceOf(drawn, targets),
    rows: targets.map((target, i) => [masked(target), references[i]!, drawn[i]!, target]),
  };
}

async function draw(
  face: ReadonlyMap<string, FloatTensor>,
  feeds: { crops: Tensor; references: Tensor; codes: FloatTensor },
  threads: number | undefined,
): Promise<Image[]> {
  const engine = new Engine();
  const shape = [LOOKS, MINI_SIZE, MINI_SIZE, 3];
  try {
    const faces = drawMini(new Weights(frozenTensors(face)), {
      crops: input('crops', shape, 'uint8'),
      references: input('references', shape, 'uint8'),
      codes: input('codes', [LOOKS, MINI_CODE]),
    });
    const session = await engine.load({ faces }, threads === undefined ? {} : { threads });
    const data = (await session.run(feeds)).faces!.data as Uint8Array;
    const size = MINI_SIZE ** 2 * 3;
    return Array.from({ length: LOOKS }, (_, i) =>
      image(MINI_SIZE, MINI_SIZE, 3, data.slice(i * size, (i + 1) * size)),
    );
  } finally {
    await engine.close();
  }
}

function faceAt({ crops }: FaceClip, frame: number): Image {
  const size = CROP_SIZE ** 2 * 3;
  const whole = image(CROP_SIZE, CROP_SIZE, 3, crops.subarray(frame * size, (frame + 1) * size));
  const edge = CROP_MARGIN + MINI_SIZE;
  return crop(whole, { x1: CROP_MARGIN, y1: CROP_MARGIN, x2: edge, y2: edge });
}

function masked(face: Image): Image {
  const data = Uint8Array.from(face.data);
  data.fill(0, data.length / 2);
  return { ...face, data };
}

/** Mean distance over the lower halves in −1 … 1, and decibels of the mouths. */
function distanceOf(drawn: readonly Image[], targets: readonly Image[]): FaceLook['values'] {
  const half = MINI_SIZE / 2;
  const { top, bottom, left, right } = MOUTH_CUT;
  let [sum, count, squares, inMouth] = [0, 0, 0, 0];
  for (const [i, { data }] of drawn.entries()) {
    const real = targets[i]!.data;
    for (let at = data.length / 2; at < data.length; at++) {
      const d = data[at]! - real[at]!;
      sum += Math.abs(d) / 127.5;
      count++;
      const pixel = Math.floor(at / 3);
      const [x, y] = [pixel % MINI_SIZE, Math.floor(pixel / MINI_SIZE) - half];
      if (x < left || x >= right || y < top || y >= bottom) continue;
      squares += d * d;
      inMouth++;
    }
  }
  return { pixels: sum / count, mouthPsnr: 10 * Math.log10(255 ** 2 / Math.max(squares / inMouth, 1e-6)) };
}

function bytesOf(faces: readonly Image[]): Tensor<'uint8'> {
  const size = MINI_SIZE ** 2 * 3;
  const data = new Uint8Array(faces.length * size);
  for (const [i, face] of faces.entries()) data.set(face.data, i * size);
  return { dtype: 'uint8', shape: [faces.length, MINI_SIZE, MINI_SIZE, 3], data };
}
