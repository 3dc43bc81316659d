/** Derivatives of pooling and resizing. */
import { full, mul } from '../ops/arithmetic.ts';
import { averagePool, convTranspose, matmul, upsampleNearest } from '../ops/conv.ts';
import { pad } from '../ops/shape.ts';
import type { Attributes, Node, Value } from '../value.ts';
import { apply, constant, ints, shapeError } from '../value.ts';
import { type GradientRule, integers, sizes } from './rule.ts';

/** Each output is the mean of a square: its gradient goes in equal parts to the square. */
export const averagePoolGradient: GradientRule = (dy, [x], { attributes }) => {
  const [kernel, stride, padding] = poolShape(attributes);
  const [, channels, height, width] = sizes(x) as [number, number, number, number];
  if (padding.some((extra) => extra > 0)) throw shapeError('AveragePool', 'no gradient with padding', x);
  const [rows, columns] = sizes(dy).slice(2) as [number, number];
  if (kernel !== stride) {
    const spread = convTranspose(dy, full([channels, 1, kernel, kernel], 1 / kernel ** 2), {
      stride,
      groups: channels,
    });
    return [padTo(spread, height, width)];
  }
  const spread = kernel === 1 ? dy : upsampleNearest(dy, kernel);
  return [padTo(mul(spread, 1 / kernel ** 2), height, width, rows * stride, columns * stride)];
};

/** Zeros below and to the right, for rows and columns that no window saw. */
function padTo(x: Value, height: number, width: number, rows = sizes(x)[2]!, columns = sizes(x)[3]!): Value {
  if (rows === height && columns === width) return x;
  return pad(x, [0, 0, 0, 0], [0, 0, height - rows, width - columns]);
}

/** The gradient goes to the first largest element of each window. Windows must not overlap. */
export const maxPoolGradient: GradientRule = (dy, [x], { y, attributes }) => {
  const [kernel, stride] = poolShape(attributes);
  if (stride < kernel) throw shapeError('MaxPool', 'no gradient for windows that overlap', x);
  return [
    apply('MaxUnpool', [dy, largest(x, y, attributes), ints(sizes(x))], x.shape, {
      attributes: { kernel_shape: [kernel, kernel], strides: [stride, stride] },
    }),
  ];
};

/** The place of each window's maximum in the flattened picture: MaxPool's second result. */
function largest(x: Value, y: Value, attributes: Attributes): Value {
  const outputs: Value[] = [];
  const node: Node = { op: 'MaxPool', inputs: [x], attributes, outputs };
  outputs.push({ dtype: x.dtype, shape: y.shape, source: { kind: 'node', node, index: 0 } });
  outputs.push({ dtype: 'int64', shape: y.shape, source: { kind: 'node', node, index: 1 } });
  return outputs[1]!;
}

function poolShape(attributes: Attributes): [kernel: number, stride: number, padding: number[]] {
  return [
    integers(attributes, 'kernel_shape')[0]!,
    integers(attributes, 'strides')[0]!,
    integers(attributes, 'pads'),
  ];
}

/** Resizing is a linear map of the rows and one of the columns, so its gradient is their transposes. */
export const resizeGradient: GradientRule = (dy, [x], { attributes }) => {
  const [inputs, outputs] = [sizes(x).slice(2), sizes(dy).slice(2)];
  const factor = outputs[0]! / inputs[0]!;
  if (attributes.mode === 'nearest' && Number.isInteger(factor) && outputs[1]! / inputs[1]! === factor) {
    // The factor comes first because ONNX Runtime would merge a padding before the pool into it, and then refuse it.
    return [factor === 1 ? dy : averagePool(mul(dy, factor ** 2), { kernel: factor })];
  }
  const weights = attributes.mode === 'nearest' ? nearestWeights : linearWeights(attributes);
  const [rows, columns] = inputs.map((size, i) => weights(size, outputs[i]!)) as [Float32Array, Float32Array];
  const [h, w] = inputs as [number, number];
  const [h2, w2] = outputs as [number, number];
  const wide = matmul(dy, constant({ dtype: 'float32', shape: [w2, w], data: columns })); // [B, C, h2, w]
  return [matmul(constant({ dtype: 'float32', shape: [h, h2], data: transposed(rows, h2, h) }), wide)];
};

/** The matrix [out, in] of nearest neighbours: output i takes input floor(i · in / out). */
function nearestWeights(size: number, out: number): Float32Array {
  const matrix = new Float32Array(out * size);
  for (let i = 0; i < out; i++) matrix[i * size + Math.floor((i * size) / out)] = 1;
  return matrix;
}

/** The matrix [out, in] of linear interpolation between pixel centres, borders repeated. */
function linearWeights({ coordinate_transformation_mode: mode }: Attributes) {
  return (size: number, out: number): Float32Array => {
    const matrix = new Float32Array(out * size);
    for (let i = 0; i < out; i++) {
      const at =
        mode === 'align_corners' ? (i * (size - 1)) / Math.max(out - 1, 1) : ((i + 0.5) * size) / out - 0.5;
      const inside = Math.min(Math.max(at, 0), size - 1);
      const low = Math.floor(inside);
      const high = Math.min(low + 1, size - 1);
      matrix[i * size + low]! += 1 - (inside - low);
      matrix[i * size + high]! += inside - low;
    }
    return matrix;
  };
}

function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from(matrix, (_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)]!);
}
