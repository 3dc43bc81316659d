import { MuseTalkError } from '../../core/errors.ts';
import type { DType, FloatTensor, Tensor } from '../../core/tensor.ts';
import { sizeOf } from '../../core/tensor.ts';
import { asFloat32 } from './cast.ts';
import { quoted } from './checkpoint-error.ts';

/** The containers that can be read. */
export type CheckpointFormat = 'safetensors' | 'pytorch-zip' | 'pytorch-legacy' | 'pytorch-tar';

/** A range of bytes in a file. */
export interface ByteRange {
  readonly path: string;
  /** Bytes from the start of the file; may pass 4 GB. */
  readonly offset: number;
  readonly length: number;
}

/** What a checkpoint says of one tensor, without its values. */
export interface TensorEntry {
  /**
   * Its name in the checkpoint. In a state dict this is the usual dotted name; where a file nests its mappings,
   * the keys are joined by `/` (`state_dict/conv1.weight`). A file that is one tensor calls it `''`.
   */
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Steps between neighbours along each axis, in elements; 0 along an axis that is repeated. */
  readonly strides: readonly number[];
  /** The bytes in the file from its first to its last element (compressed ones as they lie). */
  readonly location: ByteRange;
  /**
   * Whether `location` holds exactly this tensor as other programs expect it (C order, little endian,
   * uncompressed), so that the external data of an ONNX graph can point at it where it lies.
   */
  readonly inPlace: boolean;
}

/** A number, a text or nothing, found beside the tensors. */
export type MetadataValue = string | number | bigint | boolean | null;

/** An opened checkpoint: names and places of its tensors. Values are read when they are asked for. */
export interface Checkpoint {
  readonly path: string;
  readonly format: CheckpointFormat;
  /** In the order of the file. */
  readonly entries: ReadonlyMap<string, TensorEntry>;
  /** Texts and numbers beside the tensors, named like them (`dims/n_audio_layer`); at most 10 000. */
  readonly metadata: ReadonlyMap<string, MetadataValue>;

  /**
   * The values of one tensor, contiguous in C order, in the type of the file.
   *
   * @throws MuseTalkError `BAD_WEIGHTS` when there is no such name, `BAD_FILE` when the bytes cannot be read.
   */
  read(name: string): Promise<Tensor>;

  /** The same as float32: 16-bit floats exactly, float64 and integers rounded to nearest, bool as 0 and 1. */
  readFloat(name: string): Promise<FloatTensor>;

  /** Gives the file back. Reading afterwards fails. */
  close(): Promise<void>;
}

/** A tensor of a file, and how to get its values. */
export interface LazyTensor {
  readonly entry: TensorEntry;
  read(): Promise<Tensor>;
}

/** What a reader of a format finds in a file. */
export interface CheckpointParts {
  readonly path: string;
  readonly format: CheckpointFormat;
  readonly tensors: ReadonlyMap<string, LazyTensor>;
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  close(): Promise<void>;
}

/** The checkpoint that a reader makes of what it found. */
export function checkpointOf({ path, format, tensors, metadata, close }: CheckpointParts): Checkpoint {
  const read = async (name: string) => {
    const found = tensors.get(name);
    if (found === undefined) throw noSuchTensor(path, name);
    return found.read();
  };
  return {
    path,
    format,
    entries: new Map(Array.from(tensors, ([name, { entry }]) => [name, entry])),
    metadata,
    read,
    readFloat: async (name) => asFloat32(await read(name)),
    close,
  };
}

/** Where a tensor of `checkpoint` appears in a view of it: under which name, and with which shape. */
export interface ViewedTensor {
  /** Name in the checkpoint underneath. */
  readonly from: string;
  /** Another shape of the same number of elements, for a contiguous reading. */
  readonly shape?: readonly number[];
}

/** The same file with other names (the keys of `names`), leaving out what is not named. Values stay lazy. */
export function viewOf(checkpoint: Checkpoint, names: ReadonlyMap<string, ViewedTensor>): Checkpoint {
  const tensors = new Map<string, LazyTensor>();
  for (const [name, { from, shape }] of names) {
    const entry = checkpoint.entries.get(from);
    if (entry === undefined) throw noSuchTensor(checkpoint.path, from);
    const viewed = shape === undefined ? entry : reshaped(entry, shape);
    tensors.set(name, {
      entry: { ...viewed, name },
      read: async () => ({ ...(await checkpoint.read(from)), shape: viewed.shape }),
    });
  }
  const { path, format, metadata } = checkpoint;
  return checkpointOf({ path, format, tensors, metadata, close: () => checkpoint.close() });
}

/** Steps of a tensor that is contiguous in C order, in elements: [2, 3, 4] → [12, 4, 1]. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides: number[] = new Array(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= Math.max(shape[axis]!, 1);
  }
  return strides;
}

function reshaped(entry: TensorEntry, shape: readonly number[]): TensorEntry {
  if (sizeOf(shape) !== sizeOf(entry.shape)) throw new RangeError('a view keeps the number of elements');
  return { ...entry, shape, strides: entry.inPlace ? contiguousStrides(shape) : entry.strides };
}

function noSuchTensor(path: string, name: string): MuseTalkError {
  return new MuseTalkError('BAD_WEIGHTS', `${path}: there is no tensor named ${quoted(name)}`, {
    facts: { path, name },
  });
}
