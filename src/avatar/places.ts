/**
 * Faces of which an avatar keeps only the place. Where latents are no more than the pixels themselves, reading them
 * back costs as much as cutting them out, and cutting them out beforehand costs a pass over the video: so they are
 * cut out of the frame that is drawn on.
 */
import type { Box, Point } from '../core/box.ts';
import type { Tensor } from '../core/tensor.ts';
import type { NumberedImage } from '../face/finder.ts';
import { image } from '../image/image.ts';
import { isPlanar } from '../image/planar.ts';
import { type LipModel, type Place, unstack } from '../lips/lip-model.ts';
import type { Frame, PlanarFrame, VideoSource } from '../media/source.ts';
import type { AvatarFace, AvatarStore, StoreHeader } from './store.ts';

/** 68 points as numbers of eight bytes, so that masks are drawn from the very numbers that were measured. */
const PLACE_BYTES = 68 * 2 * 8;

/** What the records of a store hold for a model. */
export function storedLatents(
  model: Pick<LipModel, 'keeps' | 'latentShape' | 'latentType'>,
): Pick<StoreHeader, 'latentShape' | 'latentType'> {
  if (model.keeps === 'place') return { latentShape: [PLACE_BYTES], latentType: 'uint8' };
  const { latentShape, latentType } = model;
  return { latentShape, latentType };
}

/** A place as a record of a store: no pixels, the landmarks instead of latents. */
export function placeRecord({ box, landmarks }: Omit<Place, 'index'>, opening: number): AvatarFace {
  const numbers = new Float64Array(PLACE_BYTES / 8).fill(Number.NaN);
  for (const [i, { x, y }] of (landmarks ?? []).entries()) numbers.set([x, y], 2 * i);
  const latents: Tensor<'uint8'> = {
    dtype: 'uint8',
    shape: [PLACE_BYTES],
    data: new Uint8Array(numbers.buffer),
  };
  const nowhere: Box = { x1: 0, y1: 0, x2: 0, y2: 0 };
  return { box, latents, mask: { crop: nowhere, mask: image(0, 0, 1) }, opening };
}

/** Makes the faces of a store of places: out of the frame, if it is at hand, else out of the video. */
export class PlacedFaces {
  readonly #model: LipModel;
  readonly #video: VideoSource;
  readonly #store: AvatarStore;
  /** A picture asks for the same face again and again. */
  #last: { frame: number; face: AvatarFace } | undefined;

  constructor(model: LipModel, video: VideoSource, store: AvatarStore) {
    this.#model = model;
    this.#video = video;
    this.#store = store;
  }

  async face(frame: number, picture?: NumberedImage | PlanarFrame): Promise<AvatarFace | null> {
    if (this.#last?.frame === frame) return this.#last.face;
    const record = await this.#store.face(frame);
    if (record === null) return null;
    const face = await this.#made(record, picture ?? (await readFrame(this.#video, frame)));
    this.#last = { frame, face };
    return face;
  }

  async #made(
    { box, latents, opening }: AvatarFace,
    picture: NumberedImage | PlanarFrame,
  ): Promise<AvatarFace> {
    const model = this.#model;
    const { index } = picture;
    const place = { index, box, landmarks: pointsOf(latents.data) };
    const made = isPlanar(picture)
      ? { crop: model.planar!.crop(picture, box), mask: model.planar!.mask(place) }
      : { crop: model.crop(picture, box), mask: await model.mask(picture, place) };
    const { crop, mask } = made;
    const [own] = unstack(await model.prepare([{ ...crop, index }]));
    return { box, latents: own!, mask, opening };
  }
}

/** The frame of each video that was read last: the reference of a person is often the mouth of a pause as well. */
const lastRead = new WeakMap<VideoSource, Frame>();

/** One frame of a video, not to be drawn on. */
export async function readFrame(video: VideoSource, frame: number): Promise<Frame> {
  const last = lastRead.get(video);
  if (last?.index === frame) return last;
  for await (const picture of video.frames(frame, frame + 1)) {
    lastRead.set(video, picture);
    return picture;
  }
  throw new RangeError(`the video has no frame ${frame}`);
}

function pointsOf(bytes: ArrayLike<number>): Point[] | undefined {
  const numbers = new Float64Array(Uint8Array.from(bytes).buffer);
  if (Number.isNaN(numbers[0])) return undefined;
  return Array.from({ length: numbers.length / 2 }, (_, i) => ({
    x: numbers[2 * i]!,
    y: numbers[2 * i + 1]!,
  }));
}
