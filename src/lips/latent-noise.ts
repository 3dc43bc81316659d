import type { FloatTensor } from '../core/tensor.ts';
import { sizeOf } from '../core/tensor.ts';
import type { LatentNoise } from './musetalk-networks.ts';

/**
 * Standard normal numbers for the latents of frames, two sets of […shape] for each: [B, …shape]. A frame's numbers
 * follow from the seed and its number alone, so that they do not depend on batches or on where a run was resumed.
 *
 * Formula: Box and Muller, on uniform numbers by the mixing function of SplitMix32.
 */
export function latentNoise(frames: readonly number[], shape: readonly number[], seed: number): LatentNoise {
  const size = sizeOf(shape);
  const draw = (which: number): FloatTensor => {
    const data = new Float32Array(frames.length * size);
    for (const [i, frame] of frames.entries()) {
      normals(data.subarray(i * size, (i + 1) * size), mixed(seed ^ mixed(2 * frame + which)));
    }
    return { dtype: 'float32', shape: [frames.length, ...shape], data };
  };
  return { masked: draw(0), reference: draw(1) };
}

function normals(out: Float32Array, seed: number): void {
  for (let i = 0; i < out.length; i += 2) {
    // 1 − u lies in (0, 1], so the logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - uniform(seed, i)));
    const angle = 2 * Math.PI * uniform(seed, i + 1);
    out[i] = radius * Math.cos(angle);
    if (i + 1 < out.length) out[i + 1] = radius * Math.sin(angle);
  }
}

/** The `i`-th number in [0, 1) of a stream. */
function uniform(seed: number, i: number): number {
  return mixed((seed + Math.imul(i, 0x9e3779b9)) | 0) / 2 ** 32;
}

function mixed(value: number): number {
  let z = (value + 0x9e3779b9) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}
