/** From an avatar and what it hears to frames. */
import { compositeInto } from '../compositing/blend.ts';
import { fitFace } from '../compositing/fit-face.ts';
import type { BlendMask } from '../compositing/masks.ts';
import { prefetch } from '../core/stream.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { type Image, image } from '../image/image.ts';
import type { PlanarImage } from '../image/planar.ts';
import { type LipModel, stack } from '../lips/lip-model.ts';
import type { Frame, PlanarFrame } from '../media/source.ts';
import type { Avatar } from './prepare.ts';
import type { AvatarFace } from './store.ts';

/** What goes into one frame of the result. */
export interface Step {
  /** Number of the frame in the result. */
  readonly index: number;
  /** The frame of the source; it is drawn on. */
  readonly frame: Frame | PlanarFrame;
  readonly condition: FloatTensor;
  /** How far the mouth rests, 0 (speaks) … 1. */
  readonly rest: number;
  /** The source frame whose mouth it rests in, or −1 for the frame's own. */
  readonly donor: number;
}

/** A frame of the result. */
export interface Spoken {
  readonly index: number;
  /** The frame with its new mouth. */
  readonly image: Frame | PlanarFrame;
  /** The frame as it was in the source, where that was asked for. */
  readonly original: Image | PlanarImage | undefined;
  /** Whether anything was drawn: not where there is no face, and not where the mouth rests in its own. */
  readonly drawn: boolean;
}

