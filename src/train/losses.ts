/**
 * What MuseTalk is trained towards, as functions from values to a scalar. Weights of the terms are the caller's.
 * Upstream's names for two of them, "L1" and "L2", are no norms: both are mean absolute errors.
 */
import { stopGradient } from '../nn/gradients.ts';
import {
  abs,
  add,
  clip,
  div,
  log,
  maximum,
  minimum,
  mul,
  neg,
  sqrt,
  square,
  sub,
} from '../nn/ops/arithmetic.ts';
import { meanAll, sum } from '../nn/ops/reduce.ts';
import { slice } from '../nn/ops/shape.ts';
import type { Value } from '../nn/value.ts';
import { fixed } from '../nn/value.ts';

/** mean |a − b| */
export function meanAbsolute(a: Value, b: Value): Value {
  return meanAll(abs(sub(a, b)));
}

/** mean (a − b)² */
export function meanSquare(a: Value, b: Value): Value {
  return meanAll(square(sub(a, b)));
}

/** Rows from H/2 down. [B, C, H, W] → [B, C, H/2, W] */
export function lowerHalf(picture: Value): Value {
  const height = fixed(picture, 2);
  return slice(picture, 2, height / 2, height);
}

/** A prediction and the truth, as latents (scaled) and as pictures in −1 … 1. */
export interface Prediction {
  latents: Value;
  trueLatents: Value;
  picture: Value;
  truePicture: Value;
}

/**
 * Readings of the loss of MuseTalk 1.0: as its code has it, with two absolute errors of which that of the picture
 * looks at the lower half and counts twice; as the article reads, L1 of the latents and L2 of the picture; or
 * the mean square of the latents alone, which the code falls back to.
 */
export const VERSION_10_LOSSES = {
  released: ({ latents, trueLatents, picture, truePicture }: Prediction): Value =>
    add(mul(meanAbsolute(lowerHalf(picture), lowerHalf(truePicture)), 2), meanAbsolute(latents, trueLatents)),
  article: ({ latents, trueLatents, picture, truePicture }: Prediction): Value =>
    add(meanAbsolute(latents, trueLatents), meanSquare(picture, truePicture)),
  latents: ({ latents, trueLatents }: Pick<Prediction, 'latents' | 'trueLatents'>): Value =>
    meanSquare(latents, trueLatents),
} as const;

/** Weights of the terms of 1.5, from its settings. The first stage has the first two. */
export const VERSION_15_WEIGHTS = {
  picture: 1,
  perceptual: 0.01,
  /** From update 1000 on; see {@link GAN_START}. */
  gan: 0.01,
  mouthGan: 0.01,
  /** Of each layer, for face and mouth. Upstream: not scaled by the GAN's weight, and from the first update on. */
  featureMatching: 1,
  sync: 0.05,
} as const;

/** The update at which the discriminators begin to learn and to be heard. */
export const GAN_START = 1000;

/** Least squares: mean (1 − D(drawn))². */
export function generatorLoss(drawn: Value): Value {
  return meanAll(square(sub(1, drawn)));
}

/** Least squares: mean ((1 − D(real))² + D(drawn)²). */
export function discriminatorLoss(real: Value, drawn: Value): Value {
  return meanAll(add(square(sub(1, real)), square(drawn)));
}

/** −mean min(D(real) − 1, 0) − mean min(−D(drawn) − 1, 0). */
export function hingeDiscriminatorLoss(real: Value, drawn: Value): Value {
  return neg(add(meanAll(minimum(sub(real, 1), 0)), meanAll(minimum(sub(neg(drawn), 1), 0))));
}

/** Σ over layers of mean |f(real) − f(drawn)|; no gradient passes to the real side. */
export function featureMatchingLoss(real: readonly Value[], drawn: readonly Value[]): Value {
  return real.map((map, i) => meanAbsolute(stopGradient(map), drawn[i]!)).reduce((a, b) => add(a, b));
}

/** Cosine of the angle between rows: [B, N] and [B, N] → [B, 1]. Lengths count at least as 1e-8. */
function cosineSimilarity(a: Value, b: Value): Value {
  const length = (x: Value) => maximum(sqrt(sum(square(x), [1], { keep: true })), 1e-8);
  return div(sum(mul(a, b), [1], { keep: true }), mul(length(a), length(b)));
}

/**
 * Binary cross-entropy of probabilities p against labels y, element by element, each logarithm at least −100. The
 * gradient is PyTorch's, (p − y) / max(p (1 − p), 1e-12), which stays finite at 0 and 1.
 */
export function binaryCrossEntropy(p: Value, y: Value): Value {
  const bounded = (x: Value) => maximum(log(x), -100);
  const held = stopGradient(p);
  const value = neg(add(mul(y, bounded(held)), mul(sub(1, y), bounded(sub(1, held)))));
  const slope = div(sub(held, y), maximum(mul(held, sub(1, held)), 1e-12));
  // p − held is zero and has the gradient of p.
  return add(stopGradient(value), mul(sub(p, held), stopGradient(slope)));
}

/**
 * How badly sound and mouths fit: the mean of −log of the cosine, limited to 0 … 1. A pair at or beyond a right
 * angle costs 100 and gives no gradient. `labels` [B, 1] are 1 unless given: 0 marks pairs that do not belong
 * together, for training the judge itself.
 *
 * seen, heard: [B, N] of `syncNet`
 */
export function syncLoss(seen: Value, heard: Value, labels: Value): { loss: Value; similarity: Value } {
  const similarity = clip(cosineSimilarity(heard, seen), 0, 1);
  return { loss: meanAll(binaryCrossEntropy(similarity, labels)), similarity };
}
