import { BYTES_PER_ELEMENT } from '../../core/tensor.ts';
import type { ByteSource } from './byte-source.ts';
import { badFile, quoted } from './checkpoint-error.ts';
import type { PickleClasses } from './pickle.ts';
import { latin1Text } from './pickle-bytes.ts';
import { PickleGlobal, PickleObject, plainText } from './pickle-objects.ts';
import { PickleStream } from './pickle-stream.ts';
import type { PickledFile, StoragePlace } from './pickled-tensors.ts';
import { pythonClasses } from './python-classes.ts';
import { type StorageRef, storageRef, TensorRef, torchClasses } from './torch-classes.ts';

/*
 * What torch 0.1.0 to 0.1.11 wrote: a tar with the members `storages`, `tensors` and `pickle`. Each of the first
 * two is a pickled count, then for each thing a small pickle and raw numbers; the object in `pickle` names
 * tensors by key. Source: legacy_load in torch/serialization.py.
 */

const MEMBERS = ['storages', 'tensors', 'pickle'] as const;
const MOST_AXES = 64;

interface Member {
  readonly offset: number;
  readonly size: number;
}

/**
 * Reads the pickles of a checkpoint of torch 0.1.0 to 0.1.11 and finds its storages.
 *
 * @throws MuseTalkError `BAD_FILE` when it is cut short, contradictory or hostile, `WRONG_FILE` for element
 * types that are not supported.
 */
export async function readPytorchTar(source: ByteSource): Promise<PickledFile> {
  const { path } = source;
  const members = await readTar(source);
  const stream = (name: (typeof MEMBERS)[number]) => {
    const member = members.get(name);
    if (member === undefined) throw badFile(path, `the tar has no member named ${name}`);
    return new PickleStream(source, member.offset, member.offset + member.size);
  };
  const { storages, places } = await readStorages(source, stream('storages'));
  const refs = await readTensors(path, stream('tensors'), storages);
  const value = await stream('pickle').pickle(
    torchClasses(path, (id) => objectOfId(refs, id)),
    1 << 16,
  );
  return { value, place: ({ key }) => places.get(key)! };
}

async function readStorages(source: ByteSource, stream: PickleStream) {
  const { path } = source;
  const classes = pythonClasses(path);
  const storages = new Map<string, StorageRef>();
  const places = new Map<string, StoragePlace>();
  const count = await readCount(path, stream, classes, 'storages');
  for (let i = 0; i < count; i++) {
    const [key, , type] = await readTuple(path, stream, classes, 3, 'a storage');
    if (!(type instanceof PickleGlobal)) throw badFile(path, `storage ${quoted(key)} has no class`);
    const what = `storage ${quoted(key)}`;
    const elements = await stream.int64(`the size of ${what}`);
    const storage = storageRef(path, type, plainText(key), elements);
    const offset = stream.skip(storage.bytes, what);
    storages.set(storage.key, storage);
    places.set(storage.key, {
      offset,
      byteOrder: 'little',
      read: (start, length) => source.read(offset + start, length),
    });
  }
  addViews(path, storages, await stream.pickle(classes));
  return { storages, places };
}

/** Adds the views: storages that are a part of another one, each (key, key of the other, offset, elements). */
function addViews(path: string, storages: Map<string, StorageRef>, views: unknown): void {
  if (!Array.isArray(views)) throw badFile(path, 'the list of storage views is missing');
  for (const view of views) {
    const [key, rootKey, offset, elements] = Array.isArray(view) ? view : [];
    const root = storages.get(plainText(rootKey));
    if (root === undefined)
      throw badFile(path, `a view refers to storage ${quoted(rootKey)}, which is missing`);
    const type = new PickleGlobal('torch', root.className);
    const width = root.dtype === undefined ? 1 : BYTES_PER_ELEMENT[root.dtype];
    const part = storageRef(path, type, root.key, root.bytes / width, [key, offset, elements]);
    storages.set(plainText(key), part);
  }
}

