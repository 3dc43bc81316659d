import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratch } from '../../test/media-fixtures.ts';
import { type Image, image } from '../image/image.ts';
import { writeImage } from '../media/write-frames.ts';
import { parsingFolder } from './parsing-folder.ts';

/** A map that is of one class throughout. */
function flat(number: number): Image {
  const classes = image(16, 16, 1);
  classes.data.fill(number);
  return classes;
}

const frame = (index: number) => ({ ...image(4, 4, 3), index });
const area = { x1: 0, y1: 0, x2: 4, y2: 4 };

test('a frame takes the map with its number, else the maps in turn', async (t) => {
  const folder = await scratch(t);
  for (const [name, number] of [
    ['classes_0', 10],
    ['classes_1', 11],
    ['classes_2', 12],
  ] as const) {
    await writeImage(join(folder, `${name}.png`), flat(number));
  }
  const parse = await parsingFolder(folder);
  const numbers = [];
  for (const index of [0, 1, 2, 3, 4, 11, 2, 0]) numbers.push((await parse(frame(index), area)).data[0]);
  assert.deepEqual(numbers, [10, 11, 12, 10, 11, 12, 12, 10]);
});

test('maps with gaps in their numbers keep their places', async (t) => {
  const folder = await scratch(t);
  for (const number of [0, 2, 5]) await writeImage(join(folder, `0000000${number}.png`), flat(number));
  const parse = await parsingFolder(folder);
  for (const index of [0, 2, 5]) assert.equal((await parse(frame(index), area)).data[0], index);
});

test('an empty folder, and a picture that is no class map, are refused', async (t) => {
  const folder = await scratch(t);
  await assert.rejects(parsingFolder(folder), { code: 'NOT_FOUND' });
  await assert.rejects(parsingFolder(join(folder, 'nowhere')), { code: 'NOT_FOUND' });
  const photos = join(folder, 'photos');
  await mkdir(photos);
  await writeImage(join(photos, '0.png'), flat(200));
  const parse = await parsingFolder(photos);
  await assert.rejects(parse(frame(0), area), { code: 'WRONG_FILE' });
});
