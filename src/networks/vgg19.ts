/**
 * VGG19 (Simonyan and Zisserman, 2014) up to its thirteenth convolution, as a judge of how alike two pictures look.
 * The weights are torchvision's, trained on ImageNet; 12.9 M parameters up to relu5_1. Names: `features.N.weight`.
 *
 * B batch, H W picture.
 */
import { conv2d } from '../nn/layers.ts';
import { relu } from '../nn/ops/arithmetic.ts';
import { maxPool } from '../nn/ops/conv.ts';
import type { Value } from '../nn/value.ts';
import type { Weights } from '../nn/weights.ts';

/** Channels of the convolutions of each level; between levels the picture is halved. */
const LEVELS: readonly (readonly number[])[] = [
  [64, 64],
  [128, 128],
  [256, 256, 256, 256],
  [512, 512, 512, 512],
  [512],
];

/**
 * What the first layer of each level sees: relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1.
 *
 * picture: [B, 3, H, W], less the mean of ImageNet and divided by its deviation. `thin` divides all widths, for tests.
 */
export function vgg19Features(w: Weights, picture: Value, { thin = 1 }: { thin?: number } = {}): Value[] {
  const taps: Value[] = [];
  let h = picture;
  let layer = 0;
  for (const [level, channels] of LEVELS.entries()) {
    if (level > 0) {
      h = maxPool(h, { kernel: 2 });
      layer++;
    }
    for (const [i, out] of channels.entries()) {
      h = relu(conv2d(w.at('features', layer), h, { out: out / thin, kernel: 3, padding: 1 }));
      layer += 2; // the convolution and its ReLU
      if (i === 0) taps.push(h);
    }
  }
  return taps;
}
