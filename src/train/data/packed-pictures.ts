/**
 * Many small pictures in one file, read one at a time in any order. JPEG files one after another, then their ends as
 * 32-bit numbers, then how many there are.
 */
import { type FileHandle, open, rename } from 'node:fs/promises';
import { MuseTalkError } from '../../core/errors.ts';
import type { Image } from '../../image/image.ts';
import { decodePicture, encodeJpeg } from '../../media/picture-bytes.ts';

/** Nothing that a network of 256 pixels could see is lost. */
const QUALITY = 95;

/** Writes pictures as they come; the file is there once all of them are in it. */
export async function writePictures(path: string, pictures: AsyncIterable<Image>): Promise<number> {
  const part = `${path}.part`;
  const file = await open(part, 'w');
  const ends: number[] = [];
  try {
    let end = 0;
    for await (const picture of pictures) {
      const bytes = await encodeJpeg(picture, QUALITY);
      await file.write(bytes);
      end += bytes.length;
      ends.push(end);
    }
    await file.write(new Uint8Array(Uint32Array.from([...ends, ends.length]).buffer));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
  return ends.length;
}

/** Pictures of a file. It is open only while one is read, so there may be any number of such files. */
export class PackedPictures {
  readonly #path: string;
  #ends: Uint32Array | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The picture with a number, from 0. @throws MuseTalkError BAD_FILE */
  async read(index: number): Promise<Image> {
    const file = await open(this.#path, 'r').catch((cause) => {
      throw this.#damaged('it is gone', cause);
    });
    try {
      this.#ends ??= await this.#readEnds(file);
      const [start, end] = [index === 0 ? 0 : this.#ends[index - 1]!, this.#ends[index]];
      if (end === undefined) throw this.#damaged(`it has no picture ${index}`);
      return await decodePicture(await bytesAt(file, start, end - start));
    } finally {
      await file.close();
    }
  }

  async #readEnds(file: FileHandle): Promise<Uint32Array> {
    const { size } = await file.stat();
    const count = size < 4 ? 0 : new Uint32Array((await bytesAt(file, size - 4, 4)).buffer)[0]!;
    const start = size - 4 * (count + 1);
    if (count === 0 || start < 0) throw this.#damaged('it is cut off');
    return new Uint32Array((await bytesAt(file, start, 4 * count)).buffer);
  }

  #damaged(why: string, cause?: unknown): MuseTalkError {
    return new MuseTalkError('BAD_FILE', `${this.#path} cannot be read: ${why}`, {
      hint: 'Remove the folder with the prepared data and prepare it again.',
      facts: { path: this.#path },
      cause,
    });
  }
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  await file.read(bytes, 0, length, position);
  return bytes;
}
