/** Element types that tensors may have. `float16` and `bfloat16` are held as their 16 bits. */
export type DType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool';

/** The typed array that holds each element type. */
export interface DTypeArray {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  int16: Int16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

/** Numbers with a shape, contiguous in C order. */
export interface Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: DTypeArray[D];
}

/** A tensor of 32-bit floats, the common case. */
export type FloatTensor = Tensor<'float32'>;

/** Bytes that one element takes. */
export const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/** The number of elements of a shape: the product of its sizes, 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * A float tensor over `data`, or zeros when none is given.
 *
 * @throws RangeError when the number of elements is not the product of the shape.
 */
export function tensor(
  shape: readonly number[],
  data: Float32Array = new Float32Array(sizeOf(shape)),
): FloatTensor {
  if (data.length !== sizeOf(shape)) {
    throw new RangeError(`${data.length} numbers cannot have the shape [${shape.join(', ')}]`);
  }
  return { dtype: 'float32', shape, data };
}
