import { BYTES_PER_ELEMENT } from '../../core/tensor.ts';
import type { ByteSource } from './byte-source.ts';
import { badFile, quoted } from './checkpoint-error.ts';
import { plainText } from './pickle-objects.ts';
import { PickleStream } from './pickle-stream.ts';
import type { PickledFile, StoragePlace } from './pickled-tensors.ts';
import { pythonClasses } from './python-classes.ts';
import { StorageHandle, type StorageRef, storageOfId, torchClasses } from './torch-classes.ts';

/*
 * What torch.save wrote from 0.1.12 to 1.5: pickles of a magic number, a version, facts about the machine, the
 * object, and the keys of its storages; then the storages, each a count of elements (int64) and the elements,
 * little endian whatever the facts about the machine say. Source: _legacy_load in torch/serialization.py.
 */

const MAGIC = 0x1950a86a20f9469cfc6cn;
const VERSION = 1001;

/**
 * Reads the pickles of a checkpoint of torch 0.1.12 to 1.5 and finds its storages.
 *
 * @throws MuseTalkError `BAD_FILE` when it is cut short, contradictory or hostile, `WRONG_FILE` for element
 * types that are not supported.
 */
export async function readPytorchLegacy(source: ByteSource): Promise<PickledFile> {
  const { path, size } = source;
  const stream = new PickleStream(source, 0, size);
  const plain = pythonClasses(path);
  const magic = await stream.pickle(plain, 64);
  if (magic !== MAGIC) throw badFile(path, 'this is not a PyTorch file: the magic number is wrong');
  const version = await stream.pickle(plain, 64);
  if (version !== VERSION) throw badFile(path, `unknown protocol version ${quoted(version)}`);
  await stream.pickle(plain);

  const storages = new Map<string, StorageRef>();
  const value = await stream.pickle(
    torchClasses(path, (id) => noting(path, storages, storageOfId(path, id))),
    1 << 18,
  );
  const keys = await stream.pickle(plain, 1 << 16);
  const places = await walkStorages(source, stream, storages, keys);
  return {
    value,
    place({ key }) {
      const place = places.get(key);
      if (place === undefined) throw badFile(path, `storage ${quoted(key)} has no data`);
      return place;
    },
  };
}

/** Remembers each storage that the object mentions: the data after it do not say how wide their elements are. */
function noting(path: string, storages: Map<string, StorageRef>, found: unknown): unknown {
  if (!(found instanceof StorageHandle)) return found;
  const { ref } = found;
  const known = storages.get(ref.key);
  if (known !== undefined && (known.dtype !== ref.dtype || known.bytes !== ref.bytes)) {
    throw badFile(path, `storage ${quoted(ref.key)} is described in two ways`);
  }
  storages.set(ref.key, ref);
  return found;
}

async function walkStorages(
  source: ByteSource,
  stream: PickleStream,
  storages: ReadonlyMap<string, StorageRef>,
  keys: unknown,
): Promise<Map<string, StoragePlace>> {
  const { path } = source;
  if (!Array.isArray(keys)) throw badFile(path, 'the list of storages is missing');
  const places = new Map<string, StoragePlace>();
  for (const key of keys.map(plainText)) {
    const what = `storage ${quoted(key)}`;
    const storage = storages.get(key);
    if (storage === undefined) throw badFile(path, `there are data for ${what}, which no tensor uses`);
    if (places.has(key)) throw badFile(path, `there are data for ${what} twice`);
    places.set(key, await nextStorage(source, stream, storage, what));
  }
  return places;
}

/** Reads the count of the storage that comes next and passes over its data. */
async function nextStorage(
  source: ByteSource,
  stream: PickleStream,
  { dtype, bytes }: Pick<StorageRef, 'dtype' | 'bytes'>,
  what: string,
): Promise<StoragePlace> {
  const { path } = source;
  const width = dtype === undefined ? 1 : BYTES_PER_ELEMENT[dtype];
  const elements = await stream.int64(`the size of ${what}`);
  if (elements < 0) throw badFile(path, `${what} has a negative size: ${elements} elements`);
  if (elements * width !== bytes) {
    throw badFile(path, `${what} has ${elements} elements, the tensors expect ${bytes / width}`);
  }
  const offset = stream.skip(bytes, what);
  return { offset, byteOrder: 'little', read: (start, length) => source.read(offset + start, length) };
}
