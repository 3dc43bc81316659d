import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './float16.ts';

const every = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);

test('float16 values are what their bits say', () => {
  const table: [bits: number, value: number][] = [
    [0x0000, 0],
    [0x8000, -0],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x0400, 2 ** -14],
    [0x3555, 0.333251953125],
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
  ];
  for (const [bits, value] of table) assert.equal(float16ToFloat32(Uint16Array.of(bits))[0], value);
});

test('every float16 and every bfloat16 comes back from float32 as it was', () => {
  for (const [widen, narrow, infinity] of [
    [float16ToFloat32, float32ToFloat16, 0x7c00],
    [bfloat16ToFloat32, float32ToBfloat16, 0x7f80],
  ] as const) {
    const wide = widen(every);
    const back = narrow(wide);
    for (const bits of every) {
      if ((bits & 0x7fff) > infinity) {
        assert.ok(Number.isNaN(wide[bits]) && (back[bits]! & 0x7fff) > infinity, `NaN ${bits.toString(16)}`);
      } else {
        assert.equal(back[bits], bits);
      }
    }
  }
});

test('float16 rounds to nearest, ties to even, at every boundary between two neighbours', () => {
  const wide = float16ToFloat32(every);
  for (let bits = 0; bits < 0x7bff; bits++) {
    const low = wide[bits]!;
    const high = wide[bits + 1]!;
    const middle = (low + high) / 2; // exact in float32: one more bit is enough
    const even = bits % 2 === 0 ? bits : bits + 1;
    const above = Math.fround(middle * (1 + 2 ** -23));
    const below = Math.fround(middle * (1 - 2 ** -23));
    const [m, a, b, n] = float32ToFloat16(Float32Array.of(middle, above, below, -middle));
    assert.deepEqual([m, a, b, n], [even, bits + 1, bits, even | 0x8000], `between ${low} and ${high}`);
  }
});

test('float16 overflows from 65520 on and vanishes up to half of the smallest subnormal', () => {
  const values = Float32Array.of(65519.996, 65520, 3.4e38, 2 ** -25, 2 ** -25 * 1.0001, 1e-45);
  assert.deepEqual([...float32ToFloat16(values)], [0x7bff, 0x7c00, 0x7c00, 0, 1, 0]);
});

test('bfloat16 rounds to nearest, ties to even', () => {
  const values = new Float32Array(
    Uint32Array.of(0x3f808000, 0x3f818000, 0x3f808001, 0x7f7fffff, 0x7f800001).buffer,
  );
  assert.deepEqual([...float32ToBfloat16(values)], [0x3f80, 0x3f82, 0x3f81, 0x7f80, 0x7fc0]);
});
