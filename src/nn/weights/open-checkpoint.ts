import type { ByteSource } from './byte-source.ts';
import type { Checkpoint } from './checkpoint.ts';
import { badFile, wrongFile } from './checkpoint-error.ts';
import { fileKind, KIND_BYTES } from './file-kind.ts';
import { openFileSource } from './file-source.ts';
import { inflate } from './inflate.ts';
import { pickledCheckpoint } from './pickled-tensors.ts';
import { readPytorchLegacy } from './pytorch-legacy.ts';
import { readPytorchTar } from './pytorch-tar.ts';
import { readPytorchZip } from './pytorch-zip.ts';
import { openSafetensors } from './safetensors.ts';

/** How a file of weights is opened. */
export interface OpenCheckpointOptions {
  /** What the file should hold, as it follows "expected": `'the UNet of MuseTalk 1.5'`. Used in messages. */
  readonly expected?: string;
}

/**
 * Opens a file of weights, whatever its name: safetensors, or what `torch.save` wrote in any of its three formats.
 * Names, shapes and places are read and checked at once, values only when they are asked for.
 *
 * The caller closes it. Nothing in the file is ever executed.
 *
 * @throws MuseTalkError `NOT_FOUND`; `WRONG_FILE` when it is something else (a web page, a Git LFS pointer, a
 * folder, another kind of file); `BAD_FILE` when it is empty, cut short, contradictory or hostile.
 */
export async function openCheckpoint(
  path: string,
  { expected = 'a checkpoint (PyTorch or safetensors)' }: OpenCheckpointOptions = {},
): Promise<Checkpoint> {
  const source = await openFileSource(path);
  try {
    return await openSource(source, expected);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** The same for bytes from anywhere; see `openCheckpoint`. */
export async function openSource(source: ByteSource, expected: string): Promise<Checkpoint> {
  const { path, size } = source;
  if (size === 0) throw badFile(path, `the file is empty, expected ${expected}`);
  const kind = fileKind(await source.read(0, Math.min(size, KIND_BYTES)));
  switch (kind?.is) {
    case 'safetensors':
      return openSafetensors(source);
    case 'pytorch-zip':
      return pickledCheckpoint(source, kind.is, await readPytorchZip(source, inflate));
    case 'pytorch-legacy':
      return pickledCheckpoint(source, kind.is, await readPytorchLegacy(source));
    case 'pytorch-tar':
      return pickledCheckpoint(source, kind.is, await readPytorchTar(source));
    case 'other':
      throw wrongFile(
        path,
        `this is ${kind.what}, which is no format of weights; expected ${expected}`,
        kind.hint,
      );
    default:
      if (size < 16) throw badFile(path, `the file is too short (${size} bytes), expected ${expected}`);
      throw wrongFile(path, `the format of this file is unknown, expected ${expected}`);
  }
}
