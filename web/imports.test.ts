// The page is a client: of the program it takes types, and the few pure formulas that both must agree on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importsOf, sourcesUnder } from '../test/sources.ts';

/** What is bundled into the page from src. */
const SHARED = ['src/avatar/order.ts', 'src/face/crop-box.ts'];

test('the page takes only types and the shared formulas from the program', () => {
  const imports = sourcesUnder('web').flatMap(importsOf);
  const taken = imports.filter(({ target, typeOnly }) => target.startsWith('src/') && !typeOnly);
  assert.deepEqual([...new Set(taken.map(({ target }) => target))].sort(), SHARED);
});
