/**
 * The picture network of mini: draws the lower half of a face from its upper half, a reference picture of the
 * same person and a lip code.
 *
 * A UNet in MuseTalk's spirit, at one step and without an autoencoder: 128 × 128 pixels are folded 4 × 4 into
 * channels (a lossless stand-in for latents), and only the lower half is decoded. 4.1 M parameters, 1.6 GFLOP.
 *
 * Legend: B batch, C channels, H W picture, T tokens.
 */
import { conv2d, groupNorm, layerNorm, linear } from '../nn/layers.ts';
import { add, mul, sigmoid, silu } from '../nn/ops/arithmetic.ts';
import { conv, matmul, upsampleNearest } from '../nn/ops/conv.ts';
import { softmax } from '../nn/ops/reduce.ts';
import {
  concat,
  pad,
  pixelShuffle,
  pixelUnshuffle,
  reshape,
  slice,
  split,
  transpose,
  unsqueeze,
} from '../nn/ops/shape.ts';
import type { Value } from '../nn/value.ts';
import { constant, fixed } from '../nn/value.ts';
import type { Weights } from '../nn/weights.ts';
import { bytesOfSigned, signedPicture, unitPicture } from './pictures.ts';

/** Side of the square face that mini draws, in pixels. */
export const MINI_SIZE = 128;
/** Pixels folded into channels along each axis. */
const MINI_FOLD = 4;
/** Numbers of a lip code. */
export const MINI_CODE = 8;

/** Sizes of the network that draws. */
export interface MiniFaceConfig {
  /** Channels at 32, 16 and 8 positions a side. */
  channels: readonly [number, number, number];
  /** Width of the embedded code and of its tokens. */
  embedding: number;
  groups: number;
  heads: number;
}

/** The sizes that ship. */
const MINI_FACE: MiniFaceConfig = { channels: [64, 128, 192], embedding: 128, groups: 16, heads: 4 };

/** Rows above the middle that the last level sees so that its borders are right; dropped at the end. */
const HALO = 2;

/**
 * The lower half of the face, in −1 … 1 (not clamped).
 *
 * latents: [B, 96, 32, 32] (masked face and reference, each folded; see `foldMini`), code: [B, 8],
 * reference: [B, 3, 64, 128] (the reference's lower half) → [B, 3, 64, 128]
 */
export function miniFace(
  w: Weights,
  latents: Value,
  code: Value,
  reference: Value,
  config: MiniFaceConfig = MINI_FACE,
): Value {
  const [c0, c1, c2] = config.channels;
  const e = embedCode(w.at('code'), code, config);

  const h0 = block(
    w.at('down', 0),
    conv2d(w.at('conv_in'), latents, { out: c0, kernel: 3, padding: 1 }),
    e,
    c0,
  );
  let h = conv2d(w.at('shrink', 0), h0, { out: c1, kernel: 3, stride: 2, padding: 1 }); // [B, c1, 16, 16]
  const h1 = attend(w.at('down_attention'), block(w.at('down', 1), h, e, c1), e);
  h = conv2d(w.at('shrink', 1), h1, { out: c2, kernel: 3, stride: 2, padding: 1 }); // [B, c2, 8, 8]

  h = block(w.at('middle', 0), h, e, c2);
  h = attend(w.at('middle_self'), h);
  h = attend(w.at('middle_attention'), h, e);
  h = block(w.at('middle', 1), h, e, c2);

  h = conv2d(w.at('grow', 0), upsampleNearest(h), { out: c1, kernel: 3, padding: 1 }); // [B, c1, 16, 16]
  h = block(w.at('up', 0), concat([h, h1], 1), e, c1);
  h = attend(w.at('up_attention'), h, e);
  h = block(w.at('up', 1), h, e, c1);

  const rows = fixed(h0, 2);
  const lower = (x: Value) => slice(x, 2, rows / 2 - HALO, rows);
  h = conv2d(w.at('grow', 1), lower(upsampleNearest(h)), { out: c0, kernel: 3, padding: 1 }); // [B, c0, 18, 32]
  h = block(w.at('up', 2), concat([h, lower(h0)], 1), e, c0);
  h = block(w.at('up', 3), h, e, c0);
  h = silu(groupNorm(w.at('norm_out'), h, { groups: config.groups }));
  h = conv2d(w.at('conv_out'), h, { out: 4 * MINI_FOLD ** 2, kernel: 3, padding: 1 });

  const [picture, gate] = split(slice(h, 2, HALO, rows / 2 + HALO), [3 * MINI_FOLD ** 2, MINI_FOLD ** 2], 1);
  // The bias of one opens the gate at the start, so training begins with a copy of the reference.
  const kept = mul(sigmoid(add(pixelShuffle(gate!, MINI_FOLD), 1)), reference);
  return add(kept, pixelShuffle(picture!, MINI_FOLD));

  function block(at: Weights, x: Value, condition: Condition, out: number): Value {
    return residual(at, x, condition, { out, groups: config.groups });
  }

  function attend(at: Weights, x: Value, condition?: Condition): Value {
    return attention(at, x, condition?.tokens, config);
  }
}

/**
 * What the network sees of a face: the upper half with nothing below it and the whole reference, folded.
 *
 * upper: [B, 3, 64, 128], reference: [B, 3, 128, 128], in −1 … 1 → [B, 96, 32, 32]
 */
