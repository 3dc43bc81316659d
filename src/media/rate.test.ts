import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRate, rational, usualRate } from './rate.ts';

test('rates are read as the fraction that people mean', () => {
  const cases: [number | string, [number, number]][] = [
    [25, [25, 1]],
    ['25', [25, 1]],
    ['29.97', [30000, 1001]],
    [29.97002997002997, [30000, 1001]],
    ['23.976', [24000, 1001]],
    ['30000/1001', [30000, 1001]],
    ['50/2', [25, 1]],
    [12.5, [25, 2]],
    [0.5, [1, 2]],
    [29.9, [299, 10]],
  ];
  for (const [text, [num, den]] of cases) assert.deepEqual(parseRate(text), { num, den }, String(text));
});

test('what is no rate is refused', () => {
  for (const text of [0, -5, 1e9, Number.NaN, 'fast', '25/0', '0/1', '1e3', '', ' ', '25;30']) {
    assert.throws(() => parseRate(text), { code: 'BAD_OPTION' }, String(text));
  }
});

test('fractions are in lowest terms, and averages go to the rate near them', () => {
  assert.deepEqual(rational(1000, 40), { num: 25, den: 1 });
  assert.deepEqual(usualRate(29.83, 0.01), { num: 30000, den: 1001 });
  assert.deepEqual(usualRate(27.2, 0.01), { num: 136, den: 5 });
});
