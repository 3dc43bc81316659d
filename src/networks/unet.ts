/**
 * The UNet that redraws the mouth: from the latents of the masked and of the reference picture, and the sound,
 * to the latents of the finished picture in one step. The shape is that of Stable Diffusion 1
 * (UNet2DConditionModel of diffusers) with 8 channels in and a narrow condition; 849,947,844 parameters.
 *
 * B batch, C channels, T rows of the condition.
 */
import { z } from 'zod';
import { conv2d, groupNorm, linear } from '../nn/layers.ts';
import { silu } from '../nn/ops/arithmetic.ts';
import { upsampleNearest } from '../nn/ops/conv.ts';
import { concat } from '../nn/ops/shape.ts';
import type { Value } from '../nn/value.ts';
import { constant } from '../nn/value.ts';
import type { Weights } from '../nn/weights.ts';
import { resnetBlock2d } from './blocks/resnet.ts';
import { transformer2d } from './blocks/transformer.ts';
import { readConfig } from './network-config.ts';

const size = z.int().min(1);
const levels = <T extends z.ZodType>(item: T) => z.array(item).min(1).max(8);

/**
 * `musetalk.json` under its own names; the defaults are MuseTalk's, which both versions share. Keys with one
 * allowed value name what other UNets of the family can do and this one does not.
 */
export const unetConfig = z
  .object({
    in_channels: size.default(8),
    out_channels: size.default(4),
    /** Width of each level, from the finest to the coarsest. */
    block_out_channels: levels(size).default([320, 640, 1280, 1280]),
    /** Residual blocks of a level on the way down; a level on the way up has one more. */
    layers_per_block: size.default(2),
    down_block_types: levels(z.enum(['CrossAttnDownBlock2D', 'DownBlock2D'])).default([
      'CrossAttnDownBlock2D',
      'CrossAttnDownBlock2D',
      'CrossAttnDownBlock2D',
      'DownBlock2D',
    ]),
    up_block_types: levels(z.enum(['CrossAttnUpBlock2D', 'UpBlock2D'])).default([
      'UpBlock2D',
      'CrossAttnUpBlock2D',
      'CrossAttnUpBlock2D',
      'CrossAttnUpBlock2D',
    ]),
    /** Upstream: the number of heads in spite of its name, unless `num_attention_heads` is given. */
    attention_head_dim: z.union([size, levels(size)]).default(8),
    num_attention_heads: z.union([size, levels(size)]).nullish(),
    cross_attention_dim: size.default(384),
    norm_num_groups: size.default(32),
    norm_eps: z.number().positive().default(1e-5),
    flip_sin_to_cos: z.boolean().default(true),
    freq_shift: z.number().default(0),
    act_fn: z.literal('silu').default('silu'),
    downsample_padding: z.literal(1).default(1),
    mid_block_scale_factor: z.literal(1).default(1),
    center_input_sample: z.literal(false).default(false),
    mid_block_type: z.literal('UNetMidBlock2DCrossAttn').default('UNetMidBlock2DCrossAttn'),
    use_linear_projection: z.literal(false).default(false),
    transformer_layers_per_block: z.literal(1).default(1),
    only_cross_attention: z.literal(false).default(false),
    dual_cross_attention: z.literal(false).default(false),
    resnet_time_scale_shift: z.literal('default').default('default'),
    time_embedding_type: z.literal('positional').default('positional'),
    conv_in_kernel: z.literal(3).default(3),
    conv_out_kernel: z.literal(3).default(3),
    class_embed_type: z.null().optional(),
    addition_embed_type: z.null().optional(),
    encoder_hid_dim_type: z.null().optional(),
  })
  .refine(({ block_out_channels, down_block_types, up_block_types, ...config }) => {
    const lists = [down_block_types, up_block_types, config.attention_head_dim, config.num_attention_heads];
    return lists.every((list) => !Array.isArray(list) || list.length === block_out_channels.length);
  }, 'lists of levels have different lengths');

/** A checkpoint's `config.json`, as diffusers writes it. */
export type UnetConfig = z.output<typeof unetConfig>;

/** The configuration in a parsed `musetalk.json`. @throws MuseTalkError WRONG_FILE */
export const readUnetConfig = (json: unknown): UnetConfig => readConfig(unetConfig, json, 'UNet');

/** MuseTalk's own configuration. */
export const MUSETALK_UNET: UnetConfig = unetConfig.parse({});

/**
 * latents: [B, 8, H, W] (masked first, reference second, both scaled), condition: [B, T, 384] → [B, 4, H, W],
 * scaled latents of the picture. H and W are multiples of 2^(levels − 1).
 *
 * MuseTalk's timestep is always 0: with constant weights all that depends on it folds into constants.
 */
