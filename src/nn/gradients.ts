/**
 * Gradients as more graph: a table of derivatives, one row for each operator, and one walk from the loss back to
 * the values that are asked for. Shapes of training graphs are numbers, never names.
 */
import {
  batchNormGradients,
  instanceNormGradients,
  layerNormGradients,
  softmaxGradient,
} from './gradients/normalization.ts';
import {
  convGradients,
  convTransposeGradients,
  gemmGradients,
  matmulGradients,
} from './gradients/products.ts';
import { averagePoolGradient, maxPoolGradient, resizeGradient } from './gradients/resampling.ts';
import { type Applied, type GradientRule, type Inputs, integers, sizes, sumTo } from './gradients/rule.ts';
import {
  concatGradients,
  gatherGradient,
  noGradient,
  padGradient,
  sliceGradient,
} from './gradients/shape.ts';
import {
  add,
  and,
  cast,
  div,
  equal,
  exp,
  full,
  greater,
  greaterOrEqual,
  mul,
  neg,
  sign,
  square,
  sub,
  where,
} from './ops/arithmetic.ts';
import { concat, expand, reshape, transpose } from './ops/shape.ts';
import type { Node, Value } from './value.ts';
import { apply, fixed, nodesOf, numbersOf, shapeError } from './value.ts';

// One row for each ONNX operator, read as its derivative. To make an operator trainable, add its row here and a
// case to the table of gradients.test.ts.
const RULES: Readonly<Record<string, GradientRule>> = {
  Add: (dy, [a, b]) => [sumTo(dy, a.shape), sumTo(dy, b.shape)],
  Sub: (dy, [a, b]) => [sumTo(dy, a.shape), sumTo(neg(dy), b.shape)],
  Mul: (dy, [a, b], { y }) =>
    isSigmoidOf(b, a)
      ? [siluGradient(dy, a, b, y)]
      : [sumTo(mul(dy, b), a.shape), sumTo(mul(dy, a), b.shape)],
  Div: (dy, [a, b], { y }) => [sumTo(div(dy, b), a.shape), sumTo(neg(div(mul(dy, y), b)), b.shape)],
  Max: (dy, [a, b]) => pick(dy, a, b, greater(a, b)),
  Min: (dy, [a, b]) => pick(dy, a, b, greater(b, a)),
  Where: (dy, [condition, a, b]) => [
    undefined,
    sumTo(where(condition, dy, 0), a.shape),
    sumTo(where(condition, 0, dy), b.shape),
  ],

  Neg: (dy) => [neg(dy)],
  Abs: (dy, [x]) => [mul(dy, sign(x))],
  Exp: (dy, _, { y }) => [mul(dy, y)],
  Log: (dy, [x]) => [div(dy, x)],
  Sqrt: (dy, _, { y }) => [div(mul(dy, 0.5), y)],
  Erf: (dy, [x]) => [mul(dy, mul(exp(neg(square(x))), 2 / Math.sqrt(Math.PI)))],
  Sigmoid: (dy, _, { y }) => [mul(dy, mul(y, sub(1, y)))], // σ' = σ (1 − σ)
  Tanh: (dy, _, { y }) => [mul(dy, sub(1, square(y)))],
  Relu: (dy, [x]) => [where(greater(x, 0), dy, 0)],
  LeakyRelu: (dy, [x], { attributes }) => [
    where(greater(x, 0), dy, mul(dy, (attributes.alpha as { float: number }).float)),
  ],
  HardSigmoid: (dy, _, { y, attributes }) => [
    where(and(greater(y, 0), greater(1, y)), mul(dy, (attributes.alpha as { float: number }).float), 0),
  ],
  // As in PyTorch, the gradient passes at the limits themselves.
  Clip: (dy, [x, low, high]) => [where(and(greaterOrEqual(x, low), greaterOrEqual(high, x)), dy, 0)],
  Cast: (dy, [x]) => [x.dtype.startsWith('float') ? cast(dy, x.dtype) : undefined],
  Identity: (dy) => [dy],
  StopGradient: () => [],

  MatMul: matmulGradients,
  Gemm: gemmGradients,
  Conv: convGradients,
  ConvTranspose: convTransposeGradients,
  AveragePool: averagePoolGradient,
  MaxPool: maxPoolGradient,
  Resize: resizeGradient,

  ReduceSum: (dy, [x, axes], { attributes }) => [spread(dy, x, axes, attributes.keepdims !== 0)],
  ReduceMean: (dy, [x, axes], { attributes }) => {
    const count = axesOf(x, axes).reduce((all, axis) => all * fixed(x, axis), 1);
    return [spread(mul(dy, 1 / count), x, axes, attributes.keepdims !== 0)];
  },
  Softmax: softmaxGradient,
  LayerNormalization: layerNormGradients,
  InstanceNormalization: instanceNormGradients,
  BatchNormalization: batchNormGradients,

  Reshape: (dy, [x]) => [reshape(dy, x.shape)],
  Unsqueeze: (dy, [x]) => [reshape(dy, x.shape)],
  Squeeze: (dy, [x]) => [reshape(dy, x.shape)],
  Flatten: (dy, [x]) => [reshape(dy, x.shape)],
  Expand: (dy, [x]) => [sumTo(dy, x.shape)],
  Transpose: (dy, [x], { attributes }) => {
    const order = integers(attributes, 'perm');
    return [
      transpose(
        dy,
        x.shape.map((_, axis) => order.indexOf(axis)),
      ),
    ];
  },
  Concat: concatGradients,
  Split: (_, _x, { attributes, dys }) => [concat(dys, attributes.axis as number)],
  Slice: sliceGradient,
  Pad: padGradient,
  Gather: gatherGradient,
};

