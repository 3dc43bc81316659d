import assert from 'node:assert/strict';
import { test } from 'node:test';
import { piecesOf } from './segments.ts';

test('parts speak with their own sounds, in the order of time, and the video is heard in between', () => {
  const pieces = piecesOf(
    '/job',
    [
      { start: 6, end: 8, sound: 1, from: 0, to: undefined },
      { start: 1, end: 3, sound: 0, from: 0.5, to: 1.5 },
    ],
    10,
  );
  assert.deepEqual(pieces, [
    { duration: 1, path: '/job/video', from: 0 },
    { duration: 1, path: '/job/sound', from: 0.5 },
    { duration: 1 },
    { duration: 3, path: '/job/video', from: 3 },
    { duration: 2, path: '/job/sound-2', from: 0 },
    { duration: 2, path: '/job/video', from: 8 },
  ]);
});

test('a part that reaches beyond the video ends with it, and one that begins there is refused', () => {
  const part = (start: number, end: number) => [{ start, end, sound: 0, from: 0, to: undefined }];
  assert.deepEqual(piecesOf('/job', part(0, 20), 10), [{ duration: 10, path: '/job/sound', from: 0 }]);
  assert.throws(() => piecesOf('/job', part(10, 20), 10), { code: 'BAD_OPTION' });
});
