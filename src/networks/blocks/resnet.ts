import { conv2d, groupNorm, linear } from '../../nn/layers.ts';
import { add, silu } from '../../nn/ops/arithmetic.ts';
import { unsqueeze } from '../../nn/ops/shape.ts';
import type { Value } from '../../nn/value.ts';
import type { Weights } from '../../nn/weights.ts';

/** What tells one block from another. */
export interface ResnetBlockOptions {
  /** Channels of the result. */
  out: number;
  /** Groups of both group norms. */
  groups: number;
  /** 1e-5 in the UNet, 1e-6 in the autoencoder. */
  eps: number;
  /** Time embedding [1 or B, any], added between the convolutions; the autoencoder has none. */
  temb?: Value;
}

/**
 * ResnetBlock2D of diffusers: two 3×3 convolutions and a skip, the time embedding added between.
 *
 * x: [B, C, H, W] → [B, out, H, W]
 */
export function resnetBlock2d(w: Weights, x: Value, { out, groups, eps, temb }: ResnetBlockOptions): Value {
  let h = silu(groupNorm(w.at('norm1'), x, { groups, eps }));
  h = conv2d(w.at('conv1'), h, { out, kernel: 3, padding: 1 }); // [B, out, H, W]

  if (temb) {
    const shift = linear(w.at('time_emb_proj'), silu(temb), { out }); // [1, out]
    h = add(h, unsqueeze(shift, [2, 3]));
  }

  h = silu(groupNorm(w.at('norm2'), h, { groups, eps }));
  h = conv2d(w.at('conv2'), h, { out, kernel: 3, padding: 1 });

  // A checkpoint holds `conv_shortcut` only where the number of channels changes.
  const skip = x.shape[1] === out ? x : conv2d(w.at('conv_shortcut'), x, { out, kernel: 1 });
  return add(skip, h);
}
