/**
 * How mini draws one person. Faces differ in how far the same lip code opens them, and in how much fine detail their
 * pictures hold; so before the first word mini draws a few mouths on the person's reference, reads the lips off them
 * as it would off a video, and takes the settings that give what the person shows.
 */
import { fitFace } from '../compositing/fit-face.ts';
import type { Box } from '../core/box.ts';
import type { FloatTensor, Tensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import { lipOpening } from '../face/lip-measure.ts';
import { landmarksOf, squareOfMesh } from '../face/mesh.ts';
import type { FaceModels } from '../face/models.ts';
import type { Square } from '../face/square.ts';
import { type Image, image } from '../image/image.ts';
import { MINI_CODE, MINI_SIZE } from '../networks/mini-face.ts';
import type { Setting } from './lip-model.ts';

/** How one person is drawn. */
export interface PersonFit {
  /** Factor on every lip code. */
  readonly gain: number;
  /** How much of the drawing's fine detail is added once more; see `drawMini`. */
  readonly sharpen: number;
}

/** What a fit is looked for with. */
export interface FitOptions {
  /** RGB bytes [128, 128, 3]: the person with the mouth closed. */
  readonly reference: Tensor<'uint8'>;
  /** The same in the picture that it was cut out of: networks and eyes see faces in their surroundings. */
  readonly setting: Setting;
  /** How far the lips shall move, from closed to wide in speech, as a part of the box's height. */
  readonly reach: number;
  /** Lip codes of speech: the mouth closed, and wide. */
  readonly speech: MiniSpeech;
  /** Draws faces [B, 128, 128, 3] on B references, from codes [B, 8] and a share of detail to be added. */
  readonly draw: (
    references: Tensor<'uint8'>,
    codes: FloatTensor,
    sharpen: number,
  ) => Promise<Tensor<'uint8'>>;
  readonly mesh: Pick<FaceModels, 'mesh'>;
}

/** Lip codes that the sound encoder gives for speech, before any gain: the means round two quantiles of the opening. */
export interface MiniSpeech {
  /** The 5th percentile. */
  readonly closed: readonly number[];
  /** The 93rd percentile. */
  readonly wide: readonly number[];
  /** How many standard deviations of speech lie between them. */
  readonly span: number;
  /** How widely the voices that were learnt from move the jaw; see `widthOf`. */
  readonly width: number;
}

/** Gains that are tried. */
const GAINS = [0.4, 0.6, 0.85, 1.2, 1.6, 2.1] as const;

/** The largest share of detail that is added: beyond it, edges ring. */
const SHARPEST = 1.5;

/** Looks for the settings of a person. Deterministic: the same reference gives the same settings. */
export async function fitPerson(options: FitOptions): Promise<PersonFit> {
  const { setting, reach, speech, mesh } = options;
  const codes = GAINS.flatMap((gain) =>
    [speech.closed, speech.wide].map((code) => code.map((c) => gain * c)),
  );
  const faces = await drawn(options, codes, 0);
  const square = await squareOf(mesh, setting);
  const opening = async (face: Image) => {
    const [seen] = await landmarksOf(mesh, pasted(setting, face), [square]);
    return lipOpening(seen!.mesh) / (setting.box.y2 - setting.box.y1);
  };
  const reaches: number[] = [];
  for (let i = 0; i < GAINS.length; i++)
    reaches.push((await opening(faces[2 * i + 1]!)) - (await opening(faces[2 * i]!)));
  const [sharp] = await drawn(options, [codes[0]!], 1);
  const sharpen = sharpenFor(setting, pasted(setting, faces[0]!), pasted(setting, sharp!));
  return { gain: gainFor(reach, reaches), sharpen };
}

async function drawn(
  { reference, draw }: FitOptions,
  codes: readonly (readonly number[])[],
  sharpen: number,
): Promise<Image[]> {
  const size = MINI_SIZE ** 2 * 3;
  const references = new Uint8Array(codes.length * size);
  for (let i = 0; i < codes.length; i++) references.set(reference.data, i * size);
  const { data } = await draw(
    { dtype: 'uint8', shape: [codes.length, MINI_SIZE, MINI_SIZE, 3], data: references },
    tensor([codes.length, MINI_CODE], Float32Array.from(codes.flat())),
    sharpen,
  );
  return codes.map((_, i) => image(MINI_SIZE, MINI_SIZE, 3, data.subarray(i * size, (i + 1) * size)));
}

/** The gain at which the lips move as far as wanted, between those that were tried, or the one that gives most. */
function gainFor(wanted: number, reaches: readonly number[]): number {
  const i = reaches.findIndex((reach) => reach >= wanted);
  if (i === 0) return Math.max(GAINS[0] / 2, (GAINS[0] * wanted) / reaches[0]!);
  if (i < 0) return GAINS[reaches.indexOf(Math.max(...reaches))]!;
  const [less, more] = [reaches[i - 1]!, reaches[i]!];
  return GAINS[i - 1]! + ((wanted - less) / (more - less)) * (GAINS[i]! - GAINS[i - 1]!);
}

/** Where FaceMesh finds the face of a setting. */
async function squareOf(mesh: FitOptions['mesh'], { picture, box }: Setting): Promise<Square> {
  let square: Square = {
    centre: { x: (box.x1 + box.x2) / 2, y: (box.y1 + box.y2) / 2 },
    side: 1.5 * Math.max(box.x2 - box.x1, box.y2 - box.y1),
    angle: 0,
  };
  for (let round = 0; round < 3; round++)
    square = squareOfMesh((await landmarksOf(mesh, picture, [square]))[0]!.mesh);
  return square;
}

/** The lower half of a drawn face where it belongs in the picture. */
function pasted({ picture, box }: Setting, drawn: Image): Image {
  const { face, box: whole } = fitFace(drawn, box);
  const data = Uint8Array.from(picture.data);
  const from = Math.max(0, Math.round((whole.y1 + whole.y2) / 2));
  const [left, right] = [Math.max(0, whole.x1), Math.min(picture.width, whole.x2)];
  for (let y = from; y < Math.min(picture.height, whole.y2); y++) {
    const row = ((y - whole.y1) * face.width + left - whole.x1) * 3;
    data.set(face.data.subarray(row, row + (right - left) * 3), (y * picture.width + left) * 3);
  }
  return { ...picture, data };
}

/** Where fine detail is compared, as parts of the box: lips and chin. */
const MOUTH = { top: 0.6, bottom: 0.94, left: 0.22, right: 0.78 };

/**
 * The share of detail that makes a drawing as sharp as the real picture: the Laplacian of x + s d is that of x and
 * s times that of the detail d, so its variance is a parabola in s.
 *
 * @param plain the picture with the drawing, s = 0
 * @param sharp the picture with the drawing, s = 1
 */
function sharpenFor({ picture, box }: Setting, plain: Image, sharp: Image): number {
  const [a, whole] = [laplacian(plain, box), laplacian(sharp, box)];
  const b = whole.map((value, i) => value - a[i]!);
  const wanted = variance(laplacian(picture, box));
  const [own, both, added] = [variance(a), covariance(a, b), variance(b)];
  if (wanted <= own || added === 0) return 0;
  // own + 2 s both + s² added = wanted
  return Math.min(SHARPEST, (Math.sqrt(both * both + added * (wanted - own)) - both) / added);
}

/** The Laplacian of green at the mouth. */
function laplacian({ width, height, data }: Image, { x1, x2, y1, y2 }: Box): Float64Array {
  const inside = (value: number, size: number) => Math.min(Math.max(Math.round(value), 1), size - 1);
  const [left, right] = [MOUTH.left, MOUTH.right].map((share) => inside(x1 + share * (x2 - x1), width));
  const [top, bottom] = [MOUTH.top, MOUTH.bottom].map((share) => inside(y1 + share * (y2 - y1), height));
  const values: number[] = [];
  const green = (x: number, y: number) => data[(y * width + x) * 3 + 1]!;
  for (let y = top!; y < bottom!; y++) {
    for (let x = left!; x < right!; x++) {
      const around = green(x - 1, y) + green(x + 1, y) + green(x, y - 1) + green(x, y + 1);
      values.push(4 * green(x, y) - around);
    }
  }
  return Float64Array.from(values);
}

function variance(values: Float64Array): number {
  return covariance(values, values);
}

function covariance(a: Float64Array, b: Float64Array): number {
  let [sumA, sumB, product] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    sumA += a[i]!;
    sumB += b[i]!;
    product += a[i]! * b[i]!;
  }
  return product / a.length - (sumA / a.length) * (sumB / a.length);
}
