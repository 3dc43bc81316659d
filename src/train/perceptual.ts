/** The perceptual loss of MuseTalk 1.5: pictures compared by what VGG19 sees of them at four sizes. */

import { vgg19Features } from '../networks/vgg19.ts';
import { stopGradient } from '../nn/gradients.ts';
import { add, div, sub } from '../nn/ops/arithmetic.ts';
import { conv, resizeBilinear } from '../nn/ops/conv.ts';
import type { Value } from '../nn/value.ts';
import { constant, fixed } from '../nn/value.ts';
import type { Weights } from '../nn/weights.ts';
import { meanAbsolute } from './losses.ts';

/** Side of the pictures that VGG19 was trained on. */
const PERCEPTUAL_SIZE = 224;

/** How pictures are compared by VGG19. */
export interface PerceptualOptions {
  /** Side to which pictures are brought first. */
  size?: number;
  /** Sizes at which they are compared. */
  scales?: readonly number[];
  /** Divides the widths of VGG19, for tests. */
  thin?: number;
}

/**
 * Σ over scales and layers of mean |φ(drawn) − φ(real)|, divided by the number of layers.
 *
 * drawn, real: [B, 3, H, W] in −1 … 1; no gradient passes to the real side. `terms` are scale by scale.
 */
export function perceptualLoss(
  w: Weights,
  drawn: Value,
  real: Value,
  { size = PERCEPTUAL_SIZE, scales = [1, 0.5, 0.25, 0.125], thin = 1 }: PerceptualOptions = {},
): { loss: Value; terms: Value[] } {
  const [mine, theirs] = [drawn, real].map((picture) => resizeBilinear(picture, size, size)) as [
    Value,
    Value,
  ];
  const look = (picture: Value) => vgg19Features(w, standardised(picture), { thin });
  const layers = scales.map((scale) => {
    const seen = look(shrunk(mine, scale));
    const wanted = look(stopGradient(shrunk(theirs, scale)));
    return seen.map((map, i) => meanAbsolute(map, wanted[i]!));
  });
  const terms = layers.flat();
  return {
    loss: div(
      terms.reduce((a, b) => add(a, b)),
      layers[0]!.length,
    ),
    terms,
  };
}

/** Upstream: pictures in −1 … 1 are taken as if they were in 0 … 1. */
function standardised(picture: Value): Value {
  const channels = (numbers: readonly number[]) =>
    constant({ dtype: 'float32', shape: [1, 3, 1, 1], data: Float32Array.from(numbers) });
  return div(sub(picture, channels([0.485, 0.456, 0.406])), channels([0.229, 0.224, 0.225]));
}

/**
 * A picture at a fraction of its size: blurred by a Gaussian, then every (1 / scale)-th pixel. Zeros lie round it.
 *
 * Formula: AntiAliasInterpolation2d of the first-order motion model (Siarohin et al., 2019).
 */
export function shrunk(picture: Value, scale: number): Value {
  if (scale === 1) return picture;
  const channels = fixed(picture, 1);
  const { size, weights } = blurKernel(scale);
  const data = new Float32Array(channels * size * size);
  for (let c = 0; c < channels; c++) data.set(weights, c * size * size);
  const kernel = constant({ dtype: 'float32', shape: [channels, 1, size, size], data });
  return conv(picture, kernel, undefined, {
    groups: channels,
    padding: Math.floor(size / 2),
    stride: Math.round(1 / scale),
  });
}

/** The Gaussian of σ = (1 / scale − 1) / 2 over 2 · round(4 σ) + 1 pixels a side, of sum 1. */
export function blurKernel(scale: number): { size: number; weights: Float32Array } {
  const sigma = (1 / scale - 1) / 2;
  const reach = roundHalfEven(4 * sigma);
  const size = 2 * reach + 1;
  const bell = Float64Array.from({ length: size }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * sigma ** 2)),
  );
  const total = bell.reduce((a, b) => a + b) ** 2;
  const weights = Float32Array.from({ length: size * size }, (_, i) => {
    return (bell[i % size]! * bell[Math.floor(i / size)]!) / total;
  });
  return { size, weights };
}

function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  if (x - down === 0.5) return down % 2 === 0 ? down : down + 1;
  return Math.round(x);
}
