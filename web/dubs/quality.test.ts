import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readQuality } from './quality.ts';

// What remembers the reader's language.
Object.defineProperty(globalThis, 'localStorage', { value: { getItem: () => 'en' } });

const window = (start: number, offset: number | null) => ({ start, end: start + 3, offset, confidence: 0.5 });

test('a report says how late the sound is, the page how late the lips are; what is not known is left out', () => {
  const quality = readQuality({
    findings: [],
    measures: { sync: { windows: [window(0, 0.12), window(1, null), window(2, 0)] } },
  });
  assert.deepEqual(
    quality?.offsets.map(({ start, offset }) => [start, offset]),
    [
      [0, -0.12],
      [2, 0],
    ],
  );
});

test('what the page has words for is said in its language, anything else in the words of the report', () => {
  const finding = (code: string) => ({
    code,
    title: 'as measured',
    detail: 'by 3',
    spans: [],
    severity: 'fault',
  });
  const quality = readQuality({ findings: [finding('seam'), finding('of tomorrow')] });
  assert.deepEqual(
    quality?.findings.map(({ title }) => title),
    ['A seam shows', 'as measured'],
  );
});

test('what is no report of quality is none', () => {
  assert.equal(readQuality({ frames: 20, seconds: 3 }), undefined);
});
