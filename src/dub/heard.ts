/** What is heard in each frame of a dub, from any frame on: from the model, or from a file that was filled by it. */
import { type FileHandle, open } from 'node:fs/promises';
import { skip } from '../core/stream.ts';
import { type FloatTensor, sizeOf, tensor } from '../core/tensor.ts';
import type { ConditionsOptions, LipModel } from '../lips/lip-model.ts';
import { cannotWrite, settle } from '../media/output.ts';
import type { SoundSource } from '../media/source.ts';

/** The conditions of a dub from frame `start` on, in order. */
export type Heard = (start: number) => AsyncIterable<FloatTensor>;

/** What the model hears. It listens from the beginning of the sound each time. */
export function hearing(model: LipModel, sound: SoundSource, options: ConditionsOptions): Heard {
  return (start) => skip(model.conditions(sound, options), start);
}

/** Begins to listen at once, for the first who asks from the first frame on. To be closed, in case nobody does. */
export function primed(heard: Heard): Heard & { close(): Promise<void> } {
  const early = heard(0)[Symbol.asyncIterator]();
  const first = early.next();
  first.catch(() => {}); // whoever reads will hear of it
  let taken = false;
  async function* all() {
    try {
      for (let next = await first; !next.done; next = await early.next()) yield next.value as FloatTensor;
    } finally {
      await early.return?.();
    }
  }
  const hear = (start: number) => {
    if (start > 0 || taken) return heard(start);
    taken = true;
    return all();
  };
  return Object.assign(hear, {
    close: async () => {
      await early.return?.();
    },
  });
}

/** Numbers of a condition up to which all of them are kept: a lip code is, a window of Whisper's features is not. */
const KEPT_NUMBERS = 256;

/** Frames that are read or written at once. */
const CHUNK = 1024;

/**
 * Writes all conditions to a file, little endian, whole or not at all; gives the shape of one. Where they are too
 * large for that, nothing is written and none is given: hearing them again costs little beside drawing then.
 *
 * @throws MuseTalkError CANNOT_WRITE; what hearing throws.
 */
export async function keepHeard(path: string, heard: Heard): Promise<readonly number[] | undefined> {
  let shape: readonly number[] | undefined;
  let file: FileHandle | undefined;
  let held: Float32Array[] = [];
  const flush = async () => {
    await file?.appendFile(Buffer.concat(held.map(bytesOf))).catch((cause) => {
      throw cannotWrite(path, cause);
    });
    held = [];
  };
  try {
    for await (const condition of heard(0)) {
      if (condition.data.length > KEPT_NUMBERS) return undefined;
      shape ??= condition.shape;
      file ??= await open(`${path}.part`, 'w').catch((cause) => {
        throw cannotWrite(path, cause);
      });
      held.push(condition.data);
      if (held.length === CHUNK) await flush();
    }
    await flush();
  } finally {
    await file?.close();
  }
  if (shape) await settle(`${path}.part`, path);
  return shape;
}

/** Conditions of a shape that were kept in a file. */
export function keptHeard(path: string, shape: readonly number[]): Heard {
  return async function* (start) {
    const size = sizeOf(shape);
    const file = await open(path, 'r');
    try {
      for (let first = start; ; first += CHUNK) {
        const numbers = new Float32Array(CHUNK * size);
        const { bytesRead } = await file.read(bytesOf(numbers), 0, numbers.byteLength, first * size * 4);
        const count = Math.floor(bytesRead / (size * 4));
        for (let i = 0; i < count; i++) yield tensor(shape, numbers.slice(i * size, (i + 1) * size));
        if (count < CHUNK) return;
      }
    } finally {
      await file.close();
    }
  };
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