export function foldMini(upper: Value, reference: Value): Value {
  const masked = pad(upper, [0, 0, 0, 0], [0, 0, MINI_SIZE / 2, 0]);
  return concat([pixelUnshuffle(masked, MINI_FOLD), pixelUnshuffle(reference, MINI_FOLD)], 1);
}

/** What is drawn from: bytes of crops and references, RGB [B, 128, 128, 3], and lip codes [B, 8]. */
export interface MiniInputs {
  readonly crops: Value;
  readonly references: Value;
  readonly codes: Value;
  /** How much of what a small blur takes away is added once more, 0 … 1: a scalar; nothing where left out. */
  readonly sharpen?: Value;
}

/** Whole faces as bytes, RGB [B, 128, 128, 3]: the crop's own upper half over the lower half that is drawn. */
export function drawMini(w: Weights, { crops, references, codes, sharpen }: MiniInputs): Value {
  const half = MINI_SIZE / 2;
  const upper = slice(crops, 1, 0, half);
  const reference = signedPicture(unitPicture(references));
  const lower = miniFace(
    w,
    foldMini(signedPicture(unitPicture(upper)), reference),
    codes,
    slice(reference, 2, half, MINI_SIZE),
  );
  return concat([upper, bytesOfSigned(sharpen ? sharpened(lower, sharpen) : lower)], 1);
}

/** x + amount · (x − blur(x)), the blur 1 2 1 along both axes, borders repeated. */
function sharpened(x: Value, amount: Value): Value {
  const channels = fixed(x, 1);
  const detail = [1, 2, 1].flatMap((row) => [1, 2, 1].map((column) => (-row * column) / 16));
  detail[4]! += 1;
  const kernel = constant({
    dtype: 'float32',
    shape: [channels, 1, 3, 3],
    data: Float32Array.from({ length: channels * 9 }, (_, i) => detail[i % 9]!),
  });
  const round = [0, 0, 1, 1];
  const fine = conv(pad(x, round, round, { mode: 'edge' }), kernel, undefined, { groups: channels });
  return add(x, mul(fine, amount));
}

/** The code as the residual blocks take it, and as tokens for the cross-attention. */
interface Condition {
  /** [B, embedding] */
  readonly vector: Value;
  /** [B, 4, embedding] */
  readonly tokens: Value;
}

const TOKENS = 4;

function embedCode(w: Weights, code: Value, { embedding }: MiniFaceConfig): Condition {
  const e = linear(w.at(2), silu(linear(w.at(0), code, { out: embedding })), { out: embedding });
  const vector = silu(e);
  const tokens = linear(w.at('tokens'), vector, { out: TOKENS * embedding });
  return { vector, tokens: reshape(tokens, [code.shape[0]!, TOKENS, embedding]) };
}

/** A residual block whose second norm is scaled and shifted by the condition. */
function residual(
  w: Weights,
  x: Value,
  { vector }: Condition,
  { out, groups }: { out: number; groups: number },
): Value {
  let h = silu(groupNorm(w.at('norm1'), x, { groups }));
  h = conv2d(w.at('conv1'), h, { out, kernel: 3, padding: 1 });
  const [scale, shift] = split(linear(w.at('condition'), vector, { out: 2 * out }), [out, out], 1);
  h = groupNorm(w.at('norm2'), h, { groups });
  h = add(mul(h, add(unsqueeze(scale!, [2, 3]), 1)), unsqueeze(shift!, [2, 3]));
  h = conv2d(w.at('conv2'), silu(h), { out, kernel: 3, padding: 1 });
  const skip = x.shape[1] === out ? x : conv2d(w.at('conv_shortcut'), x, { out, kernel: 1 });
  return add(skip, h);
}

/** Attention of the positions over each other, or over the tokens of the condition. x: [B, C, H, W] → the same */
function attention(w: Weights, x: Value, tokens: Value | undefined, config: MiniFaceConfig): Value {
  const [batch, c, height, width] = [x.shape[0]!, fixed(x, 1), fixed(x, 2), fixed(x, 3)];
  const positions = transpose(reshape(x, [batch, c, height * width]), [0, 2, 1]); // [B, HW, C]
  const y = layerNorm(w.at('norm'), positions);
  const from = tokens ?? y;
  const heads = (value: Value, order: readonly number[]) =>
    transpose(reshape(value, [batch, fixed(value, 1), config.heads, c / config.heads]), order);
  const q = heads(linear(w.at('to_q'), y, { out: c, bias: false }), [0, 2, 1, 3]); // [B, heads, HW, d]
  const k = heads(linear(w.at('to_k'), from, { out: c, bias: false }), [0, 2, 3, 1]); // [B, heads, d, T]
  const v = heads(linear(w.at('to_v'), from, { out: c, bias: false }), [0, 2, 1, 3]); // [B, heads, T, d]
  const scores = softmax(mul(matmul(q, k), 1 / Math.sqrt(c / config.heads)));
  const joined = reshape(transpose(matmul(scores, v), [0, 2, 1, 3]), [batch, height * width, c]);
  const out = linear(w.at('to_out'), joined, { out: c });
  return add(x, reshape(transpose(out, [0, 2, 1]), [batch, c, height, width]));
}
