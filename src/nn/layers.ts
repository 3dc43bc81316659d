/**
 * Layers with weights. Each takes its scope of the checkpoint first and reads `weight` and `bias` there. Where a
 * fused or rewritten form is faster for inference, this file alone makes that choice.
 */
import { add, mul } from './ops/arithmetic.ts';
import type { ConvOptions } from './ops/conv.ts';
import { conv, dense } from './ops/conv.ts';
import { instanceNormalization, layerNormalization } from './ops/reduce.ts';
import { reshape } from './ops/shape.ts';
import type { Value } from './value.ts';
import { apply, constant, fixed, float, shapeError } from './value.ts';
import type { Weights } from './weights.ts';

/** Sizes of a convolution. */
export interface ConvLayerOptions extends ConvOptions {
  out: number;
  kernel: number | readonly [number, number];
  /** Default true. */
  bias?: boolean;
}

/** A convolution over pictures; weight [out, C / groups, k, k], bias [out]. x: [B, C, H, W] → [B, out, H', W'] */
export function conv2d(
  w: Weights,
  x: Value,
  { out, kernel, bias = true, ...options }: ConvLayerOptions,
): Value {
  const size = typeof kernel === 'number' ? [kernel, kernel] : kernel;
  const weight = w.get('weight', [out, fixed(x, 1) / (options.groups ?? 1), ...size]);
  return conv(x, weight, bias ? w.get('bias', [out]) : undefined, options);
}

/** A convolution over time; weight [out, C, k], bias [out]. x: [B, C, T] → [B, out, T'] */
export function conv1d(
  w: Weights,
  x: Value,
  { out, kernel, bias = true, ...options }: ConvLayerOptions & { kernel: number },
): Value {
  const weight = w.get('weight', [out, fixed(x, 1) / (options.groups ?? 1), kernel]);
  return conv(x, weight, bias ? w.get('bias', [out]) : undefined, options);
}

/** x Wᵀ + bias over the last axis; weight [out, in], bias [out]. */
export function linear(w: Weights, x: Value, { out, bias = true }: { out: number; bias?: boolean }): Value {
  return dense(x, w.get('weight', [out, fixed(x, -1)]), bias ? w.get('bias', [out]) : undefined);
}

/** A vector of one number per channel as a shape that broadcasts over [B, C, ...]. */
function perChannel(vector: Value, rank: number): Value {
  return reshape(vector, [1, fixed(vector, 0), ...Array(rank - 2).fill(1)]);
}

/**
 * Group normalisation: mean and biased variance over the channels of a group and all positions.
 *
 * x: [B, C, ...]; weight and bias [C]. ONNX Runtime has no CPU kernel for GroupNorm, so it is an instance
 * normalisation over a view of one channel per group.
 */
export function groupNorm(
  w: Weights,
  x: Value,
  { groups, eps = 1e-5 }: { groups: number; eps?: number },
): Value {
  const channels = fixed(x, 1);
  if (channels % groups !== 0)
    throw shapeError('GroupNorm', `${groups} groups do not divide the channels`, x);
  const positions = x.shape.slice(2).reduce<number>((all, _, i) => all * fixed(x, i + 2), 1);
  const view = reshape(x, [x.shape[0]!, groups, (channels / groups) * positions]);
  const one = constant({ dtype: 'float32', shape: [groups], data: new Float32Array(groups).fill(1) });
  const zero = constant({ dtype: 'float32', shape: [groups], data: new Float32Array(groups) });
  const normed = reshape(instanceNormalization(view, one, zero, eps), x.shape);
  const rank = x.shape.length;
  return add(
    mul(normed, perChannel(w.get('weight', [channels]), rank)),
    perChannel(w.get('bias', [channels]), rank),
  );
}

/** Layer normalisation over the last axis; weight and bias of its size. */
export function layerNorm(w: Weights, x: Value, { eps = 1e-5 }: { eps?: number } = {}): Value {
  const size = fixed(x, -1);
  return layerNormalization(x, w.get('weight', [size]), w.get('bias', [size]), eps);
}

/** Instance normalisation over the positions of each channel; weight and bias [C]. */
export function instanceNorm(w: Weights, x: Value, { eps = 1e-5 }: { eps?: number } = {}): Value {
  const channels = fixed(x, 1);
  return instanceNormalization(x, w.get('weight', [channels]), w.get('bias', [channels]), eps);
}

/** Batch normalisation with the running statistics of training; weight, bias, running_mean, running_var [C]. */
export function batchNorm(w: Weights, x: Value, { eps = 1e-5 }: { eps?: number } = {}): Value {
  const shape = [fixed(x, 1)];
  const vectors = ['weight', 'bias', 'running_mean', 'running_var'].map((name) => w.get(name, shape));
  return apply('BatchNormalization', [x, ...vectors], x.shape, { attributes: { epsilon: float(eps) } });
}
