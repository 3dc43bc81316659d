/**
 * The autoencoder of Stable Diffusion 1 (AutoencoderKL of diffusers, weights sd-vae-ft-mse): pictures of H × W
 * to latents of H/8 × W/8 and back. 83,653,863 parameters, the decoder 49,490,179 of them.
 *
 * Names are those that diffusers gives today; the distributed file has older ones for its two attentions, which
 * {@link vaeName} translates. B batch, C channels, L latent channels.
 */
import { z } from 'zod';
import { conv2d, groupNorm } from '../nn/layers.ts';
import { add, clip, exp, mul, silu } from '../nn/ops/arithmetic.ts';
import { upsampleNearest } from '../nn/ops/conv.ts';
import { pad, reshape, split, transpose } from '../nn/ops/shape.ts';
import type { Value } from '../nn/value.ts';
import { fixed } from '../nn/value.ts';
import type { Weights } from '../nn/weights.ts';
import { attention } from './blocks/attention.ts';
import { resnetBlock2d } from './blocks/resnet.ts';
import { readConfig } from './network-config.ts';

const size = z.int().min(1);

/** The `config.json` of the autoencoder under its own names; the defaults are those of sd-vae-ft-mse. */
export const vaeConfig = z.object({
  in_channels: size.default(3),
  out_channels: size.default(3),
  latent_channels: size.default(4),
  /** Width of each level, from the finest to the coarsest. */
  block_out_channels: z.array(size).min(1).max(8).default([128, 256, 512, 512]),
  /** Residual blocks of a level of the encoder; a level of the decoder has one more. */
  layers_per_block: size.default(2),
  norm_num_groups: size.default(32),
  /** Latents are multiplied by it on their way to the UNet. The distributed file leaves it out. */
  scaling_factor: z.number().positive().default(0.18215),
  act_fn: z.literal('silu').default('silu'),
  down_block_types: z.array(z.literal('DownEncoderBlock2D')).optional(),
  up_block_types: z.array(z.literal('UpDecoderBlock2D')).optional(),
  use_quant_conv: z.literal(true).default(true),
  use_post_quant_conv: z.literal(true).default(true),
  mid_block_add_attention: z.literal(true).default(true),
  shift_factor: z.null().optional(),
});

/** A checkpoint's `config.json`, as diffusers writes it. */
export type VaeConfig = z.output<typeof vaeConfig>;

/** The configuration in the parsed JSON of an autoencoder. @throws MuseTalkError WRONG_FILE */
export const readVaeConfig = (json: unknown): VaeConfig => readConfig(vaeConfig, json, 'autoencoder');

/** The configuration of sd-vae-ft-mse. */
export const SD_VAE: VaeConfig = vaeConfig.parse({});

/** Every group norm of the autoencoder has this eps. */
const EPS = 1e-6;

const ATTENTION_NAMES = [
  ['.query.', '.to_q.'],
  ['.key.', '.to_k.'],
  ['.value.', '.to_v.'],
  ['.proj_attn.', '.to_out.0.'],
] as const;

/** The name by which this network asks for a tensor of a file with old or new names. */
export function vaeName(name: string): string {
  if (!name.includes('.attentions.')) return name;
  return ATTENTION_NAMES.reduce((all, [old, current]) => all.replace(old, current), name);
}

/**
 * picture: [B, 3, H, W] in −1 … 1 → moments [B, 2 L, H/8, W/8]: the means, then the logarithms of the variances,
 * neither of them scaled (see {@link latentMean} and {@link latentSample}).
 */
export function vaeEncoder(w: Weights, picture: Value, config: VaeConfig = SD_VAE): Value {
  const { block_out_channels: widths, norm_num_groups: groups, latent_channels } = config;
  const scope = w.at('encoder');

  let h = conv2d(scope.at('conv_in'), picture, { out: widths[0]!, kernel: 3, padding: 1 });
  for (const [level, out] of widths.entries()) {
    const block = scope.at('down_blocks', level);
    for (let j = 0; j < config.layers_per_block; j++) {
      h = resnetBlock2d(block.at('resnets', j), h, { out, groups, eps: EPS });
    }
    if (level < widths.length - 1) h = downsample(block.at('downsamplers', 0, 'conv'), h);
  }
  h = midBlock(scope.at('mid_block'), h, { groups });

  h = silu(groupNorm(scope.at('conv_norm_out'), h, { groups, eps: EPS }));
  h = conv2d(scope.at('conv_out'), h, { out: 2 * latent_channels, kernel: 3, padding: 1 });
  return conv2d(w.at('quant_conv'), h, { out: 2 * latent_channels, kernel: 1 });
}

