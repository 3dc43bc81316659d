/**
 * The judge of sync: two encoders of one kind, one that sees the lower halves of 16 frames and one that hears the
 * mel rows of the same time, whose results point the same way when mouth and sound belong together. It is
 * LatentSync's stable SyncNet, which MuseTalk 1.5 uses frozen in its second stage; 243.7 M and 128.1 M parameters.
 *
 * B batch, C channels, H W picture.
 */
import { conv2d, groupNorm } from '../nn/layers.ts';
import { add, div, relu, silu, sqrt, square } from '../nn/ops/arithmetic.ts';
import { sum } from '../nn/ops/reduce.ts';
import { reshape } from '../nn/ops/shape.ts';
import type { Value } from '../nn/value.ts';
import { fixed } from '../nn/value.ts';
import type { Weights } from '../nn/weights.ts';

/** By how much a stage shrinks height and width. */
type Factor = number | readonly [number, number];

/** Sizes of one of SyncNet's encoders, under upstream's names. */
interface SyncEncoderConfig {
  /** Channels of each stage; the first convolution has those of the first. */
  block_out_channels: readonly number[];
  downsample_factors: readonly Factor[];
}

/** Sizes of SyncNet, under upstream's names. */
export interface SyncNetConfig {
  audio_encoder: SyncEncoderConfig;
  visual_encoder: SyncEncoderConfig;
}

/** LatentSync's released network: frames of 128 × 256 pixels, 2048 numbers. */
export const STABLE_SYNCNET: SyncNetConfig = {
  audio_encoder: {
    block_out_channels: [32, 64, 128, 256, 512, 1024, 2048],
    downsample_factors: [[2, 1], 2, 2, 1, 2, 2, [2, 3]],
  },
  visual_encoder: {
    block_out_channels: [64, 128, 256, 256, 512, 1024, 2048, 2048],
    downsample_factors: [[1, 2], 2, 2, 2, 2, 2, 2, 2],
  },
};

/** Frames that the visual encoder sees at once, and mel rows (80 a second) of the same time. */
export const SYNC_FRAMES = 16;

/** Columns of mel that belong to these frames. */
export const SYNC_MEL_ROWS = 52;

/**
 * Unit vectors of what is seen and of what is heard.
 *
 * frames: [B, 48, H, W], the lower halves of 16 frames in −1 … 1, frame by frame, RGB within each;
 * mel: [B, 1, 80, 52] → [B, 2048] each
 */
export function syncNet(
  w: Weights,
  frames: Value,
  mel: Value,
  config: SyncNetConfig = STABLE_SYNCNET,
): { seen: Value; heard: Value } {
  return {
    seen: encoder(w.at('visual_encoder'), frames, config.visual_encoder),
    heard: encoder(w.at('audio_encoder'), mel, config.audio_encoder),
  };
}

const NORM = { groups: 32, eps: 1e-6 };

function encoder(w: Weights, x: Value, { block_out_channels, downsample_factors }: SyncEncoderConfig): Value {
  let h = conv2d(w.at('conv_in'), x, { out: block_out_channels[0]!, kernel: 3, padding: 1 });
  for (const [i, out] of block_out_channels.entries()) {
    const block = w.at('down_blocks', i);
    h = residual(block, h, out);
    const factor = downsample_factors[i]!;
    if (factor !== 1) h = shrink(block.at('downsample_conv'), h, { out, factor });
  }
  h = relu(groupNorm(w.at('norm_out'), h, NORM));
  const size = h.shape.slice(1).reduce<number>((all, _, axis) => all * fixed(h, axis + 1), 1);
  const flat = reshape(h, [h.shape[0]!, size]);
  // The small number keeps the gradient finite where a vector is zero, which ReLU allows.
  return div(flat, sqrt(add(sum(square(flat), [1], { keep: true }), 1e-24)));
}

function residual(w: Weights, x: Value, out: number): Value {
  let h = silu(groupNorm(w.at('norm1'), x, NORM));
  h = conv2d(w.at('conv1'), h, { out, kernel: 3, padding: 1 });
  h = silu(groupNorm(w.at('norm2'), h, NORM));
  h = conv2d(w.at('conv2'), h, { out, kernel: 3, padding: 1 });
  const skip = x.shape[1] === out ? x : conv2d(w.at('conv_shortcut'), x, { out, kernel: 1 });
  return add(h, skip);
}

function shrink(w: Weights, x: Value, { out, factor }: { out: number; factor: Factor }): Value {
  const stride = typeof factor === 'number' ? [factor, factor] : factor;
  // An axis that keeps its size is padded on both sides, one that shrinks only at its end.
  const before = stride.map((step) => (step === 1 ? 1 : 0));
  return conv2d(w, x, { out, kernel: 3, stride, padding: [...before, 1, 1] });
}
