import { BYTES_PER_ELEMENT, type DType } from '../../core/tensor.ts';
import type { ByteSource } from './byte-source.ts';
import {
  type Checkpoint,
  checkpointOf,
  contiguousStrides,
  type LazyTensor,
  type TensorEntry,
} from './checkpoint.ts';
import { badFile, quoted, wrongFile } from './checkpoint-error.ts';
import { keysOfJsonObject } from './json-keys.ts';
import { decodeTensor } from './tensor-bytes.ts';

/*
 * The safetensors container: 8 bytes with the length of the header (little endian), the header as a JSON object,
 * then the data. Format: https://github.com/huggingface/safetensors#format
 */

/** Longest header that the format allows, in bytes. */
const LONGEST_HEADER = 100_000_000;

/** Element types of the format that can be held here. The unsigned wide and the 8-bit floats cannot. */
export const SAFETENSORS_DTYPES: Readonly<Record<string, DType>> = Object.freeze({
  __proto__: null,
  F32: 'float32',
  F64: 'float64',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
} as unknown as Record<string, DType>);

/**
 * Opens a safetensors file: checks its header against its size, reads no values.
 *
 * @throws MuseTalkError `BAD_FILE` when the header breaks a rule of the format, `WRONG_FILE` for an element type
 * that is not supported.
 */
export async function openSafetensors(source: ByteSource): Promise<Checkpoint> {
  const { path } = source;
  const { header, dataStart } = await readHeader(source);
  const { __metadata__: metadata, ...described } = header;
  const tensors = new Map<string, LazyTensor>();
  for (const [name, description] of Object.entries(described)) {
    const entry = entryOf(path, name, description, dataStart);
    tensors.set(name, { entry, read: () => readEntry(source, entry) });
  }
  checkTiling(
    source,
    dataStart,
    [...tensors.values()].map(({ entry }) => entry),
  );
  return checkpointOf({
    path,
    format: 'safetensors',
    tensors,
    metadata: textsOf(path, metadata),
    close: () => source.close(),
  });
}

async function readEntry(source: ByteSource, { dtype, shape, strides, location }: TensorEntry) {
  const bytes = await source.read(location.offset, location.length);
  return decodeTensor(bytes, { dtype, shape, strides, byteOrder: 'little' });
}

async function readHeader(source: ByteSource) {
  const { path, size } = source;
  if (size < 8) throw badFile(path, `the file is too short for safetensors: ${size} bytes`);
  const length = new DataView((await source.read(0, 8)).buffer).getBigUint64(0, true);
  if (length > LONGEST_HEADER) {
    throw badFile(path, `the header is too long: ${length} bytes, the format allows ${LONGEST_HEADER}`);
  }
  const dataStart = 8 + Number(length);
  if (dataStart > size) {
    throw badFile(path, `the header of ${length} bytes is longer than the file of ${size} bytes`);
  }
  return { header: parseHeader(path, await source.read(8, Number(length))), dataStart };
}

function parseHeader(path: string, bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw badFile(path, 'the header is not UTF-8', undefined, cause);
  }
  if (!text.startsWith('{')) throw badFile(path, 'the header is not a JSON object');

  // JSON.parse would keep the last of two equal names without a word.
  const names = new Set<string>();
  const header = parseJson(path, text);
  for (const name of keysOfJsonObject(text)) {
    if (names.has(name)) throw badFile(path, `the header has the name ${quoted(name)} twice`);
    names.add(name);
  }
  return header;
}

function parseJson(path: string, text: string): Record<string, unknown> {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw badFile(path, 'the header is not valid JSON', undefined, cause);
  }
}

function entryOf(path: string, name: string, description: unknown, dataStart: number): TensorEntry {
  const tensor = `tensor ${quoted(name)}`;
  if (typeof description !== 'object' || description === null) {
    throw badFile(path, `the header gives no description for ${tensor}`);
  }
  const { dtype: type, shape, data_offsets: range } = description as Record<string, unknown>;
  if (typeof type !== 'string') throw badFile(path, `the header gives no type for ${tensor}`);
  const dtype = SAFETENSORS_DTYPES[type];
  if (dtype === undefined) {
    throw wrongFile(path, `the element type ${quoted(type)} of ${tensor} is not supported`);
  }
  if (!isCounts(shape)) {
    throw badFile(path, `the sizes of ${tensor} in the header are not whole numbers from 0 on`);
  }
  if (!isCounts(range) || range.length !== 2) {
    throw badFile(path, `the offsets of ${tensor} in the header are not two whole numbers from 0 on`);
  }
  const [begin, end] = range as [number, number];
  if (end < begin) throw badFile(path, `${tensor} ends at ${end}, before its start at ${begin}`);
  if (!isProduct([...shape, BYTES_PER_ELEMENT[dtype]], end - begin)) {
    throw badFile(
      path,
      `${tensor} has ${end - begin} bytes, which does not agree with shape [${shape.join(', ')}] of ${type}`,
    );
  }
  return {
    name,
    dtype,
    shape,
    strides: contiguousStrides(shape),
    location: { path, offset: dataStart + begin, length: end - begin },
    inPlace: true,
  };
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** Whether the product of `sizes` is `expected`, which is exact: a product that passes 2⁵³ is larger. */
function isProduct(sizes: readonly number[], expected: number): boolean {
  if (sizes.includes(0)) return expected === 0;
  let product = 1;
  for (const size of sizes) {
    product *= size;
    if (product > expected) return false;
  }
  return product === expected;
}

/** The tensors must fill the data from its start to the end of the file, without overlap, hole or rest. */
function checkTiling(source: ByteSource, dataStart: number, entries: TensorEntry[]): void {
  const { path, size } = source;
  let filled = dataStart;
  const inOrder = entries.sort(
    (a, b) => a.location.offset - b.location.offset || a.location.length - b.location.length,
  );
  for (const { name, location } of inOrder) {
    const end = location.offset + location.length;
    const tensor = `tensor ${quoted(name)}`;
    if (end > size) throw badFile(path, `${tensor} reaches to byte ${end}, beyond the file of ${size} bytes`);
    if (location.offset < filled) throw badFile(path, `${tensor} overlaps the one before it in the data`);
    if (location.offset > filled) throw badFile(path, `there is a hole in the data before ${tensor}`);
    filled = end;
  }
  if (filled !== size) {
    throw badFile(
      path,
      `${size - filled} bytes are left over after the last tensor: the size of the file is wrong`,
    );
  }
}

function textsOf(path: string, metadata: unknown): Map<string, string> {
  if (metadata === undefined) return new Map();
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    throw badFile(path, 'the metadata in the header are not an object');
  }
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string')
      throw badFile(path, `the metadata ${quoted(key)} in the header is not text`);
  }
  return new Map(Object.entries(metadata));
}
