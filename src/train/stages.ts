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
  VERSION_10_LOSSES,
  VERSION_15_WEIGHTS,
} from './losses.ts';
import { cutMouth } from './mouth-cut.ts';
import { perceptualLoss } from './perceptual.ts';

/** 1.0, the first stage of 1.5 (likeness) and its second (sync and sharpness). */
export type Stage = '1.0' | '1.5-first' | '1.5-second';

/** Sizes and networks of a stage; MuseTalk's own unless given. */
export interface StageOptions {
  stage: Stage;
  /** Samples of a batch. */
  samples: number;
  /** Frozen weights: the autoencoder always, VGG19 in 1.5, the sync net in its second stage. */
  frozen: { vae: WeightSource; vgg?: WeightSource; syncNet?: WeightSource };
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
   * `generator`, and in the second stage `face` and `mouth`. Inputs: `latents` [N, 8, h, w] (masked, reference),
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

  if (stage === '1.0') {
    const trueLatents = input('trueLatents', latents.shape);
    const loss = VERSION_10_LOSSES.released({ latents, trueLatents, picture: drawn, truePicture: picture });
    return {
      unet: weights,
      discriminators: {},
      vectors: new Map(),
      passes: { generator: { loss, groups: ['unet'] } },
    };
  }
  const likeness = likenessTerms(drawn, picture, options);
  if (stage === '1.5-first') {
    const generator = { loss: sum(likeness), groups: ['unet'], outputs: likeness };
    return { unet: weights, discriminators: {}, vectors: new Map(), passes: { generator } };
  }
  return { unet: weights, ...secondStage({ drawn, picture, likeness, options }) };
}

function likenessTerms(drawn: Value, picture: Value, { frozen, judgedSize: size, thin }: StageOptions) {
  const options = { ...(size && { size }), ...(thin && { thin }) };
  const { loss } = perceptualLoss(new Weights(frozen.vgg!), drawn, picture, options);
  return {
    pixels: mul(meanAbsolute(drawn, picture), VERSION_15_WEIGHTS.picture),
    perceptual: mul(loss, VERSION_15_WEIGHTS.perceptual),
  };
}

interface SecondStage {
  drawn: Value;
  picture: Value;
  likeness: Record<string, Value>;
  options: StageOptions;
}

function secondStage({ drawn, picture, likeness, options }: SecondStage): Omit<StageGraphs, 'unet'> {
  const { judgedSize = 224, samples } = options;
  const mouth = mouthCutter(picture);
  const judged = (image: Value) => resizeBilinear(image, judgedSize, judgedSize);
  const parts = { face: (image: Value) => image, mouth };
  const critics = { face: critic('face', options), mouth: critic('mouth', options) };

  const terms: Record<string, Value> = { ...likeness };
  const ganWeight = input('ganWeight', []);
  for (const [name, cut] of Object.entries(parts)) {
    const { judge } = critics[name as keyof typeof critics];
    // Upstream: what was drawn is judged first, at 224 pixels, though the discriminators are trained at 256.
    const made = judge(judged(cut(drawn)));
    const real = judge(judged(cut(picture)));
    terms[`${name}Gan`] = mul(generatorLoss(made.score), ganWeight);
    terms[`${name}Features`] = mul(
      featureMatchingLoss(real.features, made.features),
      VERSION_15_WEIGHTS.featureMatching,
    );
  }
  terms.sync = mul(syncTerm(drawn, samples, options), VERSION_15_WEIGHTS.sync);

  const passes: Record<string, PassOptions> = {
    generator: {
      loss: sum(terms),
      groups: ['unet'],
      outputs: { ...terms, drawn },
      next: { ...critics.face.vectors.next, ...critics.mouth.vectors.next },
    },
  };
  const held = input('drawn', drawn.shape);
  for (const [name, cut] of Object.entries(parts)) {
    const { judge, vectors } = critic(name, options);
    const made = judge(cut(held)).score;
    const loss = discriminatorLoss(judge(cut(picture)).score, made);
    passes[name] = { loss, groups: [name], next: vectors.next };
  }
  return {
    discriminators: { face: critics.face.weights, mouth: critics.mouth.weights },
    vectors: new Map([...critics.face.vectors.inputs, ...critics.mouth.vectors.inputs]),
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
  { frozen, syncNet: config = STABLE_SYNCNET }: StageOptions,
): Value {
  const half = lowerHalf(drawn);
  const [height, width] = [fixed(half, 2), fixed(half, 3)];
  const frames = reshape(half, [samples, 3 * SYNC_FRAMES, height, width]);
  const mel = input('mel', [samples, 1, 80, SYNC_MEL_ROWS]);
  const { seen, heard } = syncNet(new Weights(frozen.syncNet!), frames, mel, config);
  return syncLoss(seen, heard, full([samples, 1], 1)).loss;
}

function sum(terms: Readonly<Record<string, Value>>): Value {
  return Object.values(terms).reduce((a, b) => add(a, b));
}
