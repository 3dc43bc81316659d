import { type FileHandle, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';
import { hashOf, partOf, sizeOf } from './inventory.ts';

/** What a file must turn out to be. */
export interface Expected {
  readonly bytes: number | { readonly atLeast: number };
  readonly sha256?: string | undefined;
}

interface FinishOptions {
  readonly onCheck?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The bytes of a file that have come so far, on the disk beside its final place; locked against other processes
 * while it is open.
 */
export class Part {
  readonly path: string;
  readonly #target: string;
  readonly #handle: FileHandle;
  #size: number;

  /** @throws MuseTalkError CANNOT_WRITE, also while another process downloads the same file. */
  static async open(target: string): Promise<Part> {
    const path = partOf(target);
    try {
      await mkdir(dirname(target), { recursive: true });
      await lock(path);
      const size = (await sizeOf(path)) ?? 0;
      return new Part(path, target, await open(path, size > 0 ? 'r+' : 'w+'), size);
    } catch (cause) {
      throw cause instanceof MuseTalkError ? cause : cannotWrite(path, cause);
    }
  }

  private constructor(path: string, target: string, handle: FileHandle, size: number) {
    this.path = path;
    this.#target = target;
    this.#handle = handle;
    this.#size = size;
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** Adds bytes at the end. */
  async append(chunk: Uint8Array): Promise<void> {
    for (let done = 0; done < chunk.length; ) {
      const { bytesWritten } = await this.#handle
        .write(chunk, done, chunk.length - done, this.#size)
        .catch((cause) => {
          throw cannotWrite(this.path, cause);
        });
      done += bytesWritten;
      this.#size += bytesWritten;
    }
  }

  /** Forgets all bytes. */
  async restart(): Promise<void> {
    if (this.#size === 0) return;
    await this.#handle.truncate(0).catch((cause) => {
      throw cannotWrite(this.path, cause);
    });
    this.#size = 0;
  }

  /** Compares size and hash, makes sure that all is on the disk, and gives the file its name. */
  async finish(expected: Expected, { onCheck, signal }: FinishOptions = {}): Promise<void> {
    const total = this.#size;
    if (typeof expected.bytes === 'number' ? total !== expected.bytes : total < expected.bytes.atLeast)
      throw await this.#wrong(`has ${total} bytes`);
    if (expected.sha256 !== undefined) {
      const found = await hashOf(this.path, { signal, onBytes: (done) => onCheck?.(done, total) });
      if (found !== expected.sha256) throw await this.#wrong(`has the SHA-256 ${found}`);
    }
    try {
      await this.#handle.sync();
      await rename(this.path, this.#target);
    } catch (cause) {
      throw cannotWrite(this.#target, cause);
    }
  }

  async #wrong(how: string): Promise<MuseTalkError> {
    await this.restart();
    return new MuseTalkError(
      'WRONG_FILE',
      `what came for ${this.#target} ${how}, so it is not the published file`,
      {
        hint: 'It was removed. Try again; if it happens again, take another source with --from.',
        facts: { target: this.#target },
      },
    );
  }

  /** Leaves the part for the next time, or nothing where nothing came. */
  async close(): Promise<void> {
    await this.#handle.close();
    if (this.#size === 0) await rm(this.path, { force: true });
    await rm(lockOf(this.path), { force: true });
  }
}

/** A lock names its process; one whose process is gone counts for nothing. */
async function lock(path: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await writeFile(lockOf(path), String(process.pid), { flag: 'wx' });
      return;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === 1) throw cause;
    }
    const owner = Number(await readFile(lockOf(path), 'utf8').catch(() => ''));
    if (owner > 0 && isAlive(owner))
      throw new MuseTalkError('CANNOT_WRITE', `process ${owner} is downloading to ${path} already`, {
        hint: 'Wait until it has finished.',
        facts: { path, process: owner },
      });
    await rm(lockOf(path), { force: true });
  }
}

function lockOf(path: string): string {
  return `${path}.lock`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function cannotWrite(path: string, cause: unknown): MuseTalkError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new MuseTalkError('CANNOT_WRITE', `cannot write ${path}: ${full ? 'the disk is full' : message}`, {
    hint: full ? 'Free some space; what came is kept.' : 'Choose another folder with --models.',
    facts: { path },
    cause,
  });
}
