import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from '../../core/float16.ts';
import type { FloatTensor, Tensor } from '../../core/tensor.ts';

/** The float types that weights are stored in. */
export type StoredFloat = 'float32' | 'float16' | 'bfloat16';

/**
 * The tensor as float32: itself if it is one; 16-bit floats exactly; float64 and integers rounded to nearest;
 * bool as 0 and 1.
 */
export function asFloat32(tensor: Tensor): FloatTensor {
  return { dtype: 'float32', shape: tensor.shape, data: floatData(tensor) };
}

/** A float tensor in another float type, rounded to nearest (ties to even) where it is narrower. */
export function castFloat(tensor: Tensor, dtype: StoredFloat): Tensor<StoredFloat> {
  if (tensor.dtype === dtype) return tensor as Tensor<StoredFloat>;
  const { shape, data } = asFloat32(tensor);
  if (dtype === 'float16') return { dtype, shape, data: float32ToFloat16(data) };
  if (dtype === 'bfloat16') return { dtype, shape, data: float32ToBfloat16(data) };
  return { dtype, shape, data };
}

function floatData({ dtype, data }: Tensor): Float32Array {
  if (data instanceof Float32Array) return data;
  if (dtype === 'float16') return float16ToFloat32(data as Uint16Array);
  if (dtype === 'bfloat16') return bfloat16ToFloat32(data as Uint16Array);
  if (data instanceof BigInt64Array) return Float32Array.from(data, nearestFloat);
  return Float32Array.from(data as Exclude<Tensor['data'], BigInt64Array>);
}

/** An int64 as the nearest float32. Going through a double rounds twice, unless its lost bits are kept sticky. */
function nearestFloat(value: bigint): number {
  const magnitude = value < 0n ? -value : value;
  if (magnitude <= 0xf_ffff_ffff_ffffn) return Number(value);
  const kept = magnitude & ~0xffffn;
  const sticky = magnitude === kept ? kept : kept | 0x8000n;
  return Math.fround(Number(value < 0n ? -sticky : sticky));
}
