import type { ByteSource } from './byte-source.ts';
import { badFile, quoted, wrongFile } from './checkpoint-error.ts';
import { runPickle } from './pickle.ts';
import { latin1Text, PickleEnds } from './pickle-bytes.ts';
import type { PickledFile, StoragePlace } from './pickled-tensors.ts';
import type { ByteOrder } from './tensor-bytes.ts';
import { type StorageRef, storageOfId, torchClasses } from './torch-classes.ts';
import { contentOffset, readZipDirectory, type ZipRecord } from './zip-directory.ts';

/*
 * What torch.save writes since 1.6: a zip with one folder, in it `data.pkl` (the object, its storages by key),
 * `data/<key>` (the bytes of each storage, stored and aligned), `byteorder`, `version`.
 * Source: torch/serialization.py, caffe2/serialize/inline_container.cc.
 */

/** Unpacks deflated bytes of known size. The core knows no zlib, so it is given. */
export type Inflate = (bytes: Uint8Array, size: number) => Promise<Uint8Array>;

/** Pickles hold no weights; the logs of a long training are the largest. */
export const LARGEST_PICKLE = 512 << 20;
const LARGEST_DEFLATED_PICKLE = 64 << 20;
/** Deflate makes nothing smaller than this part of its size. */
const BEST_DEFLATE_RATIO = 1040;

/**
 * Reads the pickle and the directory of a checkpoint of torch 1.6 or later.
 *
 * @throws MuseTalkError `WRONG_FILE` for another zip, TorchScript, or element types that are not supported;
 * `BAD_FILE` when it is cut short, contradictory or hostile.
 */
export async function readPytorchZip(source: ByteSource, inflate: Inflate): Promise<PickledFile> {
  const { path } = source;
  const archive = { source, inflate, records: underRoot(path, await readZipDirectory(source)) };
  const value = await readObject(archive);
  const byteOrder = await readByteOrder(archive);
  const places = new Map<string, Promise<StoragePlace>>();
  return {
    value,
    place(storage) {
      checkSize(archive, storage);
      const place = places.get(storage.key) ?? placeStorage(archive, storage, byteOrder);
      places.set(storage.key, place);
      return place;
    },
  };
}

interface Archive {
  readonly source: ByteSource;
  readonly inflate: Inflate;
  /** Records by their name under the root folder. */
  readonly records: ReadonlyMap<string, ZipRecord>;
}

/** The object in `data.pkl`, its tensors as references. */
async function readObject(archive: Archive): Promise<unknown> {
  const { path } = archive.source;
  const bytes = await readRecord(archive, archive.records.get('data.pkl')!);
  const classes = torchClasses(path, (id) => storageOfId(path, id));
  try {
    return runPickle(path, bytes, classes).value;
  } catch (error) {
    if (error instanceof PickleEnds)
      throw badFile(path, 'the pickle in the file is broken: it ends too early');
    throw error;
  }
}

/** The records by their name under the one folder that has a `data.pkl`, whatever the folder is called. */
function underRoot(path: string, records: ReadonlyMap<string, ZipRecord>): Map<string, ZipRecord> {
  const roots = [...records.keys()]
    .filter((name) => /^([^/]*\/)?data\.pkl$/.test(name))
    .map((name) => name.slice(0, -'data.pkl'.length));
  if (roots.length === 0) {
    throw wrongFile(
      path,
      'this is a zip, but no PyTorch checkpoint (it has no data.pkl)',
      'Unpack it first.',
    );
  }
  if (roots.length > 1) {
    throw badFile(
      path,
      `it is ambiguous: there is a data.pkl under more than one root (${roots.map(quoted)})`,
    );
  }
  const root = roots[0]!;
  const inside = new Map<string, ZipRecord>();
  for (const [name, record] of records) {
    if (name.startsWith(root)) inside.set(name.slice(root.length), record);
  }
  if (inside.has('constants.pkl') || [...inside.keys()].some((name) => name.startsWith('code/'))) {
    throw wrongFile(
      path,
      'this is a TorchScript archive (a program), not a checkpoint of tensors',
      'Save the state_dict() of the loaded module instead.',
    );
  }
  return inside;
}

async function readByteOrder(archive: Archive): Promise<ByteOrder> {
  const record = archive.records.get('byteorder');
  if (record === undefined) return 'little';
  const { path } = archive.source;
  if (record.size > 64) throw badFile(path, `the byteorder record has ${record.size} bytes`);
  const text = latin1Text(await readRecord(archive, record)).trim();
  if (text !== 'little' && text !== 'big') throw badFile(path, `unknown byte order ${quoted(text)}`);
  return text;
}

async function readRecord({ source, inflate }: Archive, record: ZipRecord): Promise<Uint8Array> {
  const { path } = source;
  const offset = await contentOffset(source, record);
  if (record.size > (record.isDeflated ? LARGEST_DEFLATED_PICKLE : LARGEST_PICKLE)) {
    throw badFile(path, `record ${quoted(record.name)} is too large: ${record.size} bytes`);
  }
  const bytes = await source.read(offset, record.compressedSize);
  return record.isDeflated ? unpack(path, inflate, record, bytes) : bytes;
}

async function unpack(
  path: string,
  inflate: Inflate,
  record: ZipRecord,
  packed: Uint8Array,
): Promise<Uint8Array> {
  const what = `record ${quoted(record.name)}`;
  if (record.size > packed.length * BEST_DEFLATE_RATIO) {
    throw badFile(path, `${what} of ${packed.length} bytes cannot unpack to ${record.size} bytes`);
  }
  const bytes = await inflate(packed, record.size).catch((cause) => {
    throw badFile(path, `${what} cannot be unpacked`, undefined, cause);
  });
  if (bytes.length !== record.size) {
    throw badFile(path, `${what} unpacks to ${bytes.length} bytes, its directory says ${record.size}`);
  }
  return bytes;
}

function checkSize({ source, records }: Archive, { key, bytes }: StorageRef): void {
  const record = records.get(`data/${key}`);
  if (record === undefined) throw badFile(source.path, `record ${quoted(`data/${key}`)} is missing`);
  if (record.size !== bytes) {
    throw badFile(source.path, `record ${quoted(`data/${key}`)} has ${record.size} bytes, ${bytes} expected`);
  }
}

async function placeStorage(
  archive: Archive,
  { key }: StorageRef,
  byteOrder: ByteOrder,
): Promise<StoragePlace> {
  const { source, inflate } = archive;
  const record = archive.records.get(`data/${key}`)!;
  const offset = await contentOffset(source, record);
  if (!record.isDeflated) {
    return { offset, byteOrder, read: (start, length) => source.read(offset + start, length) };
  }
  return {
    offset,
    byteOrder,
    compressedLength: record.compressedSize,
    async read(start, length) {
      const packed = await source.read(offset, record.compressedSize);
      const bytes = await unpack(source.path, inflate, record, packed);
      return bytes.slice(start, start + length);
    },
  };
}