export function unet(
  w: Weights,
  latents: Value,
  condition: Value,
  config: UnetConfig = MUSETALK_UNET,
  { timestep = 0 }: { timestep?: number } = {},
): Value {
  const { norm_num_groups: groups, norm_eps: eps, block_out_channels: widths } = config;
  const temb = timeEmbedding(w.at('time_embedding'), timestep, config);

  let h = conv2d(w.at('conv_in'), latents, { out: widths[0]!, kernel: 3, padding: 1 });
  const skips = [h];
  for (let level = 0; level < widths.length; level++) {
    h = downBlock(w.at('down_blocks', level), h, { skips, level, condition, temb, config });
  }

  h = midBlock(w.at('mid_block'), h, { condition, temb, config });

  for (let i = 0; i < widths.length; i++) {
    h = upBlock(w.at('up_blocks', i), h, { skips, i, condition, temb, config });
  }

  h = silu(groupNorm(w.at('conv_norm_out'), h, { groups, eps }));
  return conv2d(w.at('conv_out'), h, { out: config.out_channels, kernel: 3, padding: 1 });
}

interface BlockContext {
  condition: Value;
  temb: Value;
  config: UnetConfig;
}

/** Pushes what each residual block and the downsampler leave; halves H and W except on the coarsest level. */
function downBlock(
  w: Weights,
  x: Value,
  { skips, level, condition, temb, config }: BlockContext & { skips: Value[]; level: number },
): Value {
  const { norm_num_groups: groups, norm_eps: eps, block_out_channels: widths } = config;
  const out = widths[level]!;
  let h = x;
  for (let j = 0; j < config.layers_per_block; j++) {
    h = resnetBlock2d(w.at('resnets', j), h, { out, groups, eps, temb });
    if (config.down_block_types[level] === 'CrossAttnDownBlock2D') {
      h = transformer2d(w.at('attentions', j), h, condition, { heads: headsOf(config, level), groups });
    }
    skips.push(h);
  }
  if (level < widths.length - 1) {
    h = conv2d(w.at('downsamplers', 0, 'conv'), h, { out, kernel: 3, stride: 2, padding: 1 });
    skips.push(h);
  }
  return h;
}

function midBlock(w: Weights, x: Value, { condition, temb, config }: BlockContext): Value {
  const { norm_num_groups: groups, norm_eps: eps, block_out_channels: widths } = config;
  const out = widths.at(-1)!;
  let h = resnetBlock2d(w.at('resnets', 0), x, { out, groups, eps, temb });
  h = transformer2d(w.at('attentions', 0), h, condition, {
    heads: headsOf(config, widths.length - 1),
    groups,
  });
  return resnetBlock2d(w.at('resnets', 1), h, { out, groups, eps, temb });
}

/** Takes back the skips, last first; `i` counts from the coarsest level. Doubles H and W except at the end. */
function upBlock(
  w: Weights,
  x: Value,
  { skips, i, condition, temb, config }: BlockContext & { skips: Value[]; i: number },
): Value {
  const { norm_num_groups: groups, norm_eps: eps, block_out_channels: widths } = config;
  const level = widths.length - 1 - i;
  const out = widths[level]!;
  let h = x;
  for (let j = 0; j <= config.layers_per_block; j++) {
    h = concat([h, skips.pop()!], 1);
    h = resnetBlock2d(w.at('resnets', j), h, { out, groups, eps, temb });
    if (config.up_block_types[i] === 'CrossAttnUpBlock2D') {
      h = transformer2d(w.at('attentions', j), h, condition, { heads: headsOf(config, level), groups });
    }
  }
  if (level === 0) return h;
  return conv2d(w.at('upsamplers', 0, 'conv'), upsampleNearest(h), { out, kernel: 3, padding: 1 });
}

function headsOf({ attention_head_dim, num_attention_heads }: UnetConfig, level: number): number {
  const heads = num_attention_heads ?? attention_head_dim;
  return typeof heads === 'number' ? heads : heads[level]!;
}

/** [1, 4 × the width of the first level] */
function timeEmbedding(w: Weights, timestep: number, config: UnetConfig): Value {
  const out = 4 * config.block_out_channels[0]!;
  const sinusoid = constant({
    dtype: 'float32',
    shape: [1, config.block_out_channels[0]!],
    data: timestepSinusoid(timestep, config),
  });
  return linear(w.at('linear_2'), silu(linear(w.at('linear_1'), sinusoid, { out })), { out });
}

/**
 * The timestep t as cosines and sines of t · exp(−ln 10000 · k / (n − freq_shift)), k = 0 … n − 1, where n is half
 * the width of the first level; cosines come first where `flip_sin_to_cos` says so.
 *
 * Formula: get_timestep_embedding in diffusers' embeddings.py.
 */
export function timestepSinusoid(
  timestep: number,
  { block_out_channels, flip_sin_to_cos, freq_shift }: UnetConfig,
): Float32Array {
  const half = block_out_channels[0]! / 2;
  const angles = Array.from(
    { length: half },
    (_, k) => timestep * Math.exp((-Math.log(10000) * k) / (half - freq_shift)),
  );
  const [sines, cosines] = [angles.map(Math.sin), angles.map(Math.cos)];
  return Float32Array.from(flip_sin_to_cos ? [...cosines, ...sines] : [...sines, ...cosines]);
}
