import { readFileSync } from 'node:fs';
import type { DType, Tensor } from '../src/core/tensor.ts';
import { sizeOf } from '../src/core/tensor.ts';

const TYPES: Record<string, { dtype: DType; array: new (buffer: ArrayBuffer) => Tensor['data'] }> = {
  '<f4': { dtype: 'float32', array: Float32Array },
  '<f8': { dtype: 'float64', array: Float64Array },
  '<f2': { dtype: 'float16', array: Uint16Array },
  '<i8': { dtype: 'int64', array: BigInt64Array },
  '<i4': { dtype: 'int32', array: Int32Array },
  '<i2': { dtype: 'int16', array: Int16Array },
  '|i1': { dtype: 'int8', array: Int8Array },
  '|u1': { dtype: 'uint8', array: Uint8Array },
  '|b1': { dtype: 'bool', array: Uint8Array },
};

/** Reads a NumPy `.npy` file (version 1 to 3, little endian, C order). */
export function readNpy(path: string): Tensor {
  const bytes = readFileSync(path);
  const long = bytes[6]! >= 2;
  const headerLength = long ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
  const start = (long ? 12 : 10) + headerLength;
  const header = bytes.toString('latin1', long ? 12 : 10, start);
  const descr = /'descr':\s*'([^']+)'/.exec(header)?.[1] ?? '';
  const type = TYPES[descr];
  if (!type || /'fortran_order':\s*True/.test(header))
    throw new Error(`${path}: unsupported array ${header}`);
  const shape = (/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? '')
    .split(',')
    .filter((part) => part.trim())
    .map(Number);
  const data = new type.array(new Uint8Array(bytes.subarray(start)).buffer as ArrayBuffer);
  if (data.length !== sizeOf(shape)) throw new Error(`${path}: ${data.length} numbers for [${shape}]`);
  return { dtype: type.dtype, shape, data } as Tensor;
}

/** Reads a `.npy` file of 32-bit (or 64-bit, rounded) floats. */
export function readFloats(path: string): Tensor<'float32'> {
  const { dtype, shape, data } = readNpy(path);
  if (dtype === 'float32') return { dtype, shape, data: data as Float32Array };
  return { dtype: 'float32', shape, data: Float32Array.from(data as Float64Array, Number) };
}
