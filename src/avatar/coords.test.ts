import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratch } from '../../test/media-fixtures.ts';
import { fixturePath } from '../../test/shared.ts';
import { readCoords, writeCoords } from './coords.ts';

test('boxes come back as they were written', async (t) => {
  const path = join(await scratch(t), 'coords.json');
  const boxes = [{ x1: 1, y1: 2, x2: 30, y2: 40.5 }, null, { x1: -3, y1: 0, x2: 5, y2: 6 }];
  await writeCoords(path, boxes);
  assert.deepEqual(await readCoords(path), boxes);
});

test("upstream's zeros are frames without a face", async (t) => {
  const path = join(await scratch(t), 'coords.json');
  await writeFile(path, '[[0, 0, 0, 0], [1, 2, 3, 4], null]');
  assert.deepEqual(await readCoords(path), [null, { x1: 1, y1: 2, x2: 3, y2: 4 }, null]);
});

test("upstream's pickle is read", async () => {
  const boxes = await readCoords(fixturePath('avatar', 'avatar', 'coords.pkl'));
  assert.equal(boxes.length, 12);
  assert.deepEqual(boxes[0], { x1: 34, y1: 21, x2: 84, y2: 89 });
});

test('files that hold no boxes are refused, and the entry is named', async (t) => {
  const path = join(await scratch(t), 'coords.json');
  const cases: [string, RegExp][] = [
    ['{"a": 1}', /no list/],
    ['not json', /not JSON/],
    ['[[1, 2, 3]]', /entry 0/],
    ['[null, [1, 2, "3", 4]]', /entry 1/],
    ['[[5, 5, 5, 9]]', /empty/],
  ];
  for (const [text, message] of cases) {
    await writeFile(path, text);
    await assert.rejects(readCoords(path), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'WRONG_FILE');
      assert.match(error.message, message);
      return true;
    });
  }
  await assert.rejects(readCoords(`${path}.not`), { code: 'NOT_FOUND' });
});
