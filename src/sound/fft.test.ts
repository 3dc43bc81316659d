import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededUniform } from '../nn/seeded-weights.ts';
import { powerSpectrum } from './fft.ts';

/** The definition, term by term. */
function naive(input: Float64Array): Float64Array {
  return Float64Array.from({ length: input.length / 2 + 1 }, (_, k) => {
    let [re, im] = [0, 0];
    for (const [i, x] of input.entries()) {
      re += x * Math.cos((2 * Math.PI * ((i * k) % input.length)) / input.length);
      im -= x * Math.sin((2 * Math.PI * ((i * k) % input.length)) / input.length);
    }
    return re * re + im * im;
  });
}

for (const size of [2, 4, 6, 10, 14, 16, 30, 46, 400, 512]) {
  test(`the power spectrum of ${size} samples is that of the definition`, () => {
    const input = Float64Array.from({ length: size }, (_, i) => seededUniform(size, i));
    const power = new Float64Array(size / 2 + 1);
    powerSpectrum(size)(input, power);
    for (const [k, expected] of naive(input).entries()) {
      assert.ok(Math.abs(power[k]! - expected) <= 1e-10 * size, `bin ${k}: ${power[k]} for ${expected}`);
    }
  });
}

test('an odd or empty length is refused', () => {
  for (const size of [0, -2, 401, 2.5]) assert.throws(() => powerSpectrum(size), /even length/);
});
