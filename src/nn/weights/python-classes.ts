import type { DType, Tensor } from '../../core/tensor.ts';
import { BYTES_PER_ELEMENT, sizeOf } from '../../core/tensor.ts';
import { asFloat32 } from './cast.ts';
import { contiguousStrides } from './checkpoint.ts';
import { badFile } from './checkpoint-error.ts';
import type { PickleClasses } from './pickle.ts';
import { latin1Bytes } from './pickle-bytes.ts';
import { type ByteOrder, decodeTensor } from './tensor-bytes.ts';

/*
 * Classes of Python and NumPy that have a meaning in checkpoints, and in the coordinates that upstream saves.
 * An unknown use of them (an array of objects, say) stays opaque.
 */

/** NumPy's element types by their letter and width. */
const NUMPY_TYPES: Readonly<Record<string, DType>> = {
  f4: 'float32',
  f8: 'float64',
  f2: 'float16',
  i8: 'int64',
  i4: 'int32',
  i2: 'int16',
  i1: 'int8',
  u1: 'uint8',
  b1: 'bool',
};

/** A `numpy.dtype`. Its byte order comes with its state. */
class NumpyType {
  readonly code: string;
  byteOrder: ByteOrder = 'little';

  constructor(code: string) {
    this.code = code;
  }

  get dtype(): DType | undefined {
    return Object.hasOwn(NUMPY_TYPES, this.code) ? NUMPY_TYPES[this.code] : undefined;
  }
}

/** A `numpy.ndarray`; `tensor` comes with its state, and stays absent where the elements are not numbers. */
export class NumpyArray {
  tensor: Tensor | undefined = undefined;
}

/** What the classes of Python and NumPy mean, for a pickle of `path`. It knows no persistent ids. */
export function pythonClasses(path: string): PickleClasses {
  return {
    construct(type, args) {
      const make = MAKERS.get(type.path);
      return make?.(args, path);
    },
    build(object, state) {
      if (object instanceof NumpyType) setOrder(object, state);
      else if (object instanceof NumpyArray) setArray(path, object, state);
      else return false;
      return true;
    },
    persistent: () => undefined,
  };
}

type Maker = (args: readonly unknown[], path: string) => unknown;

const MAKERS: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ['collections.OrderedDict', ([pairs]) => dictOf(pairs)],
  ['collections.defaultdict', () => new Map()],
  ['collections.Counter', ([counts]) => dictOf(counts)],
  ...builtin('dict', ([pairs]) => dictOf(pairs)),
  ...builtin('set', ([items]) => new Set(listOf(items))),
  ...builtin('frozenset', ([items]) => new Set(listOf(items))),
  ...builtin('list', ([items]) => [...listOf(items)]),
  ...builtin('tuple', ([items]) => Object.freeze([...listOf(items)])),
  ...builtin('bytearray', ([content]) => bytesOf(content)),
  ...builtin('bytes', ([content]) => bytesOf(content)),
  ['_codecs.encode', ([text]) => bytesOf(text)],
  ['numpy.dtype', ([code]) => (typeof code === 'string' ? typeOf(code) : undefined)],
  ...numpy('multiarray.scalar', ([type, bytes], path) => scalarOf(path, type, bytes)),
  ...numpy('multiarray._reconstruct', () => new NumpyArray()),
  ...numpy('numeric._frombuffer', ([bytes, type, shape, order], path) => {
    const array = new NumpyArray();
    array.tensor = arrayOf(path, type, shape, bytes, order === 'F');
    return array;
  }),
]);

function builtin(name: string, make: Maker): [string, Maker][] {
  return [
    [`builtins.${name}`, make],
    [`__builtin__.${name}`, make],
  ];
}

/** NumPy 2 moved `core` to `_core`. */
function numpy(name: string, make: Maker): [string, Maker][] {
  return [
    [`numpy.core.${name}`, make],
    [`numpy._core.${name}`, make],
  ];
}

function dictOf(pairs: unknown): Map<unknown, unknown> {
  if (pairs instanceof Map) return new Map(pairs);
  return new Map(listOf(pairs).map((pair) => (Array.isArray(pair) ? [pair[0], pair[1]] : [pair, undefined])));
}

function listOf(items: unknown): readonly unknown[] {
  if (items instanceof Set) return [...items];
  return Array.isArray(items) ? items : [];
}

function bytesOf(content: unknown): Uint8Array | undefined {
  if (content === undefined) return new Uint8Array();
  if (content instanceof Uint8Array) return content;
  return typeof content === 'string' ? latin1Bytes(content) : undefined;
}

function typeOf(code: string): NumpyType {
  const order = /^[<>|=]/.test(code) ? code[0] : '';
  const type = new NumpyType(order === '' ? code : code.slice(1));
  if (order === '>') type.byteOrder = 'big';
  return type;
}

/** The state of a dtype is a tuple: version, byte order, … */
function setOrder(type: NumpyType, state: unknown): void {
  if (Array.isArray(state) && state[1] === '>') type.byteOrder = 'big';
}

/** The state of an array is a tuple: version, shape, dtype, whether in Fortran order, bytes. */
function setArray(path: string, array: NumpyArray, state: unknown): void {
  if (!Array.isArray(state) || state.length < 5) throw badFile(path, 'the pickle has a broken NumPy array');
  const [, shape, type, isFortran, content] = state;
  array.tensor = arrayOf(path, type, shape, content, isFortran === true);
}

function arrayOf(path: string, type: unknown, shape: unknown, content: unknown, isFortran: boolean) {
  const bytes = bytesOf(content);
  if (!(type instanceof NumpyType) || type.dtype === undefined || bytes === undefined) return undefined;
  if (!Array.isArray(shape) || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw badFile(path, 'the pickle has a NumPy array whose sizes are not whole numbers from 0 on');
  }
  const needed = sizeOf(shape) * BYTES_PER_ELEMENT[type.dtype];
  if (shape.length > 32 || bytes.length !== needed) {
    throw badFile(path, `the pickle has a NumPy array of ${bytes.length} bytes, its shape needs ${needed}`);
  }
  const strides = isFortran ? contiguousStrides([...shape].reverse()).reverse() : contiguousStrides(shape);
  const { dtype, byteOrder } = type;
  return decodeTensor(bytes.slice(), { dtype, shape: [...shape], strides, byteOrder });
}

function scalarOf(path: string, type: unknown, content: unknown): number | bigint | boolean | undefined {
  const tensor = arrayOf(path, type, [], content, false);
  if (tensor === undefined) return undefined;
  if (tensor.dtype === 'float16') return asFloat32(tensor).data[0];
  const value = tensor.data[0]!;
  if (tensor.dtype === 'bool') return value !== 0;
  const number = Number(value);
  return typeof value === 'bigint' && !Number.isSafeInteger(number) ? value : number;
}
