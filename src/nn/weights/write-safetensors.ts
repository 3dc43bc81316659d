import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { MuseTalkError } from '../../core/errors.ts';
import { BYTES_PER_ELEMENT, type DType, sizeOf, type Tensor } from '../../core/tensor.ts';
import { SAFETENSORS_DTYPES } from './safetensors.ts';
import { encodeTensor } from './tensor-bytes.ts';

/** A tensor whose values are made only when it is its turn to be written. */
export interface DeferredTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  load(): Promise<Tensor>;
}

/** A tensor with the name it gets in the file. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor | DeferredTensor;
}

/**
 * Writes tensors as a safetensors file, one after another, so that only one deferred tensor is held at a time.
 *
 * The file appears whole or not at all: it is written under a temporary name in the same folder, synced and
 * renamed. The widest element types come first and the data start at a multiple of 8, so every tensor is aligned.
 *
 * @param metadata texts for the header's `__metadata__`.
 * @throws MuseTalkError `CANNOT_WRITE` when the disk is full or the folder cannot be written.
 * @throws RangeError when a name comes twice, or a tensor is not of the type and shape that it announced.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<NamedTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const ordered = [...tensors].sort((a, b) => widthOf(b) - widthOf(a));
  const header = headerOf(ordered, metadata);
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      await writeAll(file, header);
      for (const { name, tensor } of ordered) await writeAll(file, encodeTensor(await loaded(name, tensor)));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw isSystemError(cause) ? cannotWrite(path, cause) : cause;
  }
}

function headerOf(tensors: readonly NamedTensor[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const described = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) described.set('__metadata__', metadata);
  let begin = 0;
  for (const { name, tensor } of tensors) {
    if (described.has(name) || name === '__metadata__') throw new RangeError(`the name ${name} is taken`);
    const end = begin + sizeOf(tensor.shape) * BYTES_PER_ELEMENT[tensor.dtype];
    described.set(name, { dtype: typeName(tensor.dtype), shape: tensor.shape, data_offsets: [begin, end] });
    begin = end;
  }
  // Written by hand because an object would put names like "10" first and lose "__proto__".
  const rows = Array.from(described, ([name, row]) => `${JSON.stringify(name)}:${JSON.stringify(row)}`);
  const json = new TextEncoder().encode(`{${rows.join(',')}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, 8);
  return header;
}

async function loaded(name: string, tensor: Tensor | DeferredTensor): Promise<Tensor> {
  const whole = 'load' in tensor ? await tensor.load() : tensor;
  if (whole.dtype !== tensor.dtype || whole.data.length !== sizeOf(tensor.shape)) {
    throw new RangeError(
      `tensor ${name} is not the ${tensor.dtype} [${tensor.shape.join(', ')}] it announced`,
    );
  }
  return whole;
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.length - done, 1 << 26));
    done += bytesWritten;
  }
}

function typeName(dtype: DType): string {
  return Object.keys(SAFETENSORS_DTYPES).find((key) => SAFETENSORS_DTYPES[key] === dtype)!;
}

function widthOf({ tensor }: NamedTensor): number {
  return BYTES_PER_ELEMENT[tensor.dtype];
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

function cannotWrite(path: string, cause: NodeJS.ErrnoException): MuseTalkError {
  const reason = cause.code === 'ENOSPC' ? 'the disk is full' : `${cause.code}`;
  return new MuseTalkError('CANNOT_WRITE', `${path}: the weights cannot be written (${reason})`, {
    hint: 'Free some space, or name a folder that can be written.',
    facts: { path },
    cause,
  });
}