/**
 * The gradients of a loss: for each value of `wrt` the derivative of `loss` (a scalar, or the sum of its elements)
 * by it, of the value's shape. A value on which the loss does not depend gets zeros.
 *
 * `seed`, of the loss's shape, stands for the loss's own gradient; ones when left out.
 *
 * @throws MuseTalkError GRAPH when an operator on the way has no derivative.
 */
export function gradients(loss: Value, wrt: readonly Value[], seed = onesLike(loss)): Value[] {
  return gradientsOf([[loss, seed]], wrt);
}

/** The gradients of Σ value · seed over several pairs of a value and its own gradient. */
export function gradientsOf(seeds: readonly (readonly [Value, Value])[], wrt: readonly Value[]): Value[] {
  const nodes = nodesOf(seeds.map(([value]) => value));
  const moving = dependents(nodes, wrt);
  const known = new Map<Value, Value>();
  const addTo = (value: Value, gradient: Value) => {
    const before = known.get(value);
    known.set(value, before ? add(before, gradient) : gradient);
  };
  for (const [value, seed] of seeds) addTo(value, seed);
  for (const node of nodes.reverse()) {
    if (!node.outputs.some((output) => moving.has(output) && known.has(output))) continue;
    for (const [i, gradient] of derive(node, known).entries()) {
      const to = node.inputs[i];
      if (gradient && to && moving.has(to)) addTo(to, gradient);
    }
  }
  return wrt.map((value) => known.get(value) ?? full(sizes(value), 0));
}

/** Holds a value constant: it is the same number, and no gradient passes through it. */
export function stopGradient(x: Value): Value {
  return apply('StopGradient', [x], x.shape);
}

/** The values through which a change of `wrt` reaches the results of `nodes`. */
function dependents(nodes: readonly Node[], wrt: readonly Value[]): Set<Value> {
  const moving = new Set(wrt);
  for (const node of nodes) {
    if (!node.inputs.some((value) => value && moving.has(value))) continue;
    for (const output of node.outputs) moving.add(output);
  }
  return moving;
}

function derive(node: Node, known: ReadonlyMap<Value, Value>): readonly (Value | undefined)[] {
  const rule = RULES[node.op];
  if (!rule) throw noGradient(node.op);
  const dys = node.outputs.map((output) => known.get(output) ?? full(sizes(output), 0));
  const at: Applied = { y: node.outputs[0]!, attributes: node.attributes, dys };
  return rule(dys[0]!, node.inputs as unknown as Inputs, at);
}

function onesLike(value: Value): Value {
  return full(sizes(value), 1);
}

/** Of two values of which one was chosen; equal ones share the gradient, as in PyTorch. */
function pick(dy: Value, a: Value, b: Value, first: Value): Value[] {
  const share = where(equal(a, b), mul(dy, 0.5), where(first, dy, 0));
  return [sumTo(share, a.shape), sumTo(sub(dy, share), b.shape)];
}

function isSigmoidOf({ source }: Value, x: Value): boolean {
  return source.kind === 'node' && source.node.op === 'Sigmoid' && source.node.inputs[0] === x;
}

/** y = x σ(x), the whole derivative at once: dy σ (1 + x − y). */
function siluGradient(dy: Value, x: Value, sigma: Value, y: Value): Value {
  const steep = mul(dy, sigma);
  return add(steep, mul(steep, sub(x, y)));
}

function axesOf(x: Value, axes: Value | undefined): number[] {
  const given = axes ? numbersOf(axes) : x.shape.map((_, i) => i);
  if (!given) throw shapeError('Reduce', 'no gradient when the axes are not constant', x);
  return given.map((axis) => (axis < 0 ? axis + x.shape.length : axis));
}

/** The gradient of a sum: dy repeated along the axes that were summed. */
function spread(dy: Value, x: Value, axes: Value | undefined, kept: boolean): Value {
  const summed = axesOf(x, axes);
  const shape = sizes(x);
  const thin = kept
    ? dy
    : reshape(
        dy,
        shape.map((size, i) => (summed.includes(i) ? 1 : size)),
      );
  return expand(thin, shape);
}