/** latents: [B, L, H/8, W/8], not scaled (see {@link unscaled}) → picture [B, 3, H, W], about −1 … 1 */
export function vaeDecoder(w: Weights, latents: Value, config: VaeConfig = SD_VAE): Value {
  const { block_out_channels: widths, norm_num_groups: groups, latent_channels } = config;
  const scope = w.at('decoder');

  let h = conv2d(w.at('post_quant_conv'), latents, { out: latent_channels, kernel: 1 });
  h = conv2d(scope.at('conv_in'), h, { out: widths.at(-1)!, kernel: 3, padding: 1 });
  h = midBlock(scope.at('mid_block'), h, { groups });
  for (const [i, out] of widths.toReversed().entries()) {
    const block = scope.at('up_blocks', i);
    for (let j = 0; j <= config.layers_per_block; j++) {
      h = resnetBlock2d(block.at('resnets', j), h, { out, groups, eps: EPS });
    }
    if (i < widths.length - 1) {
      h = conv2d(block.at('upsamplers', 0, 'conv'), upsampleNearest(h), { out, kernel: 3, padding: 1 });
    }
  }

  h = silu(groupNorm(scope.at('conv_norm_out'), h, { groups, eps: EPS }));
  return conv2d(scope.at('conv_out'), h, { out: config.out_channels, kernel: 3, padding: 1 });
}

/** The most likely latents of moments, scaled for the UNet: what training uses. [B, 2 L, h, w] → [B, L, h, w] */
export function latentMean(moments: Value, { scaling_factor }: VaeConfig = SD_VAE): Value {
  return mul(halves(moments)[0], scaling_factor);
}

/**
 * Latents drawn from moments, scaled for the UNet: what upstream's inference uses.
 *
 * moments: [B, 2 L, h, w], noise: [B, L, h, w], standard normal → [B, L, h, w]
 */
export function latentSample(moments: Value, noise: Value, { scaling_factor }: VaeConfig = SD_VAE): Value {
  const [mean, logVariance] = halves(moments);
  const deviation = exp(mul(clip(logVariance, -30, 20), 0.5));
  return mul(add(mean, mul(deviation, noise)), scaling_factor);
}

/** Latents as the UNet knows them, as the decoder wants them. */
export function unscaled(latents: Value, { scaling_factor }: VaeConfig = SD_VAE): Value {
  // Upstream: multiplies by the rounded reciprocal instead of dividing.
  return mul(latents, 1 / scaling_factor);
}

function halves(moments: Value): [mean: Value, logVariance: Value] {
  const channels = fixed(moments, 1) / 2;
  const [mean, logVariance] = split(moments, [channels, channels], 1);
  return [mean!, logVariance!];
}

/** Halves H and W; pads on the right and below only, unlike the UNet's. */
function downsample(w: Weights, x: Value): Value {
  const padded = pad(x, [0, 0, 0, 0], [0, 0, 1, 1]);
  return conv2d(w, padded, { out: fixed(x, 1), kernel: 3, stride: 2 });
}

function midBlock(w: Weights, x: Value, { groups }: { groups: number }): Value {
  const out = fixed(x, 1);
  let h = resnetBlock2d(w.at('resnets', 0), x, { out, groups, eps: EPS });
  h = attentionBlock(w.at('attentions', 0), h, { groups });
  return resnetBlock2d(w.at('resnets', 1), h, { out, groups, eps: EPS });
}

/** Self-attention of all pixels with a single head as wide as the picture's channels. */
function attentionBlock(w: Weights, x: Value, { groups }: { groups: number }): Value {
  const [channels, positions] = [fixed(x, 1), fixed(x, 2) * fixed(x, 3)];
  let h = groupNorm(w.at('group_norm'), x, { groups, eps: EPS });
  h = transpose(reshape(h, [x.shape[0]!, channels, positions]), [0, 2, 1]); // [B, HW, C]
  h = attention(w, h, h, { heads: 1, bias: true });
  return add(reshape(transpose(h, [0, 2, 1]), x.shape), x);
}
