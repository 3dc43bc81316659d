import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noise } from '../../test/noise.ts';
import { image } from './image.ts';
import { pasteMasked } from './paste.ts';
import { blendIntoPlanar, type PlanarCode, type PlanarImage, planarSize, resamplePlanar } from './planar.ts';
import { resample } from './resample.ts';

const CODES: Readonly<Record<string, PlanarCode>> = {
  'BT.601, studio range': { red: 0.299, blue: 0.114, range: 'tv' },
  'BT.601, full range': { red: 0.299, blue: 0.114, range: 'pc' },
  'BT.709, studio range': { red: 0.2126, blue: 0.0722, range: 'tv' },
  'BT.2020, full range': { red: 0.2627, blue: 0.0593, range: 'pc' },
};

/** A picture of one colour, by the formulas of ITU-R BT.601 and BT.709 as they are written there. */
function plain(width: number, height: number, [r, g, b]: readonly number[], code: PlanarCode): PlanarImage {
  const luma = code.red * r! + (1 - code.red - code.blue) * g! + code.blue * b!;
  const [cb, cr] = [(b! - luma) / (2 - 2 * code.blue), (r! - luma) / (2 - 2 * code.red)];
  const [y, u, v] =
    code.range === 'pc'
      ? [luma, 128 + cb, 128 + cr]
      : [16 + (219 / 255) * luma, 128 + (224 / 255) * cb, 128 + (224 / 255) * cr];
  const data = new Uint8Array(planarSize(width, height));
  const pixels = width * height;
  const byte = (value: number) => Math.min(255, Math.round(value));
  data.fill(byte(y!), 0, pixels);
  data.fill(byte(u!), pixels, (pixels * 5) / 4);
  data.fill(byte(v!), (pixels * 5) / 4);
  return { width, height, code, data };
}

const COLORS = [
  [0, 0, 0],
  [255, 255, 255],
  [200, 120, 90],
  [30, 90, 160],
  [255, 0, 0],
  [0, 0, 255],
];

for (const [name, code] of Object.entries(CODES)) {
  test(`colours come out as they went in: ${name}`, () => {
    for (const color of COLORS) {
      const picture = plain(16, 12, color, code);
      const axis = { start: 2.3, step: 0.7 };
      const { data } = resamplePlanar(picture, axis, axis, 4, 3);
      for (const [i, value] of data.entries())
        assert.ok(Math.abs(value - color[i % 3]!) <= 2, `${color} came out as ${data.subarray(0, 3)}`);
    }
  });

  test(`what is drawn shows in its colour, and nothing else changes: ${name}`, () => {
    for (const color of COLORS) {
      const frame = plain(16, 12, [90, 80, 70], code);
      const before = frame.data.slice();
      const drawn = image(
        6,
        5,
        3,
        Uint8Array.from({ length: 90 }, (_, i) => color[i % 3]!),
      );
      const mask = new Uint8Array(6 * 5).fill(255);
      blendIntoPlanar(frame, drawn, { data: mask, at: 0, stride: 6 }, 3, 4);
      const whole = plain(16, 12, color, code);
      for (let y = 0; y < 12; y++) {
        for (let x = 0; x < 16; x++) {
          const inside = x >= 3 && x < 9 && y >= 4 && y < 9;
          const at = y * 16 + x;
          assert.ok(
            Math.abs(frame.data[at]! - (inside ? whole : { data: before }).data[at]!) <= 1,
            `${x}, ${y}`,
          );
        }
      }
      for (let y = 0; y < 6; y++) {
        for (let x = 0; x < 8; x++) {
          for (const plane of [16 * 12, 16 * 12 + 48]) {
            const at = plane + y * 8 + x;
            // Columns 3 and 8 lie alone in their places of colour, as does row 8.
            const share = ([0, 0.5, 1, 1, 0.5][x] ?? 0) * ([0, 0, 1, 1, 0.5][y] ?? 0);
            const wanted = before[at]! * (1 - share) + whole.data[at]! * share;
            assert.ok(
              Math.abs(frame.data[at]! - wanted) <= 1,
              `colour at ${x}, ${y}: ${frame.data[at]}, not ${wanted}`,
            );
          }
        }
      }
    }
  });
}

/** Planes of an RGB picture whose colour does not change within four pixels. */
function planesOf(width: number, height: number, colorOf: (x: number, y: number) => readonly number[]) {
  const code = CODES['BT.709, studio range']!;
  const frame = plain(width, height, [0, 0, 0], code);
  const rgb = image(width, height, 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const color = colorOf(x >> 1, y >> 1);
      rgb.data.set(color, (y * width + x) * 3);
      const one = plain(2, 2, color, code).data;
      frame.data[y * width + x] = one[0]!;
      frame.data[width * height + (y >> 1) * (width >> 1) + (x >> 1)] = one[4]!;
      frame.data[(width * height * 5) / 4 + (y >> 1) * (width >> 1) + (x >> 1)] = one[5]!;
    }
  }
  return { frame, rgb };
}

test('a planar picture is cut out and drawn on as the same picture in RGB', () => {
  const [width, height] = [64, 48];
  const { frame, rgb } = planesOf(width, height, (x, y) => [
    128 + 80 * Math.sin(x / 12),
    110 + 60 * Math.cos(y / 10),
    100 + 50 * Math.sin((x + y) / 14),
  ]);
  const [across, down] = [
    { start: 10.4, step: 1.3 },
    { start: -3.2, step: 1.1 },
  ];
  const cut = resamplePlanar(frame, across, down, 40, 40);
  const expected = resample(rgb, across, down, 40, 40);
  assertNear(cut.data, expected.data, 4);

  const drawn = noise(20, 16, 3);
  for (let i = 0; i < drawn.data.length; i++) drawn.data[i] = 100 + drawn.data[i]! / 4;
  const mask = image(
    20,
    16,
    1,
    Uint8Array.from({ length: 320 }, (_, i) => (i % 20) * 13),
  );
  blendIntoPlanar(frame, drawn, { data: mask.data, at: 0, stride: 20 }, 12, 14);
  pasteMasked(rgb, drawn, mask, 12, 14);
  const whole = { start: 0, step: 4 };
  // In the mean of sixteen pixels the colours agree, wherever in four pixels they lay.
  assertNear(resamplePlanar(frame, whole, whole, 16, 12).data, resample(rgb, whole, whole, 16, 12).data, 3);
});

function assertNear(found: Uint8Array, wanted: Uint8Array, tolerance: number) {
  const worst = found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0);
  assert.ok(worst <= tolerance, `they differ by ${worst}`);
}
