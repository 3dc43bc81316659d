import { BYTES_PER_ELEMENT, type DType } from '../../core/tensor.ts';
import { badFile, quoted, wrongFile } from './checkpoint-error.ts';
import type { PickleClasses } from './pickle.ts';
import { PickleGlobal, PickleObject } from './pickle-objects.ts';
import { pythonClasses } from './python-classes.ts';

/*
 * Tensors in the pickles of torch. A tensor is a view (offset, sizes, strides, in elements) of a storage, and a
 * storage is a key of bytes that lie elsewhere in the file.
 */

/** A storage as a pickle describes it. */
export interface StorageRef {
  readonly key: string;
  readonly className: string;
  /** `undefined` for untyped storages, which count in bytes. */
  readonly dtype: DType | undefined;
  /** Bytes of the whole storage that `key` names. */
  readonly bytes: number;
  /** The part of it that is meant, in bytes. Everything, but in very old files. */
  readonly start: number;
  readonly length: number;
}

/** A tensor as a pickle describes it, not checked yet. */
export class TensorRef {
  readonly storage: StorageRef;
  readonly dtype: DType;
  readonly offset: unknown;
  readonly sizes: unknown;
  readonly strides: unknown;

  constructor(storage: StorageRef, dtype: DType, offset: unknown, sizes: unknown, strides: unknown) {
    this.storage = storage;
    this.dtype = dtype;
    this.offset = offset;
    this.sizes = sizes;
    this.strides = strides;
  }
}

/** A Parameter of before 0.4, whose tensor comes with its state. */
export class ParameterRef {
  tensor: TensorRef | undefined = undefined;
}

/** A storage in a pickle, wrapped so that it cannot be mistaken for a tuple or an opaque object. */
export class StorageHandle {
  readonly ref: StorageRef;

  constructor(ref: StorageRef) {
    this.ref = ref;
  }
}

/** Element types of the storage classes `torch.FloatStorage` and so on. */
const STORAGE_TYPES: ReadonlyMap<string, DType> = new Map([
  ['FloatStorage', 'float32'],
  ['DoubleStorage', 'float64'],
  ['HalfStorage', 'float16'],
  ['BFloat16Storage', 'bfloat16'],
  ['LongStorage', 'int64'],
  ['IntStorage', 'int32'],
  ['ShortStorage', 'int16'],
  ['CharStorage', 'int8'],
  ['ByteStorage', 'uint8'],
  ['BoolStorage', 'bool'],
]);

/** The names `torch.float32`, `torch.half` and so on. */
const TYPE_NAMES: ReadonlyMap<string, DType> = new Map<string, DType>([
  ...(Object.keys(BYTES_PER_ELEMENT) as DType[]).map((dtype): [string, DType] => [dtype, dtype]),
  ['float', 'float32'],
  ['double', 'float64'],
  ['half', 'float16'],
  ['long', 'int64'],
  ['int', 'int32'],
  ['short', 'int16'],
]);

const STORAGE_MODULES = new Set(['torch', 'torch.cuda', 'torch.storage']);

/** Turns a persistent id into what it names, or `undefined` when it names nothing. */
export type PersistentLookup = (id: unknown) => unknown;

/** What the classes of torch, Python and NumPy mean in the pickle of a checkpoint. */
export function torchClasses(path: string, persistent: PersistentLookup): PickleClasses {
  const python = pythonClasses(path);
  return {
    construct(type, args) {
      const maker = MAKERS.get(type.path);
      if (maker !== undefined) return maker(path, args);
      if (type.module === 'torch._utils' && type.name.startsWith('_rebuild')) {
        throw wrongFile(
          path,
          `tensors made by ${quoted(type.path)} are not supported`,
          'Save plain dense tensors.',
        );
      }
      return python.construct(type, args);
    },
    build(object, state) {
      if (!(object instanceof ParameterRef))
        return object instanceof TensorRef || python.build(object, state);
      const found = Array.isArray(state) ? state[0] : undefined;
      if (found instanceof TensorRef) object.tensor = found;
      return true;
    },
    persistent,
  };
}

/**
 * The storage of a persistent id `("storage", class, key, location, elements[, view])`; the class of an id
 * `("module", class, source file, source)`; else `undefined`. Where the storage was ("cuda:0") does not matter.
 */