/** How speaking goes about it. */
export interface SpeakOptions {
  /** Frames given to the networks at once; 8 by default. */
  readonly batchSize?: number | undefined;
  readonly keepOriginals?: boolean | undefined;
  /** Frames of the source whose mouths will be lent: those that pass by are remembered for a while. */
  readonly lenders?: ReadonlySet<number> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Draws the mouth of each step; frames come out in the order of the steps, one for each. While one batch is in the
 * networks, the next one is read and the last one is composited.
 *
 * @throws MuseTalkError ENGINE; whatever the steps throw.
 */
export async function* speak(
  model: LipModel,
  avatar: Pick<Avatar, 'face' | 'person'>,
  steps: AsyncIterable<Step>,
  { batchSize = 8, keepOriginals = false, lenders, signal }: SpeakOptions = {},
): AsyncGenerator<Spoken, void, undefined> {
  const mouths = new Mouths(model, avatar, { lenders, signal });
  for await (const batch of prefetch(drawnBatches(mouths, prefetch(alignedBatches(steps, batchSize))))) {
    for (const { step, face, mouth } of batch) {
      signal?.throwIfAborted();
      const { frame, index } = step;
      const original = keepOriginals ? copyOf(frame) : undefined;
      if (face && mouth) paste(step, face, mouth);
      yield { index, image: frame, original, drawn: mouth !== undefined };
    }
  }
}

function paste({ frame, rest, donor }: Step, { box, mask }: AvatarFace, mouth: Image): void {
  const fitted = fitFace(mouth, box, mask.crop);
  compositeInto(frame, fitted.face, fitted.box, donor < 0 ? faded(mask, rest) : mask);
}

/** Batches that end where the number of the frame is a multiple of their size: the same ones wherever a run begins. */
async function* alignedBatches(steps: AsyncIterable<Step>, size: number): AsyncGenerator<Step[]> {
  let batch: Step[] = [];
  for await (const step of steps) {
    batch.push(step);
    if ((step.index + 1) % size !== 0) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

interface Drawn {
  readonly step: Step;
  readonly face: AvatarFace | null;
  /** The face to be drawn into the frame, where anything is. */
  readonly mouth: Image | undefined;
}

async function* drawnBatches(mouths: Mouths, batches: AsyncIterable<Step[]>): AsyncGenerator<Drawn[]> {
  for await (const batch of batches) yield mouths.draw(batch);
}

/** Mouths that are remembered: a pause takes its own from within three seconds of its beginning. */
const REMEMBERED = 8;

/** Draws the faces of batches, and remembers the mouths that are lent. */
class Mouths {
  readonly #model: LipModel;
  readonly #avatar: Pick<Avatar, 'face' | 'person'>;
  readonly #lenders: ReadonlySet<number> | undefined;
  readonly #signal: AbortSignal | undefined;
  /** By the number of the frame that lends them, the one that was used last at the end. */
  readonly #lent = new Map<number, Image>();

  constructor(
    model: LipModel,
    avatar: Pick<Avatar, 'face' | 'person'>,
    { lenders, signal }: Pick<SpeakOptions, 'lenders' | 'signal'>,
  ) {
    this.#model = model;
    this.#avatar = avatar;
    this.#lenders = lenders;
    this.#signal = signal;
  }

  async draw(batch: readonly Step[]): Promise<Drawn[]> {
    const faces: (AvatarFace | null)[] = [];
    for (const step of batch) faces.push(await this.#faceOf(step));
    const speaking = batch.flatMap((step, i) =>
      faces[i] && step.rest < 1 ? [{ step, face: faces[i] }] : [],
    );
    const generated = speaking.length === 0 ? [] : await this.#generate(speaking);
    const drawn: Drawn[] = [];
    for (const [i, step] of batch.entries()) {
      const face = faces[i]!;
      const mouth = face && step.rest < 1 ? generated.shift() : undefined;
      drawn.push({ step, face, mouth: face ? await this.#rested(step, mouth) : undefined });
    }
    return drawn;
  }

  /** The face to be drawn on; null also where the frame stays as it is. */
  async #faceOf({ frame, rest, donor }: Step): Promise<AvatarFace | null> {
    const lends = this.#lenders?.has(frame.index) && !this.#lent.has(frame.index);
    if (rest === 1 && donor < 0 && !lends) return null;
    const face = await this.#avatar.face(frame.index, frame);
    if (face && lends) await this.#lend(frame.index, face);
    return face;
  }

  #generate(speaking: readonly { step: Step; face: AvatarFace }[]): Promise<Image[]> {
    const latents = stack(speaking.map(({ face }) => face.latents));
    const conditions = stack(speaking.map(({ step }) => step.condition));
    const { person } = this.#avatar;
    return this.#model.generate({ latents, conditions, person }, { signal: this.#signal });
  }

  /** The mouth mixed with the one that is lent to it. */
  async #rested({ rest, donor }: Step, mouth: Image | undefined): Promise<Image | undefined> {
    if (rest === 0 || donor < 0) return mouth;
    const lent = await this.#borrow(donor);
    return mouth && lent ? mixed(mouth, lent, rest) : lent;
  }

  async #borrow(donor: number): Promise<Image | undefined> {
    const known = this.#lent.get(donor);
    if (known) {
      this.#lent.delete(donor);
      this.#lent.set(donor, known);
      return known;
    }
    const face = await this.#avatar.face(donor);
    return face ? this.#lend(donor, face) : undefined;
  }

  async #lend(donor: number, { latents }: AvatarFace): Promise<Image> {
    const [mouth] = await this.#model.recall(stack([latents]), { signal: this.#signal });
    this.#lent.set(donor, mouth!);
    for (const oldest of this.#lent.keys()) {
      if (this.#lent.size <= REMEMBERED) break;
      this.#lent.delete(oldest);
    }
    return mouth!;
  }
}

/** (1 − share) · a + share · b */
function mixed(a: Image, b: Image, share: number): Image {
  const result = image(a.width, a.height, a.channels);
  for (let i = 0; i < result.data.length; i++) {
    result.data[i] = Math.round(a.data[i]! + (b.data[i]! - a.data[i]!) * share);
  }
  return result;
}

/** The mask when the frame's own mouth shows through. */
function faded({ crop, mask }: BlendMask, rest: number): BlendMask {
  if (rest === 0) return { crop, mask };
  const data = new Uint8Array(mask.data.length);
  for (let i = 0; i < data.length; i++) data[i] = Math.round(mask.data[i]! * (1 - rest));
  return { crop, mask: { ...mask, data } };
}

function copyOf<F extends Image | PlanarImage>(frame: F): F {
  return { ...frame, data: frame.data.slice() };
}