async function readTensors(path: string, stream: PickleStream, storages: ReadonlyMap<string, StorageRef>) {
  const classes = pythonClasses(path);
  const refs = new Map<string, TensorRef>();
  const count = await readCount(path, stream, classes, 'tensors');
  for (let i = 0; i < count; i++) {
    const [key, storageKey] = await readTuple(path, stream, classes, 3, 'a tensor');
    const storage = storages.get(plainText(storageKey));
    if (storage?.dtype === undefined) {
      throw badFile(path, `tensor ${quoted(key)} refers to storage ${quoted(storageKey)}, which is missing`);
    }
    const what = `tensor ${quoted(key)}`;
    const axes = (await stream.view(8, what)).getInt32(0, true); // and four bytes that mean nothing
    if (axes < 0 || axes > MOST_AXES) throw badFile(path, `${what} has ${axes} axes`);
    const sizes = await readInt64s(stream, axes, what);
    const strides = await readInt64s(stream, axes, what);
    const [offset] = await readInt64s(stream, 1, what);
    refs.set(plainText(key), new TensorRef(storage, storage.dtype, offset, sizes, strides));
  }
  return refs;
}

async function readInt64s(stream: PickleStream, count: number, what: string): Promise<(number | bigint)[]> {
  const view = await stream.view(8 * count, what);
  return Array.from({ length: count }, (_, i) => {
    const value = view.getBigInt64(8 * i, true);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  });
}

async function readCount(
  path: string,
  stream: PickleStream,
  classes: PickleClasses,
  what: string,
): Promise<number> {
  const count = await stream.pickle(classes, 64);
  if (Number.isSafeInteger(count) && (count as number) >= 0) return count as number;
  throw badFile(path, `the number of ${what} is ${quoted(count)}`);
}

async function readTuple(
  path: string,
  stream: PickleStream,
  classes: PickleClasses,
  length: number,
  what: string,
): Promise<readonly unknown[]> {
  const tuple = await stream.pickle(classes, 256);
  if (Array.isArray(tuple) && tuple.length === length) return tuple;
  throw badFile(path, `the pickle that describes ${what} is no tuple of ${length}`);
}

/** A tensor by its key, which is a text or an integer; or the class of `(class, source file, source)`. */
function objectOfId(refs: ReadonlyMap<string, TensorRef>, id: unknown): unknown {
  if (Array.isArray(id)) return id[0] instanceof PickleGlobal ? new PickleObject(id[0], []) : undefined;
  return refs.get(plainText(id));
}

/** The files in a tar: headers of 512 bytes, each followed by the content, padded to 512 bytes. */
async function readTar(source: ByteSource): Promise<Map<string, Member>> {
  const { path, size } = source;
  const members = new Map<string, Member>();
  for (let at = 0; at + 512 <= size; ) {
    const header = await source.read(at, 512);
    if (header.every((byte) => byte === 0)) break;
    const member = { offset: at + 512, size: checkedSize(path, header, at) };
    if (member.offset + member.size > size) {
      throw badFile(
        path,
        `the file is truncated or incomplete: a member of the tar reaches beyond ${size} bytes`,
      );
    }
    const name = textField(header, 0, 100).replace(/^\.\//, '');
    if (members.has(name)) throw badFile(path, `the tar has the member ${quoted(name)} twice`);
    members.set(name, member);
    at = member.offset + Math.ceil(member.size / 512) * 512;
  }
  return members;
}

/** The size field, octal, after the header's own checksum was found right. */
function checkedSize(path: string, header: Uint8Array, at: number): number {
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
  if (Number.parseInt(textField(header, 148, 8), 8) !== sum) {
    throw badFile(path, `the tar is broken: the header at byte ${at} has a wrong checksum`);
  }
  const text = textField(header, 124, 12).trim();
  if (!/^[0-7]{1,11}$/.test(text))
    throw badFile(path, `the tar is broken: no size in the header at byte ${at}`);
  return Number.parseInt(text, 8);
}

/** A text that ends at a zero byte. */
function textField(header: Uint8Array, start: number, length: number): string {
  return latin1Text(header.subarray(start, start + length)).split('\0', 1)[0]!;
}