export function storageOfId(path: string, id: unknown): StorageHandle | PickleObject | undefined {
  if (!Array.isArray(id)) return undefined;
  const [kind, type, key, , elements, view] = id;
  if (!(type instanceof PickleGlobal)) return undefined;
  if (kind === 'module') return new PickleObject(type, []);
  if (kind !== 'storage' || (typeof key !== 'string' && typeof key !== 'number')) return undefined;
  return new StorageHandle(storageRef(path, type, String(key), elements, view));
}

/**
 * A storage of the class `type` and so many elements.
 *
 * @throws MuseTalkError `WRONG_FILE` for complex or quantised elements, `BAD_FILE` for impossible numbers.
 */
export function storageRef(
  path: string,
  type: PickleGlobal,
  key: string,
  elements: unknown,
  view: unknown = null,
): StorageRef {
  const isUntyped = type.name === 'UntypedStorage' || type.name === '_UntypedStorage';
  const dtype = STORAGE_TYPES.get(type.name);
  if (!STORAGE_MODULES.has(type.module) || (dtype === undefined && !isUntyped)) {
    throw wrongFile(path, `the element type ${quoted(type.name)} is not supported`);
  }
  const width = dtype === undefined ? 1 : BYTES_PER_ELEMENT[dtype];
  const count = (what: string, value: unknown) => {
    if (Number.isSafeInteger(value) && (value as number) >= 0) return (value as number) * width;
    throw badFile(path, `storage ${quoted(key)} has an impossible ${what}: ${quoted(value)}`);
  };
  const bytes = count('size', elements);
  const ref = { key, className: type.name, dtype, bytes, start: 0, length: bytes };
  if (!Array.isArray(view)) return ref;
  const start = count('view offset', view[1]);
  const length = count('view size', view[2]);
  if (start + length > bytes) throw badFile(path, `a view reaches beyond storage ${quoted(key)}`);
  return { ...ref, start, length };
}

type Maker = (path: string, args: readonly unknown[]) => unknown;

/** Functions that make a tensor of a storage or of another tensor. */
const TENSOR_MAKERS: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ['torch._utils._rebuild_tensor', (path, args) => tensorRef(path, args)],
  ['torch._utils._rebuild_tensor_v2', (path, args) => tensorRef(path, args)],
  ['torch._utils._rebuild_tensor_v3', (path, args) => tensorRef(path, args, typeNamed(path, args[6]))],
  ['torch._utils._rebuild_parameter', (_, [tensor]) => tensor],
  ['torch._utils._rebuild_parameter_with_state', (_, [tensor]) => tensor],
]);

const MAKERS: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ...TENSOR_MAKERS,
  ['torch._tensor._rebuild_from_type', (path, args) => rebuiltFromType(path, args)],
  ['torch._tensor._rebuild_from_type_v2', (path, args) => rebuiltFromType(path, args)],
  ['torch.nn.parameter.Parameter', (_, [tensor]) => parameterOf(tensor)],
  ['torch.nn.parameter.Buffer', (_, [tensor]) => parameterOf(tensor)],
  ['torch.Size', (_, [sizes]) => (Array.isArray(sizes) ? Object.freeze([...sizes]) : undefined)],
]);

function parameterOf(tensor: unknown): TensorRef | ParameterRef {
  return tensor instanceof TensorRef ? tensor : new ParameterRef();
}

/** A tensor with attributes (a buffer): the function that makes it, its class, the arguments, the attributes. */
function rebuiltFromType(path: string, [maker, , args]: readonly unknown[]): unknown {
  const make = maker instanceof PickleGlobal ? TENSOR_MAKERS.get(maker.path) : undefined;
  return Array.isArray(args) ? make?.(path, args) : undefined;
}

function tensorRef(
  path: string,
  [handle, offset, sizes, strides]: readonly unknown[],
  dtype?: DType,
): TensorRef {
  if (!(handle instanceof StorageHandle)) throw badFile(path, 'the pickle has a tensor without a storage');
  const type = dtype ?? handle.ref.dtype;
  if (type === undefined)
    throw badFile(path, 'the pickle has a tensor over an untyped storage, without a type');
  return new TensorRef(handle.ref, type, offset, sizes, strides);
}

function typeNamed(path: string, global: unknown): DType {
  const dtype =
    global instanceof PickleGlobal && global.module === 'torch' ? TYPE_NAMES.get(global.name) : undefined;
  if (dtype !== undefined) return dtype;
  const name = global instanceof PickleGlobal ? global.path : global;
  throw wrongFile(path, `the element type ${quoted(name)} is not supported`);
}
