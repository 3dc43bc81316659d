/** Saved boxes: a JSON list with `null` or `[x1, y1, x2, y2]` for each frame, or upstream's pickle of the same. */
import { readFile, writeFile } from 'node:fs/promises';
import type { Box } from '../core/box.ts';
import { MuseTalkError } from '../core/errors.ts';
import { openFileSource } from '../nn/weights/file-source.ts';
import { readPickle } from '../nn/weights/read-pickle.ts';

/**
 * The boxes in a file, one for each frame, before any margin. All zeros is upstream's way to say that a frame shows
 * no face.
 *
 * @throws MuseTalkError NOT_FOUND, WRONG_FILE or BAD_FILE.
 */
export async function readCoords(path: string): Promise<(Box | null)[]> {
  const list = /\.(pkl|pickle)$/i.test(path) ? await unpickled(path) : await parsedJson(path);
  if (!Array.isArray(list)) throw wrong(path, 'it holds no list');
  return list.map((entry, frame) => boxOf(entry, frame, path));
}

/** Writes boxes as `readCoords` reads them. @throws MuseTalkError CANNOT_WRITE. */
export async function writeCoords(path: string, coords: readonly (Box | null)[]): Promise<void> {
  const lines = coords.map((box) => JSON.stringify(box && [box.x1, box.y1, box.x2, box.y2]));
  await writeFile(path, `[\n${lines.join(',\n')}\n]\n`).catch((cause) => {
    throw new MuseTalkError('CANNOT_WRITE', `cannot write ${path}: ${cause.message}`, {
      hint: 'Write to another folder.',
      facts: { path },
      cause,
    });
  });
}

async function parsedJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new MuseTalkError('NOT_FOUND', `cannot read ${path}`, {
      hint: 'Name a file that --save-coords wrote.',
      facts: { path },
      cause,
    });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw wrong(path, 'it is not JSON', cause);
  }
}

async function unpickled(path: string): Promise<unknown> {
  const source = await openFileSource(path);
  try {
    return await readPickle(source);
  } finally {
    await source.close();
  }
}

function boxOf(entry: unknown, frame: number, path: string): Box | null {
  if (entry === null) return null;
  const numbers: unknown[] | undefined = Array.isArray(entry) ? entry : undefined;
  if (
    numbers?.length !== 4 ||
    !numbers.every((n): n is number => typeof n === 'number' && Number.isFinite(n))
  ) {
    throw wrong(path, `entry ${frame} is neither null nor four numbers`);
  }
  const [x1, y1, x2, y2] = numbers as [number, number, number, number];
  if (x1 === 0 && y1 === 0 && x2 === 0 && y2 === 0) return null;
  if (!(x2 > x1 && y2 > y1)) throw wrong(path, `the box of entry ${frame} is empty: ${numbers}`);
  return { x1, y1, x2, y2 };
}

function wrong(path: string, why: string, cause?: unknown): MuseTalkError {
  return new MuseTalkError('WRONG_FILE', `${path} holds no boxes: ${why}`, {
    hint: 'Give a JSON list with null or [x1, y1, x2, y2] for each frame.',
    facts: { path },
    cause,
  });
}
