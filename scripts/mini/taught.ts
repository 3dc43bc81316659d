/** What `teach.ts` wrote down, as targets for the sound encoder. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Numbers of the teacher's embedding. */
export const TAUGHT = 96;

/** The teacher's numbers of one sound, [one every 40 ms, 96], or nothing where it was not taught. */
export async function taught(data: string, name: string): Promise<Float32Array | undefined> {
  const bytes = await readFile(join(data, 'taught', `${name}.f32`)).catch(() => undefined);
  return bytes && new Float32Array(Uint8Array.from(bytes).buffer);
}

/** Brings each of the 96 numbers to mean 0 and deviation 1 over all sounds, in place. */
export function standardise(sounds: Iterable<{ readonly embedding?: Float32Array | undefined }>): void {
  const all = new Set([...sounds].flatMap(({ embedding }) => embedding ?? []));
  const [sums, squares] = [new Float64Array(TAUGHT), new Float64Array(TAUGHT)];
  let count = 0;
  for (const embedding of all) {
    for (let i = 0; i < embedding.length; i++) {
      sums[i % TAUGHT]! += embedding[i]!;
      squares[i % TAUGHT]! += embedding[i]! ** 2;
    }
    count += embedding.length / TAUGHT;
  }
  for (const embedding of all) {
    for (let i = 0; i < embedding.length; i++) {
      const mean = sums[i % TAUGHT]! / count;
      embedding[i] = (embedding[i]! - mean) / Math.sqrt(squares[i % TAUGHT]! / count - mean ** 2 + 1e-6);
    }
  }
}
