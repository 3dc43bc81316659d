/**
 * A list of records on disk that survives whatever ends the process: lines of JSON, only ever appended, each batch
 * synced before anybody hears that it is written. A line that a crash cut off is dropped when the list is read again.
 */
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { cannotWrite } from '../../media/output.ts';

/** Seams at which tests let the disk fail. */
export interface JournalDisk {
  write(file: FileHandle, bytes: Buffer, position: number): Promise<void>;
  sync(file: FileHandle): Promise<void>;
}

const realDisk: JournalDisk = {
  write: async (file, bytes, position) => {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  },
  sync: (file) => file.datasync(),
};

interface Waiting {
  readonly line: string;
  readonly done: () => void;
  readonly fail: (error: unknown) => void;
}

/** The list, open for appending; one process alone may have it open. */
export class Journal {
  readonly path: string;
  readonly #disk: JournalDisk;
  #file: FileHandle;
  #length: number;
  #lines: number;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  private constructor(path: string, file: FileHandle, length: number, lines: number, disk: JournalDisk) {
    this.path = path;
    this.#file = file;
    this.#length = length;
    this.#lines = lines;
    this.#disk = disk;
  }

  /** Opens the list, and gives what it holds. Lines that are no JSON are left out and counted. */
  static async open(
    path: string,
    disk: JournalDisk = realDisk,
  ): Promise<{ journal: Journal; entries: unknown[]; damaged: number }> {
    await rm(`${path}.new`, { force: true });
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw cannotWrite(path, error);
    });
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    const entries: unknown[] = [];
    let damaged = 0;
    for (const line of whole.split('\n')) {
      if (line === '') continue;
      try {
        entries.push(JSON.parse(line));
      } catch {
        damaged++;
      }
    }
    const file = await open(path, 'a').then(async (made) => {
      await made.close();
      return open(path, 'r+');
    });
    const length = Buffer.byteLength(whole);
    await file.truncate(length);
    return { journal: new Journal(path, file, length, entries.length, disk), entries, damaged };
  }

  /** Lines in the file now. */
  get lines(): number {
    return this.#lines;
  }

  /**
   * Adds a record; what is added meanwhile is written and synced with it in one go.
   *
   * @throws MuseTalkError CANNOT_WRITE; then the record is not in the list.
   */
  append(record: unknown): Promise<void> {
    const line = `${JSON.stringify(record)}\n`;
    return new Promise((done, fail) => {
      this.#waiting.push({ line, done, fail });
      this.#writing ??= this.#flush();
    });
  }

  async #flush(): Promise<void> {
    await Promise.resolve(); // lets what is appended in the same breath join
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const bytes = Buffer.from(batch.map(({ line }) => line).join(''));
      try {
        await this.#disk.write(this.#file, bytes, this.#length);
        await this.#disk.sync(this.#file);
        this.#length += bytes.length;
        this.#lines += batch.length;
        for (const { done } of batch) done();
      } catch (cause) {
        // What got onto the disk of this batch must not be read as written.
        await this.#file.truncate(this.#length).catch(() => {});
        const error = cannotWrite(this.path, cause);
        for (const { fail } of batch) fail(error);
      }
    }
    this.#writing = undefined;
  }

  /** Replaces all that was written by the records as they are then; a crash leaves the old list or the new one. */
  async rewrite(records: () => readonly unknown[]): Promise<void> {
    while (this.#writing) await this.#writing;
    const gate = this.#replace(records());
    this.#writing = gate.catch(() => {});
    try {
      await gate;
    } finally {
      this.#writing = undefined;
      if (this.#waiting.length > 0) this.#writing = this.#flush();
    }
  }

  async #replace(records: readonly unknown[]): Promise<void> {
    const bytes = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
    const next = await open(`${this.path}.new`, 'w+');
    try {
      await this.#disk.write(next, bytes, 0);
      await this.#disk.sync(next);
      await rename(`${this.path}.new`, this.path);
      await syncFolder(dirname(this.path));
    } catch (cause) {
      await next.close();
      await rm(`${this.path}.new`, { force: true });
      throw cannotWrite(this.path, cause);
    }
    await this.#file.close();
    this.#file = next;
    this.#length = bytes.length;
    this.#lines = records.length;
  }

  async close(): Promise<void> {
    while (this.#writing) await this.#writing;
    await this.#file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
