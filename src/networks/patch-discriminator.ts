/**
 * The discriminator of MuseTalk 1.5's second stage: tells drawn faces (or mouths) from real ones, patch by patch.
 * Four blocks of an unpadded 4×4 convolution, with spectral normalisation (Miyato et al., 2018, as in PyTorch's
 * `spectral_norm`); 2,758,849 parameters. Upstream: musetalk/loss/discriminator.py, one scale.
 *
 * B batch, C channels, H W picture.
 */

import { stopGradient } from '../nn/gradients.ts';
import { conv2d, instanceNorm } from '../nn/layers.ts';
import { div, leakyRelu, maximum, mul, sqrt } from '../nn/ops/arithmetic.ts';
import { averagePool, conv, matmul } from '../nn/ops/conv.ts';
import { sumAll } from '../nn/ops/reduce.ts';
import { reshape } from '../nn/ops/shape.ts';
import type { Value } from '../nn/value.ts';
import { fixed, input } from '../nn/value.ts';
import type { Weights } from '../nn/weights.ts';

/** Sizes of the discriminator, under upstream's names. */
export interface PatchDiscriminatorConfig {
  /** Half the channels of the first block; each block doubles them. */
  block_expansion: number;
  /** Upper limit of the channels. */
  max_features: number;
  num_blocks: number;
}

/** As in upstream's settings: 64, 128, 256 and 512 channels. */
export const PATCH_DISCRIMINATOR: PatchDiscriminatorConfig = {
  block_expansion: 32,
  max_features: 512,
  num_blocks: 4,
};

/** What the discriminator says of a batch of pictures. */
export interface PatchJudgement {
  /** What each block saw, for feature matching. */
  readonly features: readonly Value[];
  /** How real each patch is: 1 is real, 0 is drawn. [B, 1, h, w] */
  readonly score: Value;
}

/**
 * picture: [B, 3, H, W] in −1 … 1. At 224 pixels the maps have 110, 53, 25 and 22 positions a side, at 256 pixels
 * 126, 61, 29 and 26.
 *
 * With `vectors` the convolutions are normalised, and each call moves the vectors on by one step: the order of
 * calls matters.
 */
export function patchDiscriminator(
  w: Weights,
  picture: Value,
  config: PatchDiscriminatorConfig = PATCH_DISCRIMINATOR,
  vectors?: SpectralVectors,
): PatchJudgement {
  const scale = w.at('discs', 1);
  const features: Value[] = [];
  let h = picture;
  for (let i = 0; i < config.num_blocks; i++) {
    const block = scale.at('down_blocks', i);
    const out = Math.min(config.max_features, config.block_expansion * 2 ** (i + 1));
    h = normedConv(block.at('conv'), h, { out, kernel: 4, vectors });
    if (i > 0) h = instanceNorm(block.at('norm'), h);
    h = leakyRelu(h, 0.2);
    if (i < config.num_blocks - 1) h = averagePool(h, { kernel: 2 });
    features.push(h);
  }
  return { features, score: normedConv(scale.at('conv'), h, { out: 1, kernel: 1, vectors }) };
}

interface NormedConvOptions {
  out: number;
  kernel: number;
  vectors: SpectralVectors | undefined;
}

function normedConv(w: Weights, x: Value, { out, kernel, vectors }: NormedConvOptions): Value {
  if (!vectors) return conv2d(w, x, { out, kernel });
  const weight = w.get('weight_orig', [out, fixed(x, 1), kernel, kernel]);
  return conv(x, div(weight, vectors.largestSingularValue(w.path, weight)), w.get('bias', [out]));
}

/**
 * The vectors by which the largest singular values of weights are followed: each use makes one step of power
 * iteration, v = Wᵀu / |Wᵀu| and u' = W v / |W v|. They are inputs of the graph, and {@link next} is what they are
 * after it; no gradient passes through them.
 */
export class SpectralVectors {
  /** The vectors before the pass, by their names in the checkpoint. */
  readonly inputs = new Map<string, Value>();
  /** The vectors after the pass. */
  readonly next: Record<string, Value> = {};

  /** u' · W v, for a weight [out, …] seen as a matrix [out, rest]. */
  largestSingularValue(path: string, weight: Value): Value {
    const out = fixed(weight, 0);
    const inner = weight.shape.slice(1).reduce<number>((all, dim) => all * Number(dim), 1);
    const matrix = reshape(weight, [out, inner]);
    const held = stopGradient(matrix);
    const u = this.#read(`${path}.weight_u`, out);
    const v = unit(matmul(reshape(u, [1, out]), held)); // [1, inner]
    const product = matmul(held, reshape(v, [inner, 1])); // [out, 1]
    const moved = unit(product);
    this.next[`${path}.weight_u`] = reshape(moved, [out]);
    this.next[`${path}.weight_v`] = reshape(v, [inner]);
    return sumAll(mul(stopGradient(moved), matmul(matrix, reshape(stopGradient(v), [inner, 1]))));
  }

  #read(name: string, size: number): Value {
    const now = this.next[name] ?? this.inputs.get(name);
    if (now) return now;
    const vector = input(name, [size]);
    this.inputs.set(name, vector);
    return vector;
  }
}

function unit(vector: Value): Value {
  return div(vector, maximum(sqrt(sumAll(mul(vector, vector))), 1e-12));
}
