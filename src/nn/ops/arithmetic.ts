/** Operators that work on each element, with NumPy's broadcasting where they take two values. */
import type { DType } from '../../core/tensor.ts';
import type { Shape, Value } from '../value.ts';
import { apply, constant, float, scalar, shapeError } from '../value.ts';

/** The shape of two values combined by broadcasting: sizes equal, or one of them 1. */
export function broadcast(op: string, a: Value, b: Value): Shape {
  const rank = Math.max(a.shape.length, b.shape.length);
  return Array.from({ length: rank }, (_, i) => {
    const m = a.shape[a.shape.length - rank + i] ?? 1;
    const n = b.shape[b.shape.length - rank + i] ?? 1;
    if (m === n || n === 1) return m;
    if (m === 1) return n;
    throw shapeError(op, 'shapes cannot be combined', a, b);
  });
}

type Operand = Value | number;

function value(x: Operand): Value {
  return typeof x === 'number' ? scalar(x) : x;
}

function binary(op: string) {
  return (a: Operand, b: Operand): Value => {
    const [x, y] = [value(a), value(b)];
    return apply(op, [x, y], broadcast(op, x, y));
  };
}

function comparison(op: string) {
  return (a: Operand, b: Operand): Value => {
    const [x, y] = [value(a), value(b)];
    return apply(op, [x, y], broadcast(op, x, y), { dtype: 'bool' });
  };
}

function unary(op: string) {
  return (x: Value): Value => apply(op, [x], x.shape);
}

/** a + b */
export const add = binary('Add');
/** a − b */
export const sub = binary('Sub');
/** a · b, each element */
export const mul = binary('Mul');
/** a / b */
export const div = binary('Div');
/** The larger of a and b. */
export const maximum = binary('Max');
/** The smaller of a and b. */
export const minimum = binary('Min');
/** a > b, as bool */
export const greater = comparison('Greater');
/** a ≥ b, as bool */
export const greaterOrEqual = comparison('GreaterOrEqual');
/** a = b, as bool */
export const equal = comparison('Equal');

/** −x */
export const neg = unary('Neg');
/** |x| */
export const abs = unary('Abs');
/** eˣ */
export const exp = unary('Exp');
/** ln x */
export const log = unary('Log');
/** √x */
export const sqrt = unary('Sqrt');
/** −1, 0 or 1 */
export const sign = unary('Sign');
/** The error function. */
export const erf = unary('Erf');
/** 1 / (1 + e⁻ˣ) */
export const sigmoid = unary('Sigmoid');
/** (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ) */
export const tanh = unary('Tanh');
/** max(x, 0) */
export const relu = unary('Relu');
/** To the next whole number, halves to the even one. */
export const round = unary('Round');
/** a and b, for bools */
export const and = (a: Value, b: Value): Value => apply('And', [a, b], broadcast('And', a, b));
/** not x, for bools */
export const not = unary('Not');

/** x where x > 0, slope · x elsewhere. */
export function leakyRelu(x: Value, slope = 0.01): Value {
  return apply('LeakyRelu', [x], x.shape, { attributes: { alpha: float(slope) } });
}

/** Limits x to low … high. */
export function clip(x: Value, low: number, high: number): Value {
  return apply('Clip', [x, scalar(low), scalar(high)], x.shape);
}

/** clamp(x/6 + ½, 0, 1) */
export function hardSigmoid(x: Value): Value {
  return apply('HardSigmoid', [x], x.shape, { attributes: { alpha: float(1 / 6), beta: float(0.5) } });
}

/** a where the condition holds, else b. */
export function where(condition: Value, a: Operand, b: Operand): Value {
  const [x, y] = [value(a), value(b)];
  const shape = broadcast('Where', { ...condition, shape: broadcast('Where', condition, x) }, y);
  return apply('Where', [condition, x, y], shape, { dtype: x.dtype });
}

const ONNX_TYPE: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

/** The number by which ONNX knows an element type. */
export function onnxType(dtype: DType): number {
  return ONNX_TYPE[dtype];
}

/** The same numbers as another element type. */
export function cast(x: Value, dtype: DType): Value {
  if (x.dtype === dtype) return x;
  return apply('Cast', [x], x.shape, { attributes: { to: onnxType(dtype) }, dtype });
}

/** x · x */
export function square(x: Value): Value {
  return mul(x, x);
}

/** x · sigmoid(x), also called swish. */
export function silu(x: Value): Value {
  return mul(x, sigmoid(x));
}

/** ½ x (1 + erf(x / √2)): the exact form, not the one with tanh. */
export function gelu(x: Value): Value {
  return mul(mul(x, add(erf(div(x, Math.SQRT2)), 1)), 0.5);
}

/** A constant of one number everywhere. */
export function full(shape: readonly number[], number: number): Value {
  const length = shape.reduce((all, size) => all * size, 1);
  return constant({ dtype: 'float32', shape, data: new Float32Array(length).fill(number) });
}
