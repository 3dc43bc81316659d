/** The official networks, loaded: what they take and give, without a word about frames and boxes. */
import { readFile } from 'node:fs/promises';
import { MuseTalkError } from '../core/errors.ts';
import type { FloatTensor, Tensor } from '../core/tensor.ts';
import { faceToLatents, latentsToFaceTiny } from '../networks/faces.ts';
import { bytesOfSigned } from '../networks/pictures.ts';
import { withPositions } from '../networks/positional-encoding.ts';
import { readUnetConfig, unet } from '../networks/unet.ts';
import { readVaeConfig, unscaled, type VaeConfig, vaeDecoder, vaeName } from '../networks/vae.ts';
import {
  type WhisperConfig,
  whisperConfigOf,
  whisperEncoder,
  whisperName,
} from '../networks/whisper-encoder.ts';
import { withFastConvolutions } from '../nn/fast-convolutions.ts';
import { type BuildNetwork, loadNetwork } from '../nn/load-network.ts';
import { meanAll } from '../nn/ops/reduce.ts';
import { Engine, type LoadOptions } from '../nn/session.ts';
import { input, type Value } from '../nn/value.ts';
import type { MatchOptions } from '../nn/weights/match-weights.ts';
import { openCheckpoint } from '../nn/weights/open-checkpoint.ts';
import { stateDict } from '../nn/weights/state-dict.ts';
import type { Weights } from '../nn/weights.ts';
import type { MuseTalkFiles } from './model-store.ts';

/** Side of the faces that MuseTalk draws, in pixels. */
export const MUSETALK_SIZE = 256;

/** Layers of Whisper that are heard: before the first and after each of the four. */
const LAYERS = 5;

interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/** The networks of one version, ready to run in a thread of their own. */
export interface MuseTalkNetworks {
  /** Shape of the latents of a face: [8, 32, 32] (masked face, whole face). */
  readonly latentShape: readonly [number, number, number];
  /** Shape of what one frame hears: [50, 384] (10 rows of 5 layers, the layer counting fastest). */
  readonly conditionShape: readonly [number, number];
  /** mel [1, 80, 3000] → hidden states [1, 1500, 5, width] */
  hear(mel: FloatTensor, options?: Abortable): Promise<FloatTensor>;
  /** Bytes [B, 256, 256, 3] → [B, 8, 32, 32]. `noise` is two times [B, 4, 32, 32], only where latents are sampled. */
  encode(faces: Tensor<'uint8'>, noise: LatentNoise | undefined, options?: Abortable): Promise<FloatTensor>;
  /** Latents [B, 8, 32, 32] and conditions [B, 50, width] → latents of the drawn faces [B, 4, 32, 32]. */
  draw(latents: FloatTensor, conditions: FloatTensor, options?: Abortable): Promise<FloatTensor>;
  /** [B, 4, 32, 32] → bytes [B, 256, 256, 3] */
  decode(latents: FloatTensor, options?: Abortable): Promise<Tensor<'uint8'>>;
  close(): Promise<void>;
}

/** Standard normal numbers for the masked and for the whole face. */
export interface LatentNoise {
  readonly masked: FloatTensor;
  readonly reference: FloatTensor;
}

/** How the networks of MuseTalk are loaded. */
export interface NetworkOptions extends Pick<LoadOptions, 'threads' | 'providers' | 'cacheFolder'> {
  readonly decoder: 'sd' | 'taesd';
  /** Latents are the mean of what the encoder gives, or drawn from it. */
  readonly latents: 'mean' | 'sample';
  /** Rows of features that one frame hears: 10 for the published weights. */
  readonly window: number;
}

/**
 * Loads the networks; nothing of the weights is read before ONNX Runtime reads it.
 *
 * @throws MuseTalkError BAD_WEIGHTS, WRONG_FILE, BAD_FILE, ENGINE.
 */
export async function loadMuseTalk(files: MuseTalkFiles, options: NetworkOptions): Promise<MuseTalkNetworks> {
  const engine = new Engine();
  try {
    return await load(engine, files, options);
  } catch (error) {
    await engine.close();
    throw error;
  }
}

