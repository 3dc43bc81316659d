/**
 * The trainings of MuseTalk as graphs: 1.0, and the two stages of 1.5. The UNet alone is trained; the autoencoder
 * and the judges are frozen, and gradients pass through them. One pass at timestep 0 predicts the clean latents:
 * it is a regression, no diffusion.
 *
 * N pictures = samples · frames, of `size` pixels a side; latents have an eighth of it.
 */
import {
  PATCH_DISCRIMINATOR,
  type PatchDiscriminatorConfig,
  patchDiscriminator,
  SpectralVectors,
} from '../networks/patch-discriminator.ts';
import {
  STABLE_SYNCNET,
  SYNC_FRAMES,
  SYNC_MEL_ROWS,
  type SyncNetConfig,
  syncNet,
} from '../networks/syncnet.ts';
import { MUSETALK_UNET, type UnetConfig, unet } from '../networks/unet.ts';
import { SD_VAE, unscaled, type VaeConfig, vaeDecoder } from '../networks/vae.ts';
import { add, full, mul } from '../nn/ops/arithmetic.ts';
import { resizeBilinear } from '../nn/ops/conv.ts';
import { reshape } from '../nn/ops/shape.ts';
import type { PassOptions } from '../nn/trainer.ts';
import { fixed, input, type Value } from '../nn/value.ts';
import { Trainable, type WeightSource, Weights } from '../nn/weights.ts';
import {
  discriminatorLoss,
  featureMatchingLoss,
  generatorLoss,
  lowerHalf,
  meanAbsolute,
  syncLoss,
  VERSION_15_WEIGHTS,
} from './losses.ts';
import { cutMouth } from './mouth-cut.ts';
import { perceptualLoss } from './perceptual.ts';

/** 1.0, the first stage of 1.5 (likeness) and its second (sync and sharpness). */
export type Stage = '1.0' | '1.5-first' | '1.5-second';

/** Weights of the terms of a stage. `latents` belongs to 1.0 alone; that of the GANs is an input of the pass. */
export interface StageWeights {
  latents: number;
  pixels: number;
  perceptual: number;
  gan: number;
  mouthGan: number;
  featureMatching: number;
  sync: number;
}

/** Upstream's weights. */
function usualWeights(stage: Stage): StageWeights {
  const { picture: pixels, ...rest } = VERSION_15_WEIGHTS;
  return { latents: 1, ...rest, pixels: stage === '1.0' ? 2 : pixels };
}

/** Sizes and networks of a stage; MuseTalk's own unless given. */
export interface StageOptions {
  stage: Stage;
  /** Samples of a batch. */
  samples: number;
  /**
   * Frozen weights: the autoencoder always, VGG19 in 1.5, the sync net in its second stage. A term whose network is
   * not there, or whose weight is 0, is left out.
   */
  frozen: { vae: WeightSource; vgg?: WeightSource | undefined; syncNet?: WeightSource | undefined };
  /** Weights of the terms; upstream's unless given. */
  weights?: Partial<StageWeights>;
  /** Side of the pictures. Default 256. */
  size?: number;
  /** Side to which pictures are brought before they are judged. Default 224. */
  judgedSize?: number;
  /** Rows and width of the condition. Default [50, 384]. */
  condition?: readonly [number, number];
  unet?: UnetConfig;
  vae?: VaeConfig;
  discriminator?: PatchDiscriminatorConfig;
  syncNet?: SyncNetConfig;
  /** Side of the pictures whose lower halves the sync net knows; that of the pictures unless given. */
  syncSize?: number;
  /** Adds a pass `look` that gives what is drawn and learns nothing. */
  look?: boolean;
  /** Divides the widths of VGG19, for tests. */
  thin?: number;
}

