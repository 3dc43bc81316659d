import { MuseTalkError } from '../../core/errors.ts';
import { BYTES_PER_ELEMENT } from '../../core/tensor.ts';
import type { ByteSource } from './byte-source.ts';
import {
  type Checkpoint,
  type CheckpointFormat,
  checkpointOf,
  contiguousStrides,
  type LazyTensor,
  type MetadataValue,
  type TensorEntry,
} from './checkpoint.ts';
import { badFile, quoted, wrongFile } from './checkpoint-error.ts';
import { PickleObject, plainText } from './pickle-objects.ts';
import { type ByteOrder, decodeTensor, isContiguous, spanOf } from './tensor-bytes.ts';
import { ParameterRef, type StorageRef, TensorRef } from './torch-classes.ts';

/** Where the bytes of a storage lie, and how to get some of them. */
export interface StoragePlace {
  /** Position in the file. */
  readonly offset: number;
  readonly byteOrder: ByteOrder;
  /** Length in the file where it is compressed; then no part of it lies there as it is. */
  readonly compressedLength?: number;
  /** `length` bytes from `start`, counted from the start of the storage. */
  read(start: number, length: number): Promise<Uint8Array>;
}

/** What a reader found in a file: the object in its pickle, and where the storages of its tensors lie. */
export interface PickledFile {
  readonly value: unknown;
  /** Finds the bytes of a storage and checks their number. */
  place(storage: StorageRef): StoragePlace | Promise<StoragePlace>;
}

/** Containers inside each other that are followed; real checkpoints have five. */
const DEEPEST = 64;
/** Tensors in one file; real ones have a thousand, with an optimizer some thousands. */
const MOST_TENSORS = 200_000;
const MOST_METADATA = 10_000;
/** A repeated (expanded) tensor may take more than its storage, but not more than this. */
const LARGEST_EXPANDED = 64 << 20;
const MOST_AXES = 64;

/** Values looked at in one file: more would take seconds, and come only from lists inside lists, repeated. */
const MOST_VALUES = 5_000_000;
const LONGEST_NAME = 4096;

/**
 * The checkpoint in a pickled object: its tensors and plain values by path, keys and list positions joined by "/".
 *
 * Objects of foreign classes are not looked into; a file that has no tensors outside them is refused.
 *
 * @throws MuseTalkError `BAD_FILE` when a tensor does not fit its storage.
 */
export async function pickledCheckpoint(
  source: ByteSource,
  format: CheckpointFormat,
  file: PickledFile,
): Promise<Checkpoint> {
  const { path } = source;
  const { refs, metadata, foreign } = collect(path, file.value);
  if (refs.size === 0 && foreign !== undefined) {
    throw wrongFile(
      path,
      `this holds an object of the class ${quoted(foreign.className)} and no plain tensors`,
      'Save its state_dict() instead of the object.',
    );
  }
  const tensors = new Map<string, LazyTensor>();
  for (const [name, ref] of refs) tensors.set(name, await pickledTensor(path, name, ref, file));
  return checkpointOf({ path, format, tensors, metadata, close: () => source.close() });
}

/** One tensor of a pickle, checked against its storage. */
export async function pickledTensor(
  path: string,
  name: string,
  ref: TensorRef,
  file: PickledFile,
): Promise<LazyTensor> {
  return lazyTensor(path, describe(path, name, ref), await file.place(ref.storage));
}

interface Collected {
  readonly refs: Map<string, TensorRef>;
  readonly metadata: Map<string, MetadataValue>;
  foreign: PickleObject | undefined;
}

function collect(path: string, root: unknown): Collected {
  const found: Collected = { refs: new Map(), metadata: new Map(), foreign: undefined };
  // A container without tensors is walked once; one with tensors each time that it is met, under another path.
  const barren = new Set<unknown>();
  const open = new Set<unknown>();

  let values = 0;

  const walk = (value: unknown, name: string): boolean => {
    if (++values > MOST_VALUES) throw badFile(path, `the pickle holds more than ${MOST_VALUES} values`);
    if (value instanceof ParameterRef) return walk(value.tensor, name);
    if (value instanceof TensorRef) {
      if (name.length > LONGEST_NAME) throw badFile(path, `a tensor has a name of ${name.length} characters`);
      if (found.refs.has(name)) throw badFile(path, `two tensors have the name ${quoted(name)}`);
      if (found.refs.size >= MOST_TENSORS) throw badFile(path, `there are more than ${MOST_TENSORS} tensors`);
      found.refs.set(name, value);
      return true;
    }
    if (value instanceof PickleObject) found.foreign ??= value;
    else if (isPlain(value) && found.metadata.size < MOST_METADATA && name.length <= LONGEST_NAME)
      found.metadata.set(name, value);
    if (!(value instanceof Map || Array.isArray(value)) || barren.has(value) || open.has(value)) return false;
    if (open.size >= DEEPEST) throw badFile(path, `the pickle is nested more than ${DEEPEST} deep`);

    open.add(value);
    let hasTensors = false;
    for (const [key, member] of value.entries()) {
      if (walk(member, name === '' ? plainText(key) : `${name}/${plainText(key)}`)) hasTensors = true;
    }
    open.delete(value);
    if (!hasTensors) barren.add(value);
    return hasTensors;
  };
  walk(root, '');
  return found;
}

