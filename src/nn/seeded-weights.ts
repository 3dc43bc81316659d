/**
 * Weights that follow from a name, a shape and a seed. Networks that are too large to be kept beside tests are
 * filled by this rule, so that any program can make the same numbers; benchmarks use it where no checkpoint is.
 */
import type { FloatTensor } from '../core/tensor.ts';
import { sizeOf } from '../core/tensor.ts';

/** What makes one set of seeded weights differ from another. */
export interface SeededOptions {
  /** Mixed into the seed of every tensor. Default 0. */
  seed?: number;
  /** Factors for single tensors, by name. */
  overrides?: Readonly<Record<string, { readonly scale: number }>>;
}

/** The 32-bit FNV-1a hash of a text's UTF-8 bytes. */
export function fnv1a(text: string): number {
  let hash = 2166136261;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 16777619);
  return hash >>> 0;
}

/** The `i`-th number in −1 … 1 of a stream: a Weyl sequence through an integer hash of two rounds. */
export function seededUniform(seed: number, i: number): number {
  let z = (seed + Math.imul(i + 1, 0x9e3779b9)) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return ((z ^ (z >>> 15)) >>> 0) / 2 ** 31 - 1;
}

/**
 * The weights of one tensor, of a size that keeps a network's activations in bounds: matrices and kernels are
 * uniform with variance 1 / fan-in, scales of norms lie near 1, other vectors near 0.
 */
export function seededTensor(
  name: string,
  shape: readonly number[],
  { seed = 0, overrides = {} }: SeededOptions = {},
): FloatTensor {
  const data = new Float32Array(sizeOf(shape));
  const start = (fnv1a(name) ^ seed) >>> 0;
  const { offset, spread } = rangeOf(name, shape);
  const scale = overrides[name]?.scale ?? 1;
  for (let i = 0; i < data.length; i++) data[i] = (offset + spread * seededUniform(start, i)) * scale;
  return { dtype: 'float32', shape, data };
}

/** All the tensors that a network asks for (see `expectedWeights`), counters of batches left out. */
export function seededTensors(
  shapes: Iterable<readonly [string, readonly number[]]>,
  options: SeededOptions = {},
): Map<string, FloatTensor> {
  const tensors = new Map<string, FloatTensor>();
  for (const [name, shape] of shapes) {
    if (!name.endsWith('num_batches_tracked')) tensors.set(name, seededTensor(name, shape, options));
  }
  return tensors;
}

function rangeOf(name: string, shape: readonly number[]): { offset: number; spread: number } {
  if (shape.length >= 2) return { offset: 0, spread: Math.sqrt(3 / sizeOf(shape.slice(1))) };
  if (name.endsWith('running_var')) return { offset: 1, spread: 0.25 };
  if (name.endsWith('running_mean')) return { offset: 0, spread: 0.1 };
  if (name.endsWith('weight') || name.endsWith('gamma')) return { offset: 1, spread: 0.1 };
  return { offset: 0, spread: 0.05 };
}
