import { MuseTalkError } from '../../core/errors.ts';

/** Bytes that can be read at any position: a file, or (in tests and browsers) a buffer. */
export interface ByteSource {
  /** What the bytes are called in messages; the path, if they are a file. */
  readonly path: string;
  readonly size: number;

  /**
   * Exactly `length` bytes from `offset`, in a buffer of their own.
   *
   * @throws MuseTalkError `BAD_FILE` when they reach beyond the end.
   */
  read(offset: number, length: number): Promise<Uint8Array>;

  close(): Promise<void>;
}

/** A buffer as a source. */
export function memorySource(path: string, bytes: Uint8Array): ByteSource {
  return {
    path,
    size: bytes.length,
    async read(offset, length) {
      checkRange(path, bytes.length, offset, length);
      return bytes.slice(offset, offset + length);
    },
    async close() {},
  };
}

/** @throws MuseTalkError `BAD_FILE` unless `offset … offset + length` lies within `size` bytes. */
export function checkRange(path: string, size: number, offset: number, length: number): void {
  if (offset >= 0 && length >= 0 && offset + length <= size) return;
  throw new MuseTalkError(
    'BAD_FILE',
    `${path}: the file is truncated or incomplete: it ends at ${size} bytes, ${offset + length} are needed`,
    { hint: 'Fetch the file again.', facts: { path, size, offset, length } },
  );
}
