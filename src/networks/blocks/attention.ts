import { linear } from '../../nn/layers.ts';
import { mul } from '../../nn/ops/arithmetic.ts';
import { matmul } from '../../nn/ops/conv.ts';
import { softmax } from '../../nn/ops/reduce.ts';
import { reshape, transpose } from '../../nn/ops/shape.ts';
import type { Value } from '../../nn/value.ts';
import { fixed } from '../../nn/value.ts';
import type { Weights } from '../../nn/weights.ts';

/**
 * softmax(q kᵀ / √d) v for each head; head h owns the channels h·d … h·d + d − 1.
 *
 * q: [B, N, C], k and v: [B, M, C] → [B, N, C]
 */
export function multiHeadAttention(q: Value, k: Value, v: Value, { heads }: { heads: number }): Value {
  const [rows, channels] = [fixed(q, 1), fixed(q, 2)];
  const width = channels / heads;
  const split = (x: Value) => reshape(x, [x.shape[0]!, fixed(x, 1), heads, width]);
  // Scaling the queries touches far fewer numbers than scaling the scores.
  const queries = transpose(split(mul(q, 1 / Math.sqrt(width))), [0, 2, 1, 3]); // [B, heads, N, d]
  const keys = transpose(split(k), [0, 2, 3, 1]); // [B, heads, d, M]
  const values = transpose(split(v), [0, 2, 1, 3]); // [B, heads, M, d]
  const mixed = matmul(softmax(matmul(queries, keys)), values); // [B, heads, N, d]
  return reshape(transpose(mixed, [0, 2, 1, 3]), [q.shape[0]!, rows, channels]);
}

/**
 * Attention of diffusers: x looks at `context` (at itself for self-attention). Queries, keys and values have no
 * bias unless `bias` says so; the projection at the end always has one.
 *
 * x: [B, N, C], context: [B, M, any] → [B, N, C]
 */
export function attention(
  w: Weights,
  x: Value,
  context: Value,
  { heads, bias = false }: { heads: number; bias?: boolean },
): Value {
  const out = fixed(x, 2);
  const q = linear(w.at('to_q'), x, { out, bias });
  const k = linear(w.at('to_k'), context, { out, bias });
  const v = linear(w.at('to_v'), context, { out, bias });
  return linear(w.at('to_out', 0), multiHeadAttention(q, k, v, { heads }), { out });
}
