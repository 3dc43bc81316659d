/**
 * TAESD, the tiny autoencoder for Stable Diffusion's latents (madebyollin/taesd): one flat sequence of 3×3
 * convolutions, 64 channels wide, 1.2 million parameters each way. The names of its tensors are the numbers of
 * its layers. Pictures are RGB in 0 … 1, latents are scaled as the UNet sees them.
 *
 * taef2, for other latents, differs by a small global branch (`pool`) in the blocks at the coarsest level.
 */
import { conv2d, groupNorm } from '../nn/layers.ts';
import { add, div, mul, relu, tanh } from '../nn/ops/arithmetic.ts';
import { upsampleNearest } from '../nn/ops/conv.ts';
import type { Value } from '../nn/value.ts';
import { fixed } from '../nn/value.ts';
import type { Weights } from '../nn/weights.ts';

/** Which of the tiny autoencoders is meant. */
export interface TaesdOptions {
  /** Channels of the latents. Default 4. */
  latentChannels?: number;
  /** Whether the blocks at the coarsest level see the whole picture, as in taef2. Default false. */
  pool?: boolean;
}

const WIDTH = 64;

/** picture: [B, 3, H, W] in 0 … 1 → scaled latents [B, 4, H/8, W/8] */
export function taesdEncoder(
  w: Weights,
  picture: Value,
  { latentChannels = 4, pool = false }: TaesdOptions = {},
): Value {
  let layer = 0;
  let h = conv2d(w.at(layer++), picture, { out: WIDTH, kernel: 3, padding: 1 });
  h = block(w.at(layer++), h);
  for (let level = 1; level <= 3; level++) {
    h = conv2d(w.at(layer++), h, { out: WIDTH, kernel: 3, stride: 2, padding: 1, bias: false });
    for (let j = 0; j < 3; j++) h = block(w.at(layer++), h, { pool: pool && level === 3 });
  }
  return conv2d(w.at(layer), h, { out: latentChannels, kernel: 3, padding: 1 });
}

/** latents: [B, 4, h, w], scaled → picture [B, 3, 8 h, 8 w], about 0 … 1 */
export function taesdDecoder(w: Weights, latents: Value, { pool = false }: TaesdOptions = {}): Value {
  let layer = 0;
  let h = mul(tanh(div(latents, 3)), 3);
  layer++;
  h = relu(conv2d(w.at(layer++), h, { out: WIDTH, kernel: 3, padding: 1 }));
  layer++; // the ReLU
  for (let level = 1; level <= 3; level++) {
    for (let j = 0; j < 3; j++) h = block(w.at(layer++), h, { pool: pool && level === 1 });
    h = upsampleNearest(h);
    layer++;
    h = conv2d(w.at(layer++), h, { out: WIDTH, kernel: 3, padding: 1, bias: false });
  }
  h = block(w.at(layer++), h);
  return conv2d(w.at(layer), h, { out: 3, kernel: 3, padding: 1 });
}

/** Three convolutions and a skip, then ReLU. [B, 64, H, W] → [B, 64, H, W] */
function block(w: Weights, x: Value, { pool = false } = {}): Value {
  const input = pool ? globalBranch(w.at('pool'), x) : x;
  const out = fixed(x, 1);
  let h = relu(conv2d(w.at('conv', 0), input, { out, kernel: 3, padding: 1 }));
  h = relu(conv2d(w.at('conv', 2), h, { out, kernel: 3, padding: 1 }));
  h = conv2d(w.at('conv', 4), h, { out, kernel: 3, padding: 1 });
  return relu(add(h, input));
}

/** x + a view of x whose four groups are normalised over the whole picture. */
function globalBranch(w: Weights, x: Value): Value {
  const out = fixed(x, 1);
  const wide = conv2d(w.at(0), x, { out: 4 * out, kernel: 1, bias: false });
  const normed = relu(groupNorm(w.at(1), wide, { groups: 4 }));
  return add(x, conv2d(w.at(3), normed, { out, kernel: 1, bias: false }));
}