function isPlain(value: unknown): value is MetadataValue {
  return value === null || ['string', 'number', 'bigint', 'boolean'].includes(typeof value);
}

interface Described {
  readonly name: string;
  readonly ref: TensorRef;
  readonly shape: number[];
  readonly strides: number[];
  /** First byte and number of bytes, counted from the start of the whole storage. */
  readonly start: number;
  readonly length: number;
}

/** Checks a tensor against its storage: everything that is later read lies inside. */
function describe(path: string, name: string, ref: TensorRef): Described {
  const tensor = `tensor ${quoted(name)}`;
  const shape = counts(path, `${tensor}: a size`, ref.sizes);
  const strides = counts(path, `${tensor}: a stride`, ref.strides);
  const [offset] = counts(path, `${tensor}: its offset`, [ref.offset]) as [number];
  if (shape.length !== strides.length || shape.length > MOST_AXES) {
    throw badFile(path, `${tensor} has ${shape.length} sizes, but ${strides.length} strides`);
  }
  const width = BYTES_PER_ELEMENT[ref.dtype];
  const elements = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
  if (elements * width > Math.max(ref.storage.bytes, LARGEST_EXPANDED)) {
    throw new MuseTalkError('TOO_LARGE', `${path}: ${tensor} is too large: ${elements} elements`, {
      facts: { path, name, elements },
    });
  }
  const span = spanOf({ shape, strides });
  const available = Math.floor(ref.storage.length / width);
  if (span > 0 && offset + span > available) {
    throw badFile(path, `${tensor} needs ${offset + span} elements, its storage has ${available}`);
  }
  return {
    name,
    ref,
    shape,
    strides: elements === 0 ? contiguousStrides(shape) : strides,
    start: span === 0 ? 0 : ref.storage.start + offset * width,
    length: span * width,
  };
}

/** Whole numbers from 0 on, as pickles give them; a bigint is beyond any size. */
function counts(path: string, what: string, values: unknown): number[] {
  if (!Array.isArray(values)) throw badFile(path, `${what} is missing`);
  return values.map((value) => {
    if (typeof value === 'number' ? value < 0 : typeof value === 'bigint' && value < 0n) {
      throw badFile(path, `${what} is negative: ${value}`);
    }
    if (typeof value === 'bigint') {
      throw new MuseTalkError('TOO_LARGE', `${path}: ${what} is too large: ${value}`, { facts: { path } });
    }
    if (!Number.isSafeInteger(value)) throw badFile(path, `${what} is no whole number: ${quoted(value)}`);
    return value;
  });
}

function lazyTensor(path: string, described: Described, place: StoragePlace): LazyTensor {
  const { name, ref, shape, strides, start, length } = described;
  const { byteOrder, compressedLength } = place;
  const isCompressed = compressedLength !== undefined;
  const location = isCompressed
    ? { path, offset: place.offset, length: compressedLength }
    : { path, offset: place.offset + start, length };
  const isLittle = byteOrder === 'little' || BYTES_PER_ELEMENT[ref.dtype] === 1;
  const entry: TensorEntry = {
    name,
    dtype: ref.dtype,
    shape,
    strides,
    location,
    inPlace: !isCompressed && isLittle && isContiguous({ shape, strides }),
  };
  if (ref.storage.dtype === undefined && byteOrder === 'big' && BYTES_PER_ELEMENT[ref.dtype] > 1) {
    throw wrongFile(path, `tensor ${quoted(name)} lies in an untyped storage of big endian order`);
  }
  return {
    entry,
    read: async () =>
      decodeTensor(await place.read(start, length), { dtype: ref.dtype, shape, strides, byteOrder }),
  };
}
