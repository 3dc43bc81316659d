import { BYTES_PER_ELEMENT, sizeOf } from '../../core/tensor.ts';
import type { ByteSource } from './byte-source.ts';
import type { LazyTensor } from './checkpoint.ts';
import { badFile, wrongFile } from './checkpoint-error.ts';
import { fileKind, KIND_BYTES } from './file-kind.ts';
import { inflate } from './inflate.ts';
import { PickleStream } from './pickle-stream.ts';
import { type PickledFile, pickledTensor } from './pickled-tensors.ts';
import { NumpyArray, pythonClasses } from './python-classes.ts';
import { readPytorchLegacy } from './pytorch-legacy.ts';
import { readPytorchZip } from './pytorch-zip.ts';
import { ParameterRef, TensorRef } from './torch-classes.ts';

/** Containers inside each other that are followed. */
const DEEPEST = 64;

/**
 * The object in a pickle, or in a file of `torch.save`: what upstream keeps of an avatar (coordinates, latents).
 *
 * Lists and tuples become arrays, dicts Maps, NumPy scalars numbers; tensors and NumPy arrays become `Tensor`s,
 * all read at once. What two places share stays shared. Objects of unknown classes stay `PickleObject`s.
 *
 * @throws MuseTalkError `WRONG_FILE` when it is another kind of file, `BAD_FILE` when it is broken or hostile.
 */
export async function readPickle(source: ByteSource): Promise<unknown> {
  return finished(source, await readObject(source));
}

/** Refuses tensors that repeat the same bytes so often that they would fill the memory. */
function tensorBudget({ path, size }: ByteSource): (tensor: LazyTensor) => void {
  let left = 4 * size + (64 << 20);
  return ({ entry: { dtype, shape } }) => {
    left -= sizeOf(shape) * BYTES_PER_ELEMENT[dtype];
    if (left < 0) throw badFile(path, 'its tensors are far larger than the file');
  };
}

async function readObject(source: ByteSource): Promise<PickledFile> {
  const { path, size } = source;
  if (size === 0) throw badFile(path, 'the file is empty, expected a pickle');
  const head = await source.read(0, Math.min(size, KIND_BYTES));
  const kind = fileKind(head);
  if (kind?.is === 'pytorch-zip') return readPytorchZip(source, inflate);
  if (kind?.is === 'pytorch-legacy') return readPytorchLegacy(source);
  if (kind !== undefined && head[0] !== 0x80) {
    const what = kind.is === 'other' ? kind.what : `a file in the format ${kind.is}`;
    throw wrongFile(path, `this is ${what}; expected a pickle`);
  }
  const value = await new PickleStream(source, 0, size).pickle(pythonClasses(path), 1 << 20);
  return {
    value,
    place() {
      throw badFile(path, 'the pickle has a tensor without its bytes');
    },
  };
}

/** Replaces what stands for tensors by the tensors, in copies of the containers around them. */
async function finished(source: ByteSource, file: PickledFile): Promise<unknown> {
  const { path } = source;
  const spend = tensorBudget(source);
  const copies = new Map<unknown, unknown>();
  const finish = async (value: unknown, depth: number): Promise<unknown> => {
    if (typeof value !== 'object' || value === null) return value;
    if (copies.has(value)) return copies.get(value);
    if (depth > DEEPEST) throw badFile(path, `the pickle is nested more than ${DEEPEST} deep`);
    if (value instanceof ParameterRef) return finish(value.tensor, depth + 1);
    if (value instanceof NumpyArray) return value.tensor;
    if (value instanceof TensorRef) {
      const lazy = await pickledTensor(path, 'in the pickle', value, file);
      spend(lazy);
      const tensor = await lazy.read();
      copies.set(value, tensor);
      return tensor;
    }
    if (Array.isArray(value)) {
      const list: unknown[] = [];
      copies.set(value, list);
      for (const member of value) list.push(isLeaf(member) ? member : await finish(member, depth + 1));
      return list;
    }
    if (value instanceof Map) {
      const map = new Map<unknown, unknown>();
      copies.set(value, map);
      for (const [key, member] of value) map.set(key, await finish(member, depth + 1));
      return map;
    }
    return value;
  };
  return finish(file.value, 0);
}

function isLeaf(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}