/** The graphs of a stage, and the parameters that they train. */
export interface StageGraphs {
  unet: Trainable;
  /** Of the second stage: face and mouth, and the vectors of their spectral normalisation, by input name. */
  discriminators: Record<string, Trainable>;
  vectors: ReadonlyMap<string, Value>;
  /**
   * `generator`, in the second stage `face` and `mouth`, and `look` where it is asked for. Inputs: `latents` [N, 8, h, w] (masked, reference),
   * `condition` [N, 50, 384], `picture` [N, 3, size, size]; in 1.0 `trueLatents` [N, 4, h, w]; in the second stage
   * `mouthRows`, `mouthColumns` (see `cutMaps`), `mel` [samples, 1, 80, 52] and `ganWeight` []. The discriminators
   * take `picture` and `drawn`, the generator's output of that name.
   */
  passes: Record<string, PassOptions>;
}

/** Builds a stage. @throws MuseTalkError BAD_WEIGHTS when frozen weights are missing or do not fit. */
export function stageGraphs(options: StageOptions): StageGraphs {
  const { stage, samples, size = 256, condition = [50, 384] } = options;
  const count = samples * (stage === '1.5-second' ? SYNC_FRAMES : 1);
  const vae = options.vae ?? SD_VAE;
  const side = size / 2 ** (vae.block_out_channels.length - 1);
  const weights = new Trainable();
  const config = options.unet ?? MUSETALK_UNET;
  const latents = unet(
    new Weights(weights),
    input('latents', [count, config.in_channels, side, side]),
    input('condition', [count, ...condition]),
    config,
  );
  const picture = input('picture', [count, 3, size, size]);
  const drawn = vaeDecoder(new Weights(options.frozen.vae), unscaled(latents, vae), vae);

  const scales = { ...usualWeights(stage), ...options.weights };

  if (stage === '1.0') {
    const trueLatents = input('trueLatents', latents.shape);
    const { latents: hidden, ...rest } = weighted(scales, {
      pixels: () => meanAbsolute(lowerHalf(drawn), lowerHalf(picture)),
      latents: () => meanAbsolute(latents, trueLatents),
    });
    // An output may not have the name of an input.
    return firstStage(weights, { ...rest, ...(hidden && { latentError: hidden }) }, drawn, options);
  }
  const likeness = likenessTerms(drawn, picture, scales, options);
  if (stage === '1.5-first') return firstStage(weights, likeness, drawn, options);
  return { unet: weights, ...secondStage({ drawn, picture, likeness, scales, options }) };
}

/** A stage without judges that learn. */
function firstStage(
  unetWeights: Trainable,
  terms: Record<string, Value>,
  drawn: Value,
  { look }: StageOptions,
): StageGraphs {
  const loss = sum(terms);
  const generator = { loss, groups: ['unet'], outputs: terms };
  const passes: StageGraphs['passes'] = {
    generator,
    ...(look && { look: { loss, groups: [], outputs: { ...terms, drawn } } }),
  };
  return { unet: unetWeights, discriminators: {}, vectors: new Map(), passes };
}

/** Terms by their weights; those that weigh nothing are not built. */
function weighted(
  scales: StageWeights,
  terms: Partial<Record<keyof StageWeights, () => Value>>,
): Record<string, Value> {
  const built = Object.entries(terms).flatMap(([name, build]) => {
    const scale = scales[name as keyof StageWeights];
    return scale > 0 ? [[name, mul(build(), scale)] as const] : [];
  });
  return Object.fromEntries(built);
}

function likenessTerms(
  drawn: Value,
  picture: Value,
  scales: StageWeights,
  { frozen: { vgg }, judgedSize: size, thin }: StageOptions,
) {
  const options = { ...(size && { size }), ...(thin && { thin }) };
  return weighted(scales, {
    pixels: () => meanAbsolute(drawn, picture),
    ...(vgg && { perceptual: () => perceptualLoss(new Weights(vgg), drawn, picture, options).loss }),
  });
}

interface SecondStage {
  drawn: Value;
  picture: Value;
  likeness: Record<string, Value>;
  scales: StageWeights;
  options: StageOptions;
}

