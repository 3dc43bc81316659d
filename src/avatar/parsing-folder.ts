import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';
import { type Image, image } from '../image/image.ts';
import type { Parse } from '../lips/musetalk.ts';
import { readImage, sortPictures } from '../media/image-files.ts';

/** Class maps that are kept in memory, for pictures and short cycles. */
const KEPT = 4;

/**
 * Face parsing from files instead of a network: a folder of grey PNGs that hold the class number of each pixel of
 * the enlarged crop, 512 × 512. Frame k takes the file with the number k in its name; a folder that holds none for
 * it is gone through in order and again from its start (file k modulo their number).
 *
 * @throws MuseTalkError NOT_FOUND when there are no PNGs; when a map is read, WRONG_FILE or BAD_FILE.
 */
export async function parsingFolder(folder: string): Promise<Parse> {
  const names = await readdir(folder).catch((cause) => {
    throw new MuseTalkError('NOT_FOUND', `cannot read the folder ${folder}`, { facts: { folder }, cause });
  });
  const sorted = sortPictures(names.filter((name) => extname(name).toLowerCase() === '.png'));
  if (sorted.length === 0) {
    throw new MuseTalkError('NOT_FOUND', `the folder ${folder} holds no class maps`, {
      hint: 'Put PNG files into it, one for each frame.',
      facts: { folder },
    });
  }
  const byNumber = new Map(
    sorted.map((name) => [Number(/(\d+)\.png$/i.exec(name)?.[1] ?? Number.NaN), name]),
  );
  const kept = new Map<string, Promise<Image>>();
  return async ({ index }) => {
    const name = byNumber.get(index) ?? sorted[index % sorted.length]!;
    const known = kept.get(name) ?? readClasses(join(folder, name));
    kept.delete(name); // to the end: the oldest goes first
    kept.set(name, known);
    if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
    return known;
  };
}

async function readClasses(path: string): Promise<Image> {
  const { width, height, data } = await readImage(path);
  const classes = image(width, height, 1);
  for (let i = 0; i < classes.data.length; i++) classes.data[i] = data[3 * i]!;
  const highest = classes.data.reduce((most, value) => Math.max(most, value), 0);
  if (highest <= 18 && width === height) return classes;
  throw new MuseTalkError('WRONG_FILE', `${path} is not a map of face classes`, {
    hint: 'Each pixel is a class number of 0 … 18, in a square picture.',
    facts: { path, width, height, highest },
  });
}
