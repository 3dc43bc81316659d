/**
 * The bytes of frames whose reader is done with them, for the next frames of the same decoding. A frame is too large
 * to be left to the garbage collector hundreds of times a second: it would go through everything every few frames.
 */
import type { Image } from '../image/image.ts';

/** Streams hold on to small chunks after they took them, and small frames are no burden. */
const WORTH_KEEPING = 2 ** 16;

const homes = new WeakMap<Uint8Array, Uint8Array<ArrayBuffer>[]>();

/** Bytes for a frame: some that came back, if there are any. */
export function takeBytes(spare: Uint8Array<ArrayBuffer>[], size: number): Uint8Array<ArrayBuffer> {
  const bytes = spare.pop() ?? new Uint8Array(size);
  if (size >= WORTH_KEEPING) homes.set(bytes, spare);
  return bytes;
}

/**
 * Gives the bytes of a decoded frame back. For the last one who holds them: they will show another frame. Pictures of
 * other origin stay as they are.
 */
export function giveBack({ data }: Pick<Image, 'data'>): void {
  const home = homes.get(data);
  if (home === undefined) return;
  homes.delete(data);
  home.push(data as Uint8Array<ArrayBuffer>);
}
