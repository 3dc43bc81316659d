import type { ByteSource } from './byte-source.ts';
import { badFile } from './checkpoint-error.ts';
import { type PickleClasses, runPickle } from './pickle.ts';
import { PickleEnds } from './pickle-bytes.ts';
import { LARGEST_PICKLE } from './pytorch-zip.ts';

/**
 * A run of pickles and raw numbers, one after another, as the formats before torch 1.6 have them. How long a
 * pickle is shows only by reading it, so a window is read and widened until it holds the whole of it.
 */
export class PickleStream {
  private readonly source: ByteSource;
  private readonly end: number;
  /** Position in the file of what comes next. */
  position: number;

  constructor(source: ByteSource, start: number, end: number) {
    this.source = source;
    this.position = start;
    this.end = end;
  }

  get isAtEnd(): boolean {
    return this.position >= this.end;
  }

  /** The next pickle; `window` is the number of bytes that one of its kind usually needs. */
  async pickle(classes: PickleClasses, window = 4096): Promise<unknown> {
    const { path } = this.source;
    const available = Math.min(this.end - this.position, LARGEST_PICKLE);
    for (let length = Math.min(window, available); ; ) {
      const bytes = await this.source.read(this.position, length);
      try {
        const { value, end } = runPickle(path, bytes, classes);
        this.position += end;
        return value;
      } catch (error) {
        if (!(error instanceof PickleEnds)) throw error;
        if (error.needed > available)
          throw badFile(path, 'the pickle in the file is broken: it ends too early');
        length = Math.min(Math.max(4 * length, error.needed), available);
      }
    }
  }

  async int64(what: string): Promise<number> {
    return Number((await this.view(8, what)).getBigInt64(0, true));
  }

  /** `length` bytes as they are. */
  async view(length: number, what: string): Promise<DataView> {
    const start = this.skip(length, what);
    return new DataView((await this.source.read(start, length)).buffer);
  }

  /** Passes over `length` bytes and gives the position of the first of them. */
  skip(length: number, what: string): number {
    const start = this.position;
    if (start + length > this.end) {
      const { path, size } = this.source;
      throw badFile(
        path,
        `the file of ${size} bytes ends inside ${what}, which takes ${length} bytes from ${start}`,
      );
    }
    this.position += length;
    return start;
  }
}
