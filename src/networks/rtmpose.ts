/**
 * RTMPose-l for the whole body (DWPose's weights, Jiang et al. 2023, "RTMPose"): a CSPNeXt backbone, and a head
 * that says for each of 133 points in which of 576 columns and 768 rows it lies (SimCC). Names as in
 * `dw-ll_ucoco_384.pth`. What the vectors mean is in `rtmpose-decode.ts`.
 *
 * B batch, C channels, K = 133 points.
 */
import { batchNorm, conv2d, linear } from '../nn/layers.ts';
import { add, div, hardSigmoid, maximum, mul, relu, silu, sqrt, square } from '../nn/ops/arithmetic.ts';
import { matmul, maxPool } from '../nn/ops/conv.ts';
import { mean, sum } from '../nn/ops/reduce.ts';
import { concat, flip, gather, reshape, slice, split, transpose } from '../nn/ops/shape.ts';
import type { Value } from '../nn/value.ts';
import { fixed } from '../nn/value.ts';
import type { Weights } from '../nn/weights.ts';
import { channelsFirst, standardised } from './pictures.ts';
import { FLIP_ORDER, INPUT_HEIGHT, INPUT_WIDTH, POINTS, SPLITS } from './rtmpose-decode.ts';

const MEAN = [123.675, 116.28, 103.53];
const DEVIATION = [58.395, 57.12, 57.375];

/** Width and number of blocks of the four stages. */
const STAGES = [
  { out: 128, blocks: 3 },
  { out: 256, blocks: 6 },
  { out: 512, blocks: 6 },
  { out: 1024, blocks: 3 },
] as const;

/** For each point a vector of columns [B, K, 576] and one of rows [B, K, 768]; the largest entry is the place. */
export interface SimccVectors {
  x: Value;
  y: Value;
}

/**
 * The points in a picture, averaged over the picture and its mirror image, as upstream does.
 *
 * picture: bytes [B, 384, 288, 3], RGB
 */
export function rtmposeWithFlip(w: Weights, picture: Value): SimccVectors {
  const input = rtmposeInput(picture);
  return flipAverage(rtmpose(w, input), rtmpose(w, flip(input, 3)));
}

/** Bytes [B, 384, 288, 3], RGB → [B, 3, 384, 288] with the mean and deviation of ImageNet taken out. */
export function rtmposeInput(picture: Value): Value {
  return standardised(channelsFirst(picture), { mean: MEAN, deviation: DEVIATION });
}

/** The mean of two runs of which the second saw the picture mirrored: left and right change places. */
export function flipAverage(plain: SimccVectors, mirrored: SimccVectors): SimccVectors {
  const [x, y] = [gather(mirrored.x, FLIP_ORDER, 1), gather(mirrored.y, FLIP_ORDER, 1)];
  return { x: mul(add(plain.x, flip(x, 2)), 0.5), y: mul(add(plain.y, y), 0.5) };
}

/** picture: [B, 3, 384, 288] (see {@link rtmposeInput}) */
export function rtmpose(w: Weights, picture: Value): SimccVectors {
  return simccHead(w.at('head'), cspNext(w.at('backbone'), picture));
}

/** [B, 3, H, W] → [B, 1024, H/32, W/32] */
function cspNext(w: Weights, picture: Value): Value {
  let h = convModule(w.at('stem', 0), picture, { out: 32, kernel: 3, stride: 2 });
  h = convModule(w.at('stem', 1), h, { out: 32, kernel: 3 });
  h = convModule(w.at('stem', 2), h, { out: 64, kernel: 3 });
  for (const [i, { out, blocks }] of STAGES.entries()) {
    const stage = w.at(`stage${i + 1}`);
    const last = i === STAGES.length - 1;
    h = convModule(stage.at(0), h, { out, kernel: 3, stride: 2 });
    if (last) h = pyramidPooling(stage.at(1), h);
    h = cspLayer(stage.at(last ? 2 : 1), h, { blocks, identity: !last });
  }
  return h;
}

/** Convolution without bias, batch norm, SiLU; padded so that only the stride changes the size. */
function convModule(
  w: Weights,
  x: Value,
  { out, kernel, stride = 1, groups = 1 }: { out: number; kernel: number; stride?: number; groups?: number },
): Value {
  const padding = (kernel - 1) / 2;
  const h = conv2d(w.at('conv'), x, { out, kernel, stride, padding, groups, bias: false });
  return silu(batchNorm(w.at('bn'), h));
}

