import { open } from 'node:fs/promises';
import { MuseTalkError } from '../../core/errors.ts';
import { type ByteSource, checkRange } from './byte-source.ts';
import { badFile, wrongFile } from './checkpoint-error.ts';

/** The system reads less than 2 GiB at a time. */
const LARGEST_READ = 1 << 30;

/**
 * A file as a source. It is read by position, never as a whole, and stays open until `close`.
 *
 * @throws MuseTalkError `NOT_FOUND` when there is no such file or it cannot be opened, `WRONG_FILE` for a folder
 * or a device.
 */
export async function openFileSource(path: string): Promise<ByteSource> {
  const file = await open(path, 'r').catch((cause) => {
    throw notOpened(path, cause);
  });
  const status = await file.stat();
  if (!status.isFile()) {
    await file.close();
    const kind = status.isDirectory() ? 'a folder' : 'a device or pipe';
    throw wrongFile(path, `this is ${kind}, a checkpoint file was expected`, 'Name the file itself.');
  }
  const { size } = status;

  return {
    path,
    size,
    async read(offset, length) {
      checkRange(path, size, offset, length);
      const bytes = allocate(path, length);
      for (let done = 0; done < length; ) {
        const wanted = Math.min(length - done, LARGEST_READ);
        const { bytesRead } = await file.read(bytes, done, wanted, offset + done).catch((cause) => {
          throw badFile(path, `reading ${wanted} bytes at ${offset + done} failed`, undefined, cause);
        });
        if (bytesRead === 0) throw badFile(path, `the file became shorter while it was read`);
        done += bytesRead;
      }
      return bytes;
    },
    close: () => file.close(),
  };
}

function allocate(path: string, length: number): Uint8Array {
  try {
    // Not filled with zeros first: every byte is read over, or an error is thrown.
    return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  } catch (cause) {
    throw new MuseTalkError('TOO_LARGE', `${path}: there is no memory for ${length} bytes at once`, {
      facts: { path, length },
      cause,
    });
  }
}

function notOpened(path: string, cause: NodeJS.ErrnoException): MuseTalkError {
  const missing = cause.code === 'ENOENT' || cause.code === 'ENOTDIR';
  return new MuseTalkError(
    'NOT_FOUND',
    missing ? `${path}: there is no such file` : `${path}: the file cannot be opened (${cause.code})`,
    {
      hint: missing ? 'Check the path, or fetch the models.' : 'Check its permissions.',
      facts: { path },
      cause,
    },
  );
}