async function load(
  engine: Engine,
  files: MuseTalkFiles,
  options: NetworkOptions,
): Promise<MuseTalkNetworks> {
  const unetConfig = readUnetConfig(await readJson(files.unet.config));
  const vaeConfig = readVaeConfig(await readJson(files.vae.config));
  const channels = vaeConfig.latent_channels;
  const side = MUSETALK_SIZE / 2 ** (vaeConfig.block_out_channels.length - 1);
  checkFit(files, unetConfig.in_channels === 2 * channels && unetConfig.out_channels === channels, {
    'the UNet takes and gives': [unetConfig.in_channels, unetConfig.out_channels],
    'the autoencoder gives and takes': [2 * channels, channels],
  });
  const { decoder, latents, window, ...loading } = options;

  const hearing = await loadHearing(engine, files, loading);
  checkFit(files, hearing.width === unetConfig.cross_attention_dim, {
    'the UNet attends to a width of': unetConfig.cross_attention_dim,
    "Whisper's encoder gives a width of": hearing.width,
  });
  const load = <N extends string>(path: string, match: MatchOptions, build: BuildNetwork<N>) =>
    loadNetwork(engine, path, { match, build, loading });
  const encoder = await load(files.vae.weights, VAE_ENCODER, (w) => {
    const faces = input('faces', ['B', MUSETALK_SIZE, MUSETALK_SIZE, 3], 'uint8');
    const noise = (name: string) => input(name, ['B', channels, side, side]);
    const drawn =
      latents === 'sample' ? { masked: noise('masked'), reference: noise('reference') } : undefined;
    return fastest({ latents: faceToLatents(w, faces, vaeConfig, drawn) }, loading);
  });
  const drawing = await load(
    files.unet.weights,
    { network: `the UNet of MuseTalk ${files.version}` },
    (w) => {
      const from = input('latents', ['B', 2 * channels, side, side]);
      const condition = input('condition', ['B', window * LAYERS, unetConfig.cross_attention_dim]);
      return { drawn: unet(w, from, withPositions(condition), unetConfig) };
    },
  );
  const decoding = await loadDecoder(engine, files, { decoder, vaeConfig, side, loading });

  return {
    latentShape: [2 * channels, side, side],
    conditionShape: [window * LAYERS, hearing.width],
    hear: hearing.hear,
    encode: async (faces, noise, abortable) =>
      finite((await encoder.run({ faces, ...noise }, abortable)).latents as FloatTensor, 'the encoder'),
    draw: async (from, condition, abortable) =>
      finite((await drawing.run({ latents: from, condition }, abortable)).drawn as FloatTensor, 'the UNet'),
    decode: async (from, abortable) => {
      const { faces, check } = await decoding.run({ latents: from }, abortable);
      finite(check as FloatTensor, 'the decoder');
      return faces as Tensor<'uint8'>;
    },
    close: () => engine.close(),
  };
}

type Loading = Pick<LoadOptions, 'threads' | 'providers' | 'cacheFolder'>;

/**
 * Loads Whisper's encoder: mel [1, 80, 3000] → hidden states [1, 1500, 5, width].
 *
 * @throws MuseTalkError NOT_FOUND, WRONG_FILE, BAD_FILE, BAD_WEIGHTS or ENGINE.
 */
export async function loadHearing(
  engine: Engine,
  files: Pick<MuseTalkFiles, 'version' | 'whisper'>,
  loading: Loading,
) {
  const { version, whisper } = files;
  const shape = await whisperShape(whisper);
  const session = await loadNetwork(engine, whisper.weights, {
    match: WHISPER_ENCODER,
    loading,
    build: (w) => {
      const mel = input('mel', [1, shape.mels, 2 * shape.positions]);
      return { states: whisperEncoder(w, mel, shape, { version }) };
    },
  });
  const hear = async (mel: FloatTensor, abortable?: Abortable) =>
    finite((await session.run({ mel }, abortable)).states as FloatTensor, "Whisper's encoder");
  return { width: shape.width, hear };
}

