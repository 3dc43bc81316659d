import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Image } from '../image/image.ts';
import { cannotWrite } from './output.ts';

/** How pictures of frames are numbered. */
export interface WriteFramesOptions {
  /** Number of the first file; 0 by default. */
  readonly first?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes frames as PNG files `00000000.png`, `00000001.png`, … into `folder`, which is made if needed; each file
 * is there whole or not at all. Gives the number of files.
 *
 * @throws MuseTalkError `CANNOT_WRITE`.
 */
export async function writeFrames(
  folder: string,
  frames: AsyncIterable<Image>,
  { first = 0, signal }: WriteFramesOptions = {},
): Promise<number> {
  await mkdir(folder, { recursive: true }).catch((cause) => {
    throw cannotWrite(folder, cause);
  });
  let written = 0;
  for await (const frame of frames) {
    signal?.throwIfAborted();
    await writeImage(join(folder, `${String(first + written).padStart(8, '0')}.png`), frame);
    written++;
  }
  return written;
}

/** Writes a picture as PNG, compressed for speed rather than size; whole or not at all. */
export async function writeImage(path: string, { width, height, channels, data }: Image): Promise<void> {
  const part = `${path}.part`;
  try {
    await sharp(data, { raw: { width, height, channels } }).png({ compressionLevel: 1 }).toFile(part);
    await rename(part, path);
  } catch (cause) {
    throw cannotWrite(path, cause);
  } finally {
    await rm(part, { force: true });
  }
}

/** A picture as the bytes of a PNG file, compressed for speed rather than size. */
export function encodePng({ width, height, channels, data }: Image): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels } }).png({ compressionLevel: 1 }).toBuffer();
}

/** A picture as the bytes of a JPEG file, good enough to judge by and small enough to send. */
export function encodeJpeg({ width, height, channels, data }: Image): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels } })
    .jpeg({ quality: 82, chromaSubsampling: '4:4:4' })
    .toBuffer();
}
