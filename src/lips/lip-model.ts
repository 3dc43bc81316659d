/**
 * What drives lips, seen from outside. Avatar, dub, live and server know a lip model by this interface alone; the
 * official networks and mini are two of them.
 *
 * A model answers, in the order in which data meets it: where to cut (`layout`, `boxOf`), what to cut (`crop`), what
 * to remember of a cut-out face (`prepare`), what to hear (`conditions`), what to draw (`generate`), and how much of
 * the drawing may show (`mask`).
 */

import type { BlendMask } from '../compositing/masks.ts';
import type { Box, Point } from '../core/box.ts';
import type { FloatTensor, Tensor } from '../core/tensor.ts';
import type { FrameFace, NumberedImage } from '../face/finder.ts';
import type { Image } from '../image/image.ts';
import type { PlanarImage } from '../image/planar.ts';
import type { Rational, SoundSource, VideoSource } from '../media/source.ts';

/** Pixels of every frame of a video. */
export type PictureSize = Pick<VideoSource, 'width' | 'height'>;

/** What the faces of a video say about it, one entry a frame in every list. */
export interface Layout {
  /**
   * The box of each frame before any margin, as it is saved and loaded (`--save-coords`); `null` where there is no
   * face to be drawn.
   */
  readonly coords: readonly (Box | null)[];
  /** The 68 landmarks behind a box; undefined where the box did not come from landmarks. */
  readonly landmarks: (frame: number) => readonly Point[] | undefined;
  /** How far the mouth is open, as a part of the box's height; NaN where it is not known. */
  readonly openings: ArrayLike<number>;
  /** The frame that serves as the reference of all others, for models that want one. */
  readonly reference: number | undefined;
  /** Standard deviation of the opening in speech; undefined where the lips hardly move, or it is not known. */
  readonly lipSpread?: number | undefined;
  /** What was guessed or left out, a sentence each. */
  readonly warnings: readonly string[];
}

/** A box in a frame, ready to be cut, and what is known of the face in it. */
export interface Place {
  readonly index: number;
  readonly box: Box;
  readonly landmarks: readonly Point[] | undefined;
}

/** For which frames conditions are wanted. */
export interface ConditionsOptions {
  readonly fps: Rational;
  /** How many conditions are wanted; past the end of the sound they are those of silence. */
  readonly frames: number;
  readonly signal?: AbortSignal | undefined;
}

interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/** A face in its surroundings. */
export interface Setting {
  /** The part of a frame round the face, shrunk where it was large. */
  readonly picture: Image;
  /** The box of the face in `picture`. */
  readonly box: Box;
}

/** What an avatar knows of a person as a whole. */
export interface Person {
  /** The face that all others are drawn after, for models that want one. */
  readonly reference: Image | undefined;
  /** Where the reference was cut out. */
  readonly setting: Setting | undefined;
  /** See {@link Layout.lipSpread}. */
  readonly lipSpread: number | undefined;
}

/** What a model remembers of faces: numbers, or the bytes of pixels. */
export type Latents = Tensor<'float32'> | Tensor<'uint8'>;

/** A loaded model that draws mouths. */
export interface LipModel {
  /** `musetalk-1.5`, `mini`, … */
  readonly name: string;
  /** Changes whenever the same face could be prepared or masked differently: other weights, other settings. */
  readonly key: string;
  /** Side of the square faces that are prepared and drawn, in pixels. */
  readonly size: number;
  /** Shape of the latents of one face. */
  readonly latentShape: readonly number[];
  readonly latentType: Latents['dtype'];
  /**
   * What an avatar keeps of a face: its latents and its mask (default), or no more than its place, for models that
   * make both in no more time than it takes to read them.
   */
  readonly keeps?: 'latents' | 'place';
  /** What a finder must see of a face: the 68 points are enough, or the whole mesh of the built-in one is needed. */
  readonly landmarks: 'points' | 'mesh';

  /** Where the face is in each frame, from what a finder saw; reads all frames, keeps a few numbers of each. */
  layout(faces: AsyncIterable<FrameFace>, video: PictureSize & Pick<VideoSource, 'fps'>): Promise<Layout>;
  /** The box that is cut out and pasted back (fractions of pixels are allowed), from a box of `Layout.coords`; null when it leaves nothing to cut. */
  boxOf(coords: Box, picture: PictureSize): Box | null;
  /** The face inside the box, `size` × `size` pixels. */
  crop(frame: NumberedImage, box: Box): Image;
  /** For models that keep places and can do without RGB frames: `crop` of a planar frame, and `mask`. */
  readonly planar?: {
    crop(frame: PlanarImage, box: Box): Image;
    mask(place: Place): BlendMask;
  };
  /** What the networks see of cut-out faces: [B, …latentShape]. */
  prepare(crops: readonly NumberedImage[], options?: Abortable): Promise<Latents>;
  /** How much of a drawn face shows in the frame. */
  mask(frame: NumberedImage, place: Place, options?: Abortable): Promise<BlendMask>;

  /** How many frames a sound lasts, by this model's counting. */
  framesOf(sound: Pick<SoundSource, 'sampleCount'>, fps: Rational): number;
  /** What is heard in each frame, in order. */
  conditions(
    sound: Pick<SoundSource, 'sampleCount' | 'samples'>,
    options: ConditionsOptions,
  ): AsyncGenerator<FloatTensor>;
  /**
   * Draws B faces, `size` × `size` RGB.
   *
   * @throws MuseTalkError ENGINE when the networks give numbers that are not finite.
   */
  generate(faces: FacesToDraw, options?: Abortable): Promise<Image[]>;
  /** The faces that latents show as they were prepared, without any sound: mouths at rest. */
  recall(latents: Latents, options?: Abortable): Promise<Image[]>;
  /** Frees the networks. */
  close(): Promise<void>;
}

/** What is drawn in one go. */
export interface FacesToDraw {
  /** [B, …latentShape] */
  readonly latents: Latents;
  /** [B, …] */
  readonly conditions: FloatTensor;
  readonly person: Person;
}

/** Tensors of one shape and type one after another: n × […shape] → [n, …shape]. */
export function stack<T extends Latents>(tensors: readonly T[]): T {
  const [first] = tensors;
  if (first === undefined) throw new RangeError('there is nothing to stack');
  const data = latentData(first.dtype, tensors.length * first.data.length);
  for (const [i, { data: part }] of tensors.entries()) data.set(part, i * first.data.length);
  return { dtype: first.dtype, shape: [tensors.length, ...first.shape], data } as unknown as T;
}

/** Room for latents. */
export function latentData(dtype: Latents['dtype'], length: number): Latents['data'] {
  return dtype === 'uint8' ? new Uint8Array(length) : new Float32Array(length);
}

/** The tensors of a stack: [n, …shape] → n × […shape]. Each has numbers of its own. */
export function unstack<T extends Latents>({ dtype, shape: [count, ...shape], data }: T): T[] {
  const size = data.length / count!;
  return Array.from(
    { length: count! },
    (_, i) => ({ dtype, shape, data: data.slice(i * size, (i + 1) * size) }) as unknown as T,
  );
}