/** Sizes from the tensors; the number of heads stands beside them, in `config.json` or in OpenAI's file itself. */
async function whisperShape({ weights, config }: MuseTalkFiles['whisper']): Promise<WhisperConfig> {
  const checkpoint = await openCheckpoint(weights, { expected: WHISPER_ENCODER.network });
  try {
    const named = Array.from(
      stateDict(checkpoint).entries,
      ([name, { shape }]) => [whisperName(name), shape] as const,
    );
    const shapes = new Map<string, readonly number[]>(named);
    const found = whisperConfigOf((name) => shapes.get(name));
    if (found === undefined) {
      throw new MuseTalkError('WRONG_FILE', `${weights} does not hold ${WHISPER_ENCODER.network}`, {
        hint: 'Take the files of openai/whisper-tiny, or tiny.pt of OpenAI.',
        facts: { path: weights },
      });
    }
    const inFile = checkpoint.metadata.get('dims/n_audio_head');
    const json = inFile === undefined && config !== undefined ? await readJson(config) : undefined;
    const heads = Number(inFile ?? (json as { encoder_attention_heads?: unknown })?.encoder_attention_heads);
    return Number.isInteger(heads) && heads > 0 ? { ...found, heads } : found;
  } finally {
    await checkpoint.close();
  }
}

interface DecoderParts {
  readonly decoder: 'sd' | 'taesd';
  readonly vaeConfig: VaeConfig;
  readonly side: number;
  readonly loading: Loading;
}

function loadDecoder(
  engine: Engine,
  files: MuseTalkFiles,
  { decoder, vaeConfig, side, loading }: DecoderParts,
) {
  const latents = input('latents', ['B', vaeConfig.latent_channels, side, side]);
  if (decoder === 'taesd') {
    const match = { network: 'the decoder of TAESD' };
    // Bytes hide a NaN; the latents that come in were checked, and this network has no place to overflow.
    const build = (w: Weights) => ({ faces: latentsToFaceTiny(w, latents), check: meanAll(latents) });
    return loadNetwork(engine, files.taesd!, { match, build, loading });
  }
  const build = (w: Weights) => {
    const picture = vaeDecoder(w, unscaled(latents, vaeConfig), vaeConfig);
    return fastest({ faces: bytesOfSigned(picture), check: meanAll(picture) }, loading);
  };
  return loadNetwork(engine, files.vae.weights, { match: VAE_DECODER, build, loading });
}

/** On a processor, wide convolutions with fewer multiplications; graphics cards choose such things themselves. */
function fastest<N extends string>(
  graph: Record<N, Value>,
  { providers = ['cpu'] }: Loading,
): Record<N, Value> {
  return providers.every((provider) => provider === 'cpu') ? withFastConvolutions(graph) : graph;
}

/** Both halves of the autoencoder lie in one file; each is loaded without the other. */
export const VAE_ENCODER: MatchOptions = {
  network: 'the autoencoder sd-vae-ft-mse',
  rename: vaeName,
  ignored: (name) => /^(decoder|post_quant_conv)\./.test(name),
};
/** How the file of the autoencoder is matched with its decoder. */
export const VAE_DECODER: MatchOptions = {
  ...VAE_ENCODER,
  ignored: (name) => /^(encoder|quant_conv)\./.test(name),
};
const WHISPER_ENCODER: MatchOptions = {
  network: 'the encoder of Whisper',
  rename: whisperName,
  ignored: (name) => /^(model\.)?decoder\.|^proj_out\./.test(name),
};

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new MuseTalkError('NOT_FOUND', `cannot read ${path}`, { cause });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MuseTalkError('WRONG_FILE', `${path} is not JSON`, {
      hint: 'Fetch the file again: what came may be a web page.',
      facts: { path },
      cause,
    });
  }
}

function checkFit(files: MuseTalkFiles, fits: boolean, facts: Readonly<Record<string, unknown>>): void {
  if (fits) return;
  const words = Object.entries(facts).map(([what, numbers]) => `${what} ${numbers}`);
  throw new MuseTalkError(
    'BAD_WEIGHTS',
    `the networks in ${files.folder} do not belong together: ${words.join(', ')}`,
    { hint: 'Take all files from the same model.', facts },
  );
}

/** Passes numbers on. Upstream: a NaN becomes a black mouth without a word. */
function finite(tensor: FloatTensor, network: string): FloatTensor {
  if (tensor.data.every(Number.isFinite)) return tensor;
  throw new MuseTalkError('ENGINE', `${network} gave numbers that are not finite`, {
    hint: 'The weights may be damaged; fetch them again, or choose the cpu provider.',
    facts: { network },
  });
}
