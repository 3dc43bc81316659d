import type { Tensor } from '../src/core/tensor.ts';
import { readNpy } from './npy.ts';

/** A recorded picture of BGR bytes, [H, W, 3] or [B, H, W, 3], as RGB bytes [B, H, W, 3]. */
export function readBgr(path: string): Tensor<'uint8'> {
  const { shape, data } = readNpy(path) as Tensor<'uint8'>;
  const rgb = data.map((_, i) => data[i + 2 - 2 * (i % 3)]!);
  return { dtype: 'uint8', shape: shape.length === 3 ? [1, ...shape] : shape, data: rgb };
}
