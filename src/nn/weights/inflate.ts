import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import type { Inflate } from './pytorch-zip.ts';

const inflateRawAsync = promisify(inflateRaw);

/** Deflate by zlib, which stops as soon as more comes out than was announced. */
export const inflate: Inflate = async (bytes, size) =>
  inflateRawAsync(bytes, { maxOutputLength: Math.max(size, 1) });
