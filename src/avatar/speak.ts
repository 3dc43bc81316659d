/** From an avatar and what it hears to frames. */
import { compositeInto } from '../compositing/blend.ts';
import { fitFace } from '../compositing/fit-face.ts';
import type { BlendMask } from '../compositing/masks.ts';
import { prefetch } from '../core/stream.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { type Image, image } from '../image/image.ts';
import { type LipModel, stack } from '../lips/lip-model.ts';
import type { Frame } from '../media/source.ts';
import type { Avatar } from './prepare.ts';
import type { AvatarFace } from './store.ts';

/** What goes into one frame of the result. */
export interface Step {
  /** Number of the frame in the result. */
  readonly index: number;
  /** The frame of the source; it is drawn on. */
  readonly frame: Frame;
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
  readonly image: Frame;
  /** The frame as it was in the source, where that was asked for. */
  readonly original: Image | undefined;
  /** Whether anything was drawn: not where there is no face, and not where the mouth rests in its own. */
  readonly drawn: boolean;
}

/** How speaking goes about it. */
export interface SpeakOptions {
  /** Frames given to the networks at once; 8 by default. */
  readonly batchSize?: number | undefined;
  readonly keepOriginals?: boolean | undefined;
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
  { batchSize = 8, keepOriginals = false, signal }: SpeakOptions = {},
): AsyncGenerator<Spoken, void, undefined> {
  const mouths = new Mouths(model, avatar, signal);
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

/** Draws the faces of batches, and remembers the mouth that was lent last. */
class Mouths {
  readonly #model: LipModel;
  readonly #avatar: Pick<Avatar, 'face' | 'person'>;
  readonly #signal: AbortSignal | undefined;
  #lent: { donor: number; mouth: Image } | undefined;

  constructor(model: LipModel, avatar: Pick<Avatar, 'face' | 'person'>, signal: AbortSignal | undefined) {
    this.#model = model;
    this.#avatar = avatar;
    this.#signal = signal;
  }

  async draw(batch: readonly Step[]): Promise<Drawn[]> {
    const faces: (AvatarFace | null)[] = [];
    for (const { frame } of batch) faces.push(await this.#avatar.face(frame.index));
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
    if (this.#lent?.donor !== donor) {
      const face = await this.#avatar.face(donor);
      if (!face) return undefined;
      const [mouth] = await this.#model.recall(stack([face.latents]), { signal: this.#signal });
      this.#lent = { donor, mouth: mouth! };
    }
    return this.#lent.mouth;
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
  const data = Uint8Array.from(mask.data, (value) => Math.round(value * (1 - rest)));
  return { crop, mask: { ...mask, data } };
}

function copyOf(frame: Image): Image {
  return { ...frame, data: frame.data.slice() };
}
