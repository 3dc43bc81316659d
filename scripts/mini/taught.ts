/** What `teach.ts` and `guide.ts` wrote down, as targets for the sound encoder. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MINI_CODE } from '../../src/networks/mini-face.ts';

/** Numbers of the teacher's embedding. */
export const TAUGHT = 96;

/** The teacher's numbers of one sound, [one every 40 ms, 96], or nothing where it was not taught. */
export async function taught(data: string, name: string): Promise<Float32Array | undefined> {
  const bytes = await readFile(join(data, 'taught', `${name}.f32`)).catch(() => undefined);
  return bytes && new Float32Array(Uint8Array.from(bytes).buffer);
}

/** Numbers of a row of codes: the lip code and the opening. */
export const NUMBERS = MINI_CODE + 1;

/** The lip codes that the guides hear in one sound, [rows, 9] at 50 rows a second, or nothing where they were not asked. */
export async function guidedRows(
  data: string,
  name: string,
  rows: number,
): Promise<Float32Array | undefined> {
  const bytes = await readFile(join(data, 'guided', `${name}.f32`)).catch(() => undefined);
  if (!bytes) return undefined;
  const given = new Float32Array(Uint8Array.from(bytes).buffer);
  const last = given.length / NUMBERS - 1;
  const codes = new Float32Array(rows * NUMBERS);
  for (let row = 0; row < rows; row++) {
    const at = Math.min(Math.max(row / 2 - 0.25, 0), last - 0.001);
    const [i, f] = [Math.floor(at), at - Math.floor(at)];
    for (let c = 0; c < NUMBERS; c++)
      codes[row * NUMBERS + c] = (1 - f) * given[i * NUMBERS + c]! + f * given[(i + 1) * NUMBERS + c]!;
  }
  return codes;
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