/** What the map holds at most within 5, 9 and 13 cells, beside the map itself. [B, C, H, W] → [B, C, H, W] */
function pyramidPooling(w: Weights, x: Value): Value {
  const out = fixed(x, 1);
  const h = convModule(w.at('conv1'), x, { out: out / 2, kernel: 1 });
  const pools = [5, 9, 13].map((kernel) => maxPool(h, { kernel, stride: 1, padding: (kernel - 1) / 2 }));
  return convModule(w.at('conv2'), concat([h, ...pools], 1), { out, kernel: 1 });
}

/** Half of the channels pass through the blocks, half go round them. [B, C, H, W] → [B, C, H, W] */
function cspLayer(w: Weights, x: Value, { blocks, identity }: { blocks: number; identity: boolean }): Value {
  const out = fixed(x, 1);
  let main = convModule(w.at('main_conv'), x, { out: out / 2, kernel: 1 });
  for (let i = 0; i < blocks; i++) {
    const h = cspNextBlock(w.at('blocks', i), main);
    main = identity ? add(h, main) : h;
  }
  const short = convModule(w.at('short_conv'), x, { out: out / 2, kernel: 1 });
  const both = channelAttention(w.at('attention'), concat([main, short], 1));
  return convModule(w.at('final_conv'), both, { out, kernel: 1 });
}

function cspNextBlock(w: Weights, x: Value): Value {
  const out = fixed(x, 1);
  let h = convModule(w.at('conv1'), x, { out, kernel: 3 });
  h = convModule(w.at('conv2', 'depthwise_conv'), h, { out, kernel: 5, groups: out });
  return convModule(w.at('conv2', 'pointwise_conv'), h, { out, kernel: 1 });
}

function channelAttention(w: Weights, x: Value): Value {
  const average = mean(x, [2, 3], { keep: true });
  return mul(x, hardSigmoid(conv2d(w.at('fc'), average, { out: fixed(x, 1), kernel: 1 })));
}

/** [B, 1024, 12, 9] → a token for each point, and from it its vectors. */
function simccHead(w: Weights, features: Value): SimccVectors {
  const width = 256;
  const maps = conv2d(w.at('final_layer'), features, { out: POINTS, kernel: 7, padding: 3 });
  const tokens = reshape(maps, [maps.shape[0]!, POINTS, fixed(maps, 2) * fixed(maps, 3)]); // [B, K, 108]
  let h = linear(w.at('mlp', 1), scaleNorm(w.at('mlp', 0), tokens), { out: width, bias: false });
  h = gatedAttention(w.at('gau'), h); // [B, K, 256]
  return {
    x: linear(w.at('cls_x'), h, { out: INPUT_WIDTH * SPLITS, bias: false }),
    y: linear(w.at('cls_y'), h, { out: INPUT_HEIGHT * SPLITS, bias: false }),
  };
}

/** x / max(‖x‖₂ / √d, 10⁻⁵) · g over the last axis of size d. */
function scaleNorm(w: Weights, x: Value): Value {
  const length = mul(sqrt(sum(square(x), [-1], { keep: true })), fixed(x, -1) ** -0.5);
  return mul(div(x, maximum(length, 1e-5)), w.get('g', [1]));
}

/**
 * Gated attention unit (Hua et al. 2022, "Transformer Quality in Linear Time"): squared ReLU instead of softmax,
 * and a gate on what was gathered. [B, K, 256] → [B, K, 256]
 */
function gatedAttention(w: Weights, x: Value): Value {
  const [width, inner, keys] = [fixed(x, 2), 2 * fixed(x, 2), 128];
  const uv = linear(w.at('uv'), scaleNorm(w.at('ln'), x), { out: 2 * inner + keys, bias: false });
  const [u, v, base] = split(silu(uv), [inner, inner, keys], 2) as [Value, Value, Value];

  const [gamma, beta] = [w.get('gamma', [2, keys]), w.get('beta', [2, keys])];
  const [q, k] = [0, 1].map((i) => add(mul(base, slice(gamma, 0, i, i + 1)), slice(beta, 0, i, i + 1)));
  const scores = mul(matmul(q!, transpose(k!, [0, 2, 1])), keys ** -0.5); // [B, K, K]
  const gathered = mul(u, matmul(square(relu(scores)), v)); // [B, K, 512]

  const out = linear(w.at('o'), gathered, { out: width, bias: false });
  return add(mul(x, w.get('res_scale.scale', [width])), out);
}
