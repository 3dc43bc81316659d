/**
 * BiSeNet for face parsing (Yu et al. 2018; zllrunning/face-parsing.PyTorch): a ResNet-18 and a context path say
 * for each pixel of a face to which of 19 parts it belongs. Names as in `79999_iter.pth`; its heads for training
 * (`conv_out16`, `conv_out32`) are not needed.
 */
import { batchNorm, conv2d } from '../nn/layers.ts';
import { add, cast, mul, relu, sigmoid } from '../nn/ops/arithmetic.ts';
import { maxPool, resizeBilinear, upsampleNearest } from '../nn/ops/conv.ts';
import { argMax, mean } from '../nn/ops/reduce.ts';
import { concat } from '../nn/ops/shape.ts';
import type { Value } from '../nn/value.ts';
import { fixed } from '../nn/value.ts';
import type { Weights } from '../nn/weights.ts';
import { standardised, unitPicture } from './pictures.ts';

/** Width and height of the picture that the network sees. */
export const PARSING_SIZE = 512;

/** What the numbers of the classes mean, in their order. */
const FACE_PARTS = [
  'background',
  'skin',
  'left brow',
  'right brow',
  'left eye',
  'right eye',
  'glasses',
  'left ear',
  'right ear',
  'ear ring',
  'nose',
  'mouth',
  'upper lip',
  'lower lip',
  'neck',
  'necklace',
  'cloth',
  'hair',
  'hat',
] as const;

const MEAN = [0.485, 0.456, 0.406];
const DEVIATION = [0.229, 0.224, 0.225];

/** picture: bytes [B, 512, 512, 3], RGB → the class of each pixel, bytes [B, 512, 512] */
export function faceClasses(w: Weights, picture: Value): Value {
  const logits = bisenet(w, bisenetInput(picture));
  const enlarged = resizeBilinear(logits, fixed(picture, 1), fixed(picture, 2), { alignCorners: true });
  return cast(argMax(enlarged, 1), 'uint8');
}

/** Bytes [B, H, W, 3], RGB → [B, 3, H, W] with the mean and deviation of ImageNet taken out. */
export function bisenetInput(picture: Value): Value {
  return standardised(unitPicture(picture), { mean: MEAN, deviation: DEVIATION });
}

/** picture: [B, 3, H, W] (see {@link bisenetInput}), multiples of 32 → logits [B, 19, H/8, W/8] */
export function bisenet(w: Weights, picture: Value): Value {
  const { feat8, context } = contextPath(w.at('cp'), picture);
  const fused = featureFusion(w.at('ffm'), feat8, context);
  const h = convBnRelu(w.at('conv_out', 'conv'), fused, { out: 256, kernel: 3 });
  return conv2d(w.at('conv_out', 'conv_out'), h, { out: FACE_PARTS.length, kernel: 1, bias: false });
}

/** The detail at an eighth of the size, and the context brought up to that size. */
function contextPath(w: Weights, picture: Value): { feat8: Value; context: Value } {
  const { feat8, feat16, feat32 } = resnet18(w.at('resnet'), picture);
  const average = convBnRelu(w.at('conv_avg'), mean(feat32, [2, 3], { keep: true }), { out: 128, kernel: 1 });

  let h = add(attentionRefinement(w.at('arm32'), feat32), average);
  h = convBnRelu(w.at('conv_head32'), upsampleNearest(h), { out: 128, kernel: 3 }); // [B, 128, H/16, W/16]

  h = add(attentionRefinement(w.at('arm16'), feat16), h);
  h = convBnRelu(w.at('conv_head16'), upsampleNearest(h), { out: 128, kernel: 3 }); // [B, 128, H/8, W/8]
  return { feat8, context: h };
}

function resnet18(w: Weights, picture: Value): Record<'feat8' | 'feat16' | 'feat32', Value> {
  let h = conv2d(w.at('conv1'), picture, { out: 64, kernel: 7, stride: 2, padding: 3, bias: false });
  h = maxPool(relu(batchNorm(w.at('bn1'), h)), { kernel: 3, stride: 2, padding: 1 });
  h = stage(w.at('layer1'), h, { out: 64, stride: 1 });
  const feat8 = stage(w.at('layer2'), h, { out: 128, stride: 2 });
  const feat16 = stage(w.at('layer3'), feat8, { out: 256, stride: 2 });
  const feat32 = stage(w.at('layer4'), feat16, { out: 512, stride: 2 });
  return { feat8, feat16, feat32 };
}

function stage(w: Weights, x: Value, { out, stride }: { out: number; stride: number }): Value {
  return basicBlock(w.at(1), basicBlock(w.at(0), x, { out, stride }), { out, stride: 1 });
}

function basicBlock(w: Weights, x: Value, { out, stride }: { out: number; stride: number }): Value {
  let h = conv2d(w.at('conv1'), x, { out, kernel: 3, stride, padding: 1, bias: false });
  h = relu(batchNorm(w.at('bn1'), h));
  h = batchNorm(w.at('bn2'), conv2d(w.at('conv2'), h, { out, kernel: 3, padding: 1, bias: false }));
  const same = stride === 1 && fixed(x, 1) === out;
  return relu(add(same ? x : shortcut(w.at('downsample'), x, { out, stride }), h));
}

function shortcut(w: Weights, x: Value, { out, stride }: { out: number; stride: number }): Value {
  return batchNorm(w.at(1), conv2d(w.at(0), x, { out, kernel: 1, stride, bias: false }));
}

/** Convolution without bias, batch norm, ReLU; the size stays. */
function convBnRelu(w: Weights, x: Value, { out, kernel }: { out: number; kernel: number }): Value {
  const h = conv2d(w.at('conv'), x, { out, kernel, padding: (kernel - 1) / 2, bias: false });
  return relu(batchNorm(w.at('bn'), h));
}

/** Weighs each channel by what the whole picture says. [B, C, H, W] → [B, 128, H, W] */
function attentionRefinement(w: Weights, x: Value): Value {
  const out = 128;
  const h = convBnRelu(w.at('conv'), x, { out, kernel: 3 });
  const average = mean(h, [2, 3], { keep: true });
  const weight = conv2d(w.at('conv_atten'), average, { out, kernel: 1, bias: false });
  return mul(h, sigmoid(batchNorm(w.at('bn_atten'), weight)));
}

/** Detail and context in one map, channels weighed by the whole picture. Both [B, 128, H, W] → [B, 256, H, W] */
function featureFusion(w: Weights, detail: Value, context: Value): Value {
  const h = convBnRelu(w.at('convblk'), concat([detail, context], 1), { out: 256, kernel: 1 });
  let weight = mean(h, [2, 3], { keep: true });
  weight = relu(conv2d(w.at('conv1'), weight, { out: 64, kernel: 1, bias: false }));
  weight = sigmoid(conv2d(w.at('conv2'), weight, { out: 256, kernel: 1, bias: false }));
  return add(mul(h, weight), h);
}
