/**
 * AdamW over flat vectors, beside the graph: one pass over memory that stays where it is. As operators of a graph
 * the same update is a dozen passes and two copies of every parameter.
 *
 * Formula: "Decoupled Weight Decay Regularization" (Loshchilov and Hutter, 2019), algorithm 2, with PyTorch's
 * placement of eps: p ← p (1 − lr · decay) − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + eps).
 */
import type { AdamFactors, AdamKernel, AdamState } from './adam-kernel.ts';

/** How AdamW steps. */
export interface AdamOptions {
  /** Decay of the mean gradient and of the mean square. Default 0.9 and 0.999. */
  betas?: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps?: number;
  /** Decoupled decay of every tensor, norms and biases too. Default 0.01. */
  weightDecay?: number;
  /** Gradients whose norm over all tensors is larger are shortened to it. Not clipped when left out. */
  clipNorm?: number | undefined;
  /**
   * Decay of an average of the parameters over time, which ramps up as (t + 1) / (t + 10). No average is kept when
   * left out.
   */
  ema?: number | undefined;
}

/** The L2 norm, summed in double precision. */
function normOf(vector: Float32Array): number {
  // Four sums at once: one alone would wait for itself at every element.
  let [a, b, c, d] = [0, 0, 0, 0];
  const even = vector.length - (vector.length % 4);
  for (let i = 0; i < even; i += 4) {
    a += vector[i]! * vector[i]!;
    b += vector[i + 1]! * vector[i + 1]!;
    c += vector[i + 2]! * vector[i + 2]!;
    d += vector[i + 3]! * vector[i + 3]!;
  }
  for (let i = even; i < vector.length; i++) a += vector[i]! * vector[i]!;
  return Math.sqrt(a + b + c + d);
}

/**
 * Changes the state by one step along a gradient and gives the gradient's norm before clipping. `step` counts
 * from 1. A gradient that is not finite changes nothing.
 *
 * @param kernel the loops; those of a memory that holds these very vectors are three times as fast as plain ones.
 */
export function adamStep(
  { parameters, first, second, average }: AdamState,
  gradient: Float32Array,
  { step, learningRate, scale = 1 }: { step: number; learningRate: number; scale?: number },
  { betas: [beta1, beta2] = [0.9, 0.999], eps = 1e-8, weightDecay = 0.01, clipNorm, ema = 0 }: AdamOptions,
  kernel: AdamKernel = plainKernel({ parameters, first, second, average }, gradient),
): number {
  const length = kernel.norm() * scale;
  if (!Number.isFinite(length)) return length;
  // The small number is PyTorch's clip_grad_norm_.
  const factor = scale * (clipNorm === undefined ? 1 : Math.min(1, clipNorm / (length + 1e-6)));
  kernel.step({
    ...{ factor, beta1, beta2, eps },
    rate: learningRate / (1 - beta1 ** step),
    spread: 1 / Math.sqrt(1 - beta2 ** step),
    kept: 1 - learningRate * weightDecay,
    decay: average ? Math.min(ema, (step + 1) / (step + 10)) : 0,
  });
  return length;
}

/** The loops as they are read most easily, for vectors of any length and place. */
function plainKernel(state: AdamState, gradient: Float32Array): AdamKernel {
  return { norm: () => normOf(gradient), step: (factors) => plainStep(state, gradient, factors) };
}

function plainStep(
  { parameters, first, second, average }: AdamState,
  gradient: Float32Array,
  { factor, beta1, beta2, rate, spread, eps, kept, decay }: AdamFactors,
): void {
  for (let i = 0; i < parameters.length; i++) {
    const g = gradient[i]! * factor;
    const m = beta1 * first[i]! + (1 - beta1) * g;
    const v = beta2 * second[i]! + (1 - beta2) * g * g;
    first[i] = m;
    second[i] = v;
    parameters[i] = parameters[i]! * kept - (rate * m) / (Math.sqrt(v) * spread + eps);
  }
  if (average) follow(average, parameters, decay);
}

function follow(average: Float32Array, parameters: Float32Array, decay: number): void {
  for (let i = 0; i < average.length; i++) {
    average[i] = parameters[i]! + decay * (average[i]! - parameters[i]!);
  }
}
