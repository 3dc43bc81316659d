import type { ByteSource } from './byte-source.ts';
import { badFile, quoted, wrongFile } from './checkpoint-error.ts';
import { latin1Text } from './pickle-bytes.ts';

/*
 * The directory of a zip file, with the 64-bit fields of files over 4 GB.
 * Format: PKWARE's APPNOTE.TXT, sections 4.3.7 (local header), 4.3.12 to 4.3.16 (directory), 4.5.3 (zip64).
 */

/** One file in a zip. */
export interface ZipRecord {
  readonly name: string;
  /** Bytes of the content. */
  readonly size: number;
  /** Bytes that it takes in the file; the same when it is stored. */
  readonly compressedSize: number;
  readonly isDeflated: boolean;
  /** Position of its local header. The content follows, after a name and padding of lengths given there. */
  readonly headerOffset: number;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;

const END_LENGTH = 22;
const LONGEST_COMMENT = 0xffff;
/** Directories of checkpoints have some hundred bytes a tensor. */
const LARGEST_DIRECTORY = 64 << 20;

/**
 * Reads the directory at the end of a zip file.
 *
 * @throws MuseTalkError `BAD_FILE` when the file is cut short or its directory is contradictory, `WRONG_FILE`
 * when it is encrypted or packed in an unusual way.
 */
export async function readZipDirectory(source: ByteSource): Promise<Map<string, ZipRecord>> {
  const { path } = source;
  const { count, size, offset } = await findDirectory(source);
  if (size > LARGEST_DIRECTORY) throw badFile(path, `the directory of the zip is too large: ${size} bytes`);
  const bytes = await source.read(offset, size);
  const records = new Map<string, ZipRecord>();
  let position = 0;
  for (let i = 0; i < count; i++) {
    const { record, end } = parseEntry(path, bytes, position);
    if (records.has(record.name)) throw badFile(path, `the zip has the record ${quoted(record.name)} twice`);
    records.set(record.name, record);
    position = end;
  }
  return records;
}

/** Where the content of a record starts. Only its local header knows: torch pads there, and not in the directory. */
export async function contentOffset(source: ByteSource, record: ZipRecord): Promise<number> {
  const { path, size } = source;
  const what = `record ${quoted(record.name)}`;
  if (record.headerOffset + 30 > size) throw badFile(path, `${what} starts beyond the file of ${size} bytes`);
  const header = viewOf(await source.read(record.headerOffset, 30));
  if (header.getUint32(0, true) !== LOCAL_HEADER)
    throw badFile(path, `${what} has no header where it should start`);
  const offset = record.headerOffset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  if (offset + record.compressedSize > size) {
    throw badFile(
      path,
      `${what} reaches to byte ${offset + record.compressedSize}, beyond the file of ${size} bytes`,
    );
  }
  return offset;
}

interface Directory {
  readonly count: number;
  readonly size: number;
  readonly offset: number;
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  const { path, size } = source;
  const tailLength = Math.min(size, END_LENGTH + LONGEST_COMMENT);
  const tail = viewOf(await source.read(size - tailLength, tailLength));
  const end = lastEnd(tail);
  if (end === undefined) {
    throw badFile(
      path,
      `the file is truncated or incomplete: a zip of ${size} bytes without its directory at the end`,
    );
  }
  const short = {
    count: tail.getUint16(end + 10, true),
    size: tail.getUint32(end + 12, true),
    offset: tail.getUint32(end + 16, true),
  };
  const endOffset = size - tailLength + end;
  const directory = (await findDirectory64(source, endOffset)) ?? short;
  if (directory.offset + directory.size > endOffset || directory.count * 46 > directory.size) {
    throw badFile(path, 'the file is truncated or incomplete: the directory of the zip does not fit into it');
  }
  return directory;
}

/** The end record whose comment reaches exactly to the end of the file. */
function lastEnd(tail: DataView): number | undefined {
  for (let at = tail.byteLength - END_LENGTH; at >= 0; at--) {
    const fits = () => at + END_LENGTH + tail.getUint16(at + 20, true) === tail.byteLength;
    if (tail.getUint32(at, true) === END && fits()) return at;
  }
  return undefined;
}

async function findDirectory64(source: ByteSource, endOffset: number): Promise<Directory | undefined> {
  const { path } = source;
  if (endOffset < 20) return undefined;
  const locator = viewOf(await source.read(endOffset - 20, 20));
  if (locator.getUint32(0, true) !== END64_LOCATOR) return undefined;
  const offset = uint64(locator, 8);
  if (offset + 56 > endOffset) throw badFile(path, 'the zip64 end record lies outside the file');
  const end = viewOf(await source.read(offset, 56));
  if (end.getUint32(0, true) !== END64)
    throw badFile(path, 'the zip64 end record is missing where it should be');
  return { count: uint64(end, 32), size: uint64(end, 40), offset: uint64(end, 48) };
}

function parseEntry(path: string, bytes: Uint8Array, start: number): { record: ZipRecord; end: number } {
  const view = viewOf(bytes);
  const isWhole = start + 46 <= bytes.length && view.getUint32(start, true) === DIRECTORY_ENTRY;
  if (!isWhole) throw badFile(path, 'the directory of the zip is broken');
  const flags = view.getUint16(start + 8, true);
  const method = view.getUint16(start + 10, true);
  const nameEnd = start + 46 + view.getUint16(start + 28, true);
  const extraEnd = nameEnd + view.getUint16(start + 30, true);
  const end = extraEnd + view.getUint16(start + 32, true);
  if (end > bytes.length) throw badFile(path, 'the directory of the zip is broken');

  const nameBytes = bytes.subarray(start + 46, nameEnd);
  const name = flags & 0x800 ? new TextDecoder().decode(nameBytes) : latin1Text(nameBytes);
  if (flags & 1) throw wrongFile(path, `the zip is encrypted (record ${quoted(name)})`);
  if (method !== 0 && method !== 8) {
    throw wrongFile(path, `record ${quoted(name)} is packed by method ${method}, which is not supported`);
  }
  const short = [24, 20, 42].map((field) => view.getUint32(start + field, true));
  const [size, compressedSize, headerOffset] = widened(path, name, short, bytes.subarray(nameEnd, extraEnd));
  if (method === 0 && size !== compressedSize) {
    throw badFile(
      path,
      `record ${quoted(name)} is stored, but has two sizes: ${size} and ${compressedSize} bytes`,
    );
  }
  return {
    record: {
      name,
      size: size!,
      compressedSize: compressedSize!,
      isDeflated: method === 8,
      headerOffset: headerOffset!,
    },
    end,
  };
}

/** Replaces the fields that are all ones by those of the zip64 extra field, which holds only these, in order. */
function widened(path: string, name: string, short: readonly number[], extra: Uint8Array): number[] {
  const wide = zip64Field(extra);
  let at = 0;
  return short.map((value) => {
    if (value !== 0xffffffff) return value;
    if (wide === undefined || at + 8 > wide.byteLength) {
      throw badFile(path, `record ${quoted(name)} lacks its 64-bit sizes in the directory`);
    }
    at += 8;
    return uint64(wide, at - 8);
  });
}

function zip64Field(extra: Uint8Array): DataView | undefined {
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1) return viewOf(extra.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return undefined;
}

/** As a double: exact up to 2⁵³, and anything beyond is longer than any file. */
function uint64(view: DataView, offset: number): number {
  return Number(view.getBigUint64(offset, true));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
