import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Files, isId, sizeOf } from '../files.ts';
import type { Store, StoredFile } from './store.ts';

/** The data folder as the store: of one machine, or shared by several. Files lie where they are worked on. */
export class FolderStore implements Store {
  readonly #files: Files;

  constructor(files: Files) {
    this.#files = files;
  }

  async save(): Promise<void> {}

  async load(): Promise<void> {}

  async release(): Promise<void> {}

  async file(job: string, name: string): Promise<StoredFile | undefined> {
    const folder = this.#files.job(job);
    return (await sizeOf(join(folder, name))) === undefined ? undefined : { folder, name };
  }

  async bytes(job: string, name: string, most = Number.POSITIVE_INFINITY): Promise<Buffer | undefined> {
    const file = await open(join(this.#files.job(job), name)).catch(() => undefined);
    if (!file) return undefined;
    try {
      const size = Math.min(most, (await file.stat()).size);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  async remove(job: string): Promise<void> {
    await this.#files.removeJob(job);
  }

  /** What an attempt left is taken over, or removed, by the next one. */
  async forget(): Promise<void> {}

  async *jobs(): AsyncGenerator<string> {
    yield* (await readdir(this.#files.jobs)).filter(isId);
  }

  async healthy(): Promise<boolean> {
    return true;
  }
}
