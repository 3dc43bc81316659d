import type { DType, DTypeArray, Tensor } from '../../core/tensor.ts';
import { BYTES_PER_ELEMENT, sizeOf } from '../../core/tensor.ts';
import { contiguousStrides } from './checkpoint.ts';

/** Order of the bytes within an element. */
export type ByteOrder = 'little' | 'big';

const HOST_ORDER: ByteOrder = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 'little' : 'big';

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** How the elements of a tensor lie in a run of bytes that starts at its first element. */
export interface TensorLayout {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** In elements, one per axis, none negative. */
  readonly strides: readonly number[];
  readonly byteOrder: ByteOrder;
}

/** Whether the elements lie in C order without gaps. */
export function isContiguous({ shape, strides }: Pick<TensorLayout, 'shape' | 'strides'>): boolean {
  if (shape.includes(0)) return true;
  const wanted = contiguousStrides(shape);
  return shape.every((size, axis) => size === 1 || strides[axis] === wanted[axis]);
}

/** Number of elements from the first to the last one, both included: what has to be read. 0 if there is none. */
export function spanOf({ shape, strides }: Pick<TensorLayout, 'shape' | 'strides'>): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((last, size, axis) => last + (size - 1) * strides[axis]!, 1);
}

/**
 * The tensor that `bytes` hold, as if made contiguous in C order. `bytes` start at its first element and reach
 * to its last; they are used up (swapped in place, or shared with the result).
 */
export function decodeTensor(bytes: Uint8Array, layout: TensorLayout): Tensor {
  const { dtype, shape, strides, byteOrder } = layout;
  const aligned = bytes.byteOffset % BYTES_PER_ELEMENT[dtype] === 0 ? bytes : bytes.slice();
  if (byteOrder !== HOST_ORDER) swapBytes(aligned, BYTES_PER_ELEMENT[dtype]);
  const stored = arrayOver(dtype, aligned);
  const data = isContiguous(layout) ? stored.subarray(0, sizeOf(shape)) : gathered(stored, shape, strides);
  return { dtype, shape, data: data as DTypeArray[DType] };
}

/** The bytes of a tensor in C order, little endian, as files hold them; shared with the tensor where possible. */
export function encodeTensor({ dtype, data }: Tensor): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (HOST_ORDER === 'little') return bytes;
  const copy = bytes.slice();
  swapBytes(copy, BYTES_PER_ELEMENT[dtype]);
  return copy;
}

function arrayOver(dtype: DType, bytes: Uint8Array): DTypeArray[DType] {
  const length = Math.floor(bytes.length / BYTES_PER_ELEMENT[dtype]);
  return new ARRAYS[dtype](bytes.buffer as ArrayBuffer, bytes.byteOffset, length) as DTypeArray[DType];
}

function swapBytes(bytes: Uint8Array, width: number): void {
  if (width === 1) return;
  for (let start = 0; start + width <= bytes.length; start += width) {
    bytes.subarray(start, start + width).reverse();
  }
}

/** Picks the elements one by one, the last axis fastest. */
function gathered<A extends DTypeArray[DType]>(
  stored: A,
  shape: readonly number[],
  strides: readonly number[],
): A {
  const result = new (stored.constructor as new (length: number) => A)(sizeOf(shape));
  let written = 0;
  const copyAxis = (axis: number, start: number): void => {
    if (axis === shape.length) {
      result[written++] = stored[start]!;
      return;
    }
    for (let i = 0, at = start; i < shape[axis]!; i++, at += strides[axis]!) copyAxis(axis + 1, at);
  };
  copyAxis(0, 0);
  return result;
}
