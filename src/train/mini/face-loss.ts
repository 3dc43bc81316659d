/** What the picture network of mini is trained towards, as functions from values to a value. */
import { tensor } from '../../core/tensor.ts';
import { MINI_SIZE } from '../../networks/mini-face.ts';
import { abs, add, mul, relu, sub } from '../../nn/ops/arithmetic.ts';
import { averagePool } from '../../nn/ops/conv.ts';
import { meanAll } from '../../nn/ops/reduce.ts';
import { slice } from '../../nn/ops/shape.ts';
import type { Value } from '../../nn/value.ts';
import { constant, fixed } from '../../nn/value.ts';

const HALF = MINI_SIZE / 2;

/** Where the mouth lies in the lower half: its middle and how far the weight reaches, in pixels. */
const MOUTH = { row: 97 - HALF, rows: 15, column: 64, columns: 24, weight: 4 };

/** The rows and columns of the lower half that the discriminator looks at: lips, teeth and chin. */
export const MOUTH_CUT = { top: 74 - HALF, bottom: 122 - HALF, left: 28, right: 100 };

/** 1 everywhere, up to 5 in the middle of the mouth: [1, 1, 64, 128]. */
function mouthWeight(): Value {
  const weight = tensor([1, 1, HALF, MINI_SIZE]);
  for (let y = 0; y < HALF; y++) {
    for (let x = 0; x < MINI_SIZE; x++) {
      const v = (y - MOUTH.row) / MOUTH.rows;
      const u = (x - MOUTH.column) / MOUTH.columns;
      weight.data[y * MINI_SIZE + x] = 1 + MOUTH.weight * Math.exp(-(u * u + v * v) / 2);
    }
  }
  return constant(weight);
}

/**
 * Distance of pixels and of their slopes, the mouth counting up to five times:
 * mean w|d| + mean w|∂x d| + mean w|∂y d| + ½ (the slopes of the picture halved), d = drawn − target.
 *
 * drawn, target: [B, 3, 64, 128] in −1 … 1
 */
export function pictureLoss(drawn: Value, target: Value): Value {
  const d = sub(drawn, target);
  const w = mouthWeight();
  const fine = add(weighted(d, w), slopes(d, w));
  return add(fine, mul(slopes(averagePool(d, { kernel: 2 }), averagePool(w, { kernel: 2 })), 0.5));
}

function weighted(d: Value, w: Value): Value {
  return meanAll(mul(abs(d), w));
}

function slopes(d: Value, w: Value): Value {
  const [height, width] = [fixed(d, 2), fixed(d, 3)];
  const across = sub(slice(d, 3, 1, width), slice(d, 3, 0, width - 1));
  const down = sub(slice(d, 2, 1, height), slice(d, 2, 0, height - 1));
  return add(weighted(across, slice(w, 3, 1, width)), weighted(down, slice(w, 2, 1, height)));
}

/** The mouth of a lower half: [B, 3, 64, 128] → [B, 3, 48, 72]. */
export function mouthCut(lower: Value): Value {
  const { top, bottom, left, right } = MOUTH_CUT;
  return slice(slice(lower, 2, top, bottom), 3, left, right);
}

/** Hinge loss of the discriminator: mean max(0, 1 − D(real)) + mean max(0, 1 + D(drawn)). */
export function hingeLoss(real: Value, drawn: Value): Value {
  return add(meanAll(relu(sub(1, real))), meanAll(relu(add(drawn, 1))));
}

/** Mean distance of the discriminator's hidden layers. */
export function featureDistance(real: readonly Value[], drawn: readonly Value[]): Value {
  return mul(real.map((layer, i) => meanAll(abs(sub(layer, drawn[i]!)))).reduce(add), 1 / real.length);
}
