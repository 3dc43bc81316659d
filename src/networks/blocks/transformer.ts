import { conv2d, groupNorm, layerNorm, linear } from '../../nn/layers.ts';
import { add, gelu, mul } from '../../nn/ops/arithmetic.ts';
import { reshape, split, transpose } from '../../nn/ops/shape.ts';
import type { Value } from '../../nn/value.ts';
import { fixed } from '../../nn/value.ts';
import type { Weights } from '../../nn/weights.ts';
import { attention } from './attention.ts';

/** The eps of the group norm at the entrance, whatever the network's `norm_eps` says. */
const ENTRANCE_EPS = 1e-6;

/**
 * Transformer2DModel of diffusers with one block: pixels attend to each other, then to the condition.
 *
 * x: [B, C, H, W], condition: [B, T, any] → [B, C, H, W]
 */
export function transformer2d(
  w: Weights,
  x: Value,
  condition: Value,
  { heads, groups }: { heads: number; groups: number },
): Value {
  const [batch, channels, height, width] = [x.shape[0]!, fixed(x, 1), fixed(x, 2), fixed(x, 3)];

  let h = groupNorm(w.at('norm'), x, { groups, eps: ENTRANCE_EPS });
  h = conv2d(w.at('proj_in'), h, { out: channels, kernel: 1 });
  h = transpose(reshape(h, [batch, channels, height * width]), [0, 2, 1]); // [B, HW, C]

  h = transformerBlock(w.at('transformer_blocks', 0), h, condition, { heads });

  h = reshape(transpose(h, [0, 2, 1]), [batch, channels, height, width]);
  return add(conv2d(w.at('proj_out'), h, { out: channels, kernel: 1 }), x);
}

/** x: [B, N, C], condition: [B, T, any], which is not normalised → [B, N, C] */
function transformerBlock(w: Weights, x: Value, condition: Value, { heads }: { heads: number }): Value {
  const own = layerNorm(w.at('norm1'), x);
  let h = add(attention(w.at('attn1'), own, own, { heads }), x);
  h = add(attention(w.at('attn2'), layerNorm(w.at('norm2'), h), condition, { heads }), h);
  return add(geglu(w.at('ff', 'net'), layerNorm(w.at('norm3'), h)), h);
}

/** C → 8 C, of which the first half is the value and the second its gate, → C. */
function geglu(w: Weights, x: Value): Value {
  const channels = fixed(x, 2);
  const both = linear(w.at(0, 'proj'), x, { out: 8 * channels });
  const [value, gate] = split(both, [4 * channels, 4 * channels], 2);
  return linear(w.at(2), mul(value!, gelu(gate!)), { out: channels });
}
