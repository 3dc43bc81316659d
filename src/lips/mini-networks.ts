/** The networks of mini, loaded from its bundle: one file of weights, every number of it our own training. */
import { access, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MuseTalkError } from '../core/errors.ts';
import type { FloatTensor, Tensor } from '../core/tensor.ts';
import { loadFaceMesh } from '../face/models.ts';
import { drawMini, MINI_CODE, MINI_SIZE } from '../networks/mini-face.ts';
import { MINI_BANDS, miniSound } from '../networks/mini-sound.ts';
import { withFastConvolutions } from '../nn/fast-convolutions.ts';
import type { Session } from '../nn/session.ts';
import { Engine } from '../nn/session.ts';
import { input } from '../nn/value.ts';
import { openCheckpoint } from '../nn/weights/open-checkpoint.ts';
import { frozenTensors, Weights } from '../nn/weights.ts';
import type { MiniSpeech } from './mini-person.ts';
import { MINI_SOUND_ROWS } from './mini-sound.ts';

/** Settings that belong to a set of weights. */
export interface MiniConfig {
  /** Of this layout of the bundle. */
  readonly format: 1;
  /** Standard deviation of the opening (a part of the box's height) in a person of the mean style. */
  readonly spread: number;
  /** Factor on every code: what the encoder's caution takes away. For those who are not fitted. */
  readonly gain: number;
  /** How much of the drawing's fine detail is added once more, 0 … 1; see `drawMini`. Default 0. Likewise. */
  readonly sharpen?: number | undefined;
  /** Codes of speech that gain and sharpness of each person are fitted with. Without it nobody is fitted. */
  readonly speech?: MiniSpeech | undefined;
}

/** The loaded networks of mini. */
export interface MiniNetworks {
  readonly config: MiniConfig;
  /** mel [1, 80, 512] → codes and opening [1, 9, 256] */
  hear(mel: FloatTensor, options?: Abortable): Promise<FloatTensor>;
  /** The mesh of faces, to read lips off what was drawn. */
  readonly mesh: Session;
  /** RGB bytes of crops and references [B, 128, 128, 3] and codes [B, 8] → RGB bytes of faces [B, 128, 128, 3] */
  draw(faces: MiniFaces, options?: Abortable): Promise<Tensor<'uint8'>>;
  close(): Promise<void>;
}

/** What mini draws from. */
export interface MiniFaces {
  readonly crops: Tensor<'uint8'>;
  readonly references: Tensor<'uint8'>;
  readonly codes: FloatTensor;
  /** A scalar, 0 … 1. */
  readonly sharpen: FloatTensor;
}

interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/** The folder of the bundle that comes with the package. */
export function bundledMini(): string {
  return fileURLToPath(new URL('../../assets/mini', import.meta.url));
}

/** The file that makes a folder a bundle of mini. */
export const MINI_CONFIG_FILE = 'mini.json';
const WEIGHTS_FILE = 'mini.safetensors';

/** Whether a folder holds a bundle of mini. */
export async function isMini(folder: string): Promise<boolean> {
  return access(join(folder, MINI_CONFIG_FILE)).then(
    () => true,
    () => false,
  );
}

/**
 * Loads mini from a folder.
 *
 * @throws MuseTalkError MODEL_MISSING, BAD_FILE, BAD_WEIGHTS or ENGINE.
 */
export async function loadMini(
  folder: string,
  { threads }: { threads?: number | undefined } = {},
): Promise<MiniNetworks> {
  const config = await readConfig(folder);
  const weights = await readWeights(folder, '');
  const engine = new Engine();
  // Decoding, encoding and pasting want the other half; threads that spin while they wait would take it from them.
  const options = { threads: threads ?? Math.max(1, availableParallelism() >> 1), spinning: false };
  const picture = ['B', MINI_SIZE, MINI_SIZE, 3] as const;
  try {
    const codes = heardCodes(weights);
    const feeds = {
      crops: input('crops', picture, 'uint8'),
      references: input('references', picture, 'uint8'),
      codes: input('codes', ['B', MINI_CODE]),
      sharpen: input('sharpen', []),
    };
    const faces = drawMini(weights.at('face'), feeds);
    const [ears, hand, mesh] = await Promise.all([
      engine.load({ heard: codes }, options),
      engine.load(withFastConvolutions({ faces }), options),
      loadFaceMesh(engine),
    ]);
    return {
      config,
      mesh,
      hear: async (mel, run) => (await ears.run({ mel }, run)).heard as FloatTensor,
      draw: async (feeds, run) => (await hand.run({ ...feeds }, run)).faces as Tensor<'uint8'>,
      close: () => engine.close(),
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** The half of mini that listens, for those who only want to know what a mouth should do. */
export type MiniEars = Pick<MiniNetworks, 'hear' | 'close'>;

/**
 * Loads the half of mini that listens; the other half is not read.
 *
 * @throws MuseTalkError as `loadMini`.
 */
export async function loadMiniEars(folder: string): Promise<MiniEars> {
  await readConfig(folder);
  const weights = await readWeights(folder, 'sound.');
  const engine = new Engine();
  try {
    const ears = await engine.load({ heard: heardCodes(weights) }, { threads: 1 });
    return {
      hear: async (mel, run) => (await ears.run({ mel }, run)).heard as FloatTensor,
      close: () => engine.close(),
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

function heardCodes(weights: Weights) {
  return miniSound(weights.at('sound'), input('mel', [1, MINI_BANDS, 2 * MINI_SOUND_ROWS])).codes;
}

/** The weights whose names begin with `prefix`. */
async function readWeights(folder: string, prefix: string): Promise<Weights> {
  const checkpoint = await openCheckpoint(join(folder, WEIGHTS_FILE));
  const tensors = new Map<string, FloatTensor>();
  try {
    for (const name of checkpoint.entries.keys())
      if (name.startsWith(prefix)) tensors.set(name, await checkpoint.readFloat(name));
  } finally {
    await checkpoint.close();
  }
  return new Weights(frozenTensors(tensors, checkpoint.path));
}

async function readConfig(folder: string): Promise<MiniConfig> {
  const path = join(folder, MINI_CONFIG_FILE);
  let config: Partial<MiniConfig>;
  try {
    config = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new MuseTalkError('MODEL_MISSING', `cannot read mini's configuration ${path}`, {
      hint: 'Give a folder that mini’s training wrote, or leave --model out for the model that is built in.',
      cause,
    });
  }
  const { format, spread, gain, sharpen = 0, speech } = config;
  if (
    format !== 1 ||
    !(Number(spread) > 0) ||
    !(Number(gain) > 0) ||
    !(Number(sharpen) >= 0) ||
    !isSpeech(speech)
  ) {
    throw new MuseTalkError('BAD_FILE', `${path} is no configuration of mini that this version knows`, {
      hint: 'Use the file that belongs to the weights.',
    });
  }
  return { format, spread: Number(spread), gain: Number(gain), sharpen: Number(sharpen), speech };
}

function isSpeech(speech: Partial<MiniSpeech> | undefined): speech is MiniSpeech | undefined {
  if (speech === undefined) return true;
  const isCode = (code: unknown) =>
    Array.isArray(code) && code.length === MINI_CODE && code.every((number) => Number.isFinite(number));
  const sizes = [speech?.span, speech?.width];
  return isCode(speech?.closed) && isCode(speech?.wide) && sizes.every((size) => Number(size) > 0);
}