function secondStage({ drawn, picture, likeness, scales, options }: SecondStage): Omit<StageGraphs, 'unet'> {
  const { judgedSize = 224, samples, frozen, look } = options;
  const judged = (image: Value) => resizeBilinear(image, judgedSize, judgedSize);
  const parts: Record<string, (image: Value) => Value> = {
    ...(scales.gan > 0 && { face: (image: Value) => image }),
    ...(scales.mouthGan > 0 && { mouth: mouthCutter(picture) }),
  };
  const critics = Object.fromEntries(Object.keys(parts).map((name) => [name, critic(name, options)]));

  const terms: Record<string, Value> = { ...likeness };
  // How loud the discriminators are heard, as a part of their weights' sum in upstream's settings.
  const ganWeight = input('ganWeight', []);
  for (const [name, cut] of Object.entries(parts)) {
    const { judge } = critics[name]!;
    // Upstream: what was drawn is judged first, at 224 pixels, though the discriminators are trained at 256.
    const made = judge(judged(cut(drawn)));
    const real = judge(judged(cut(picture)));
    const scale = (name === 'mouth' ? scales.mouthGan : scales.gan) / VERSION_15_WEIGHTS.gan;
    const heard = mul(generatorLoss(made.score), ganWeight);
    terms[`${name}Gan`] = scale === 1 ? heard : mul(heard, scale);
    terms[`${name}Features`] = mul(featureMatchingLoss(real.features, made.features), scales.featureMatching);
  }
  if (frozen.syncNet && scales.sync > 0) terms.sync = mul(syncTerm(drawn, samples, options), scales.sync);

  const loss = sum(terms);
  const moved = Object.assign({}, ...Object.values(critics).map(({ vectors }) => vectors.next));
  const passes: Record<string, PassOptions> = {
    generator: { loss, groups: ['unet'], outputs: { ...terms, drawn }, next: moved },
    ...(look && { look: { loss, groups: [], outputs: { ...terms, drawn } } }),
  };
  const held = input('drawn', drawn.shape);
  for (const [name, cut] of Object.entries(parts)) {
    const { judge, vectors } = critic(name, options);
    const made = judge(cut(held)).score;
    passes[name] = {
      loss: discriminatorLoss(judge(cut(picture)).score, made),
      groups: [name],
      next: vectors.next,
    };
  }
  return {
    discriminators: Object.fromEntries(Object.entries(critics).map(([name, { weights }]) => [name, weights])),
    vectors: new Map(Object.values(critics).flatMap(({ vectors }) => [...vectors.inputs])),
    passes,
  };
}

/** Cuts the mouths of a batch to the size of its pictures. */
function mouthCutter(picture: Value): (image: Value) => Value {
  const [count, height, width] = [picture.shape[0]!, fixed(picture, 2), fixed(picture, 3)];
  const rows = input('mouthRows', [count, 1, height, height]);
  const columns = input('mouthColumns', [count, 1, width, width]);
  return (image) => cutMouth(image, rows, columns);
}

/** A discriminator; each pass follows the vectors of its normalisation anew. */
function critic(name: string, { discriminator = PATCH_DISCRIMINATOR }: StageOptions) {
  const weights = new Trainable();
  const vectors = new SpectralVectors();
  const w = new Weights(weights).at(name);
  return { weights, vectors, judge: (image: Value) => patchDiscriminator(w, image, discriminator, vectors) };
}

function syncTerm(
  drawn: Value,
  samples: number,
  { frozen, syncNet: config = STABLE_SYNCNET, size = 256, syncSize = size }: StageOptions,
): Value {
  const half = lowerHalf(syncSize === size ? drawn : resizeBilinear(drawn, syncSize, syncSize));
  const [height, width] = [fixed(half, 2), fixed(half, 3)];
  const frames = reshape(half, [samples, 3 * SYNC_FRAMES, height, width]);
  const mel = input('mel', [samples, 1, 80, SYNC_MEL_ROWS]);
  const { seen, heard } = syncNet(new Weights(frozen.syncNet!), frames, mel, config);
  return syncLoss(seen, heard, full([samples, 1], 1)).loss;
}

function sum(terms: Readonly<Record<string, Value>>): Value {
  return Object.values(terms).reduce((a, b) => add(a, b));
}
