/**
 * A value of a computation that has not run yet. Networks are functions from values to values; the graph is
 * whatever a value can reach through its inputs, so there is no graph object to pass around.
 *
 * Shapes are known at once: a wrong one throws on the line that wrote it.
 */
import { MuseTalkError } from '../core/errors.ts';
import type { DType, Tensor } from '../core/tensor.ts';

/** A size, or the name of a size that is only known when the graph runs, such as the batch `'B'`. */
export type Dim = number | string;

/** Sizes of the dimensions, outermost first. */
export type Shape = readonly Dim[];

/** What an ONNX attribute may hold here. A number is an integer unless wrapped by {@link float}. */
export type Attribute = number | readonly number[] | string | { readonly float: number };

/** Attributes of an operator, by ONNX's names. */
export type Attributes = Readonly<Record<string, Attribute>>;

/** One application of an ONNX operator. */
export interface Node {
  readonly op: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  readonly outputs: readonly Value[];
}

/** Where the bytes of a constant lie, if not in memory: contiguous, little endian, uncompressed. */
export interface FileRange {
  readonly path: string;
  /** In bytes from the start of the file. */
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
}

/** The numbers of a constant: in memory, in a file where they lie, or made when the graph is written. */
export type ConstantData =
  | { readonly tensor: Tensor }
  | { readonly file: FileRange }
  | { readonly load: () => Promise<Tensor> };

/** Where a value comes from. */
export type Source =
  | { readonly kind: 'input'; readonly name: string }
  | { readonly kind: 'constant'; readonly name: string | undefined; readonly data: ConstantData }
  | { readonly kind: 'node'; readonly node: Node; readonly index: number };

/** Immutable; made by {@link input}, {@link constant} and the operators. */
export interface Value {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly source: Source;
}

/** An input of the graph, fed under `name` when it runs. */
export function input(name: string, shape: Shape, dtype: DType = 'float32'): Value {
  return { dtype, shape, source: { kind: 'input', name } };
}

/** A constant with its numbers in memory. `name` is for people who look at the written graph. */
export function constant(tensor: Tensor, name?: string): Value {
  return { dtype: tensor.dtype, shape: tensor.shape, source: { kind: 'constant', name, data: { tensor } } };
}

/** A constant whose numbers lie elsewhere: see {@link ConstantData}. */
export function deferredConstant(
  dtype: DType,
  shape: readonly number[],
  data: ConstantData,
  name?: string,
): Value {
  return { dtype, shape, source: { kind: 'constant', name, data } };
}

/** A float constant of shape []. */
export function scalar(value: number): Value {
  return constant({ dtype: 'float32', shape: [], data: Float32Array.of(value) });
}

/** A constant vector of 64-bit integers, as ONNX wants shapes, axes and paddings. */
export function ints(values: readonly number[]): Value {
  return constant({ dtype: 'int64', shape: [values.length], data: BigInt64Array.from(values, BigInt) });
}

/** Marks an attribute as a floating point number. */
export function float(value: number): { readonly float: number } {
  return { float: value };
}

/** Applies an operator that has one result. */
export function apply(
  op: string,
  inputs: readonly (Value | undefined)[],
  shape: Shape,
  { attributes = {}, dtype }: { attributes?: Attributes; dtype?: DType } = {},
): Value {
  return applyMany(op, inputs, [shape], { attributes, ...(dtype && { dtype }) })[0]!;
}

/** Applies an operator that has several results of one element type, such as Split. */
export function applyMany(
  op: string,
  inputs: readonly (Value | undefined)[],
  shapes: readonly Shape[],
  { attributes = {}, dtype }: { attributes?: Attributes; dtype?: DType } = {},
): Value[] {
  const type = dtype ?? inputs[0]?.dtype ?? 'float32';
  const outputs: Value[] = [];
  const node: Node = { op, inputs, attributes, outputs };
  for (const [index, shape] of shapes.entries()) {
    outputs.push({ dtype: type, shape, source: { kind: 'node', node, index } });
  }
  return outputs;
}

/** The numbers of a constant that is held in memory, or `undefined` for every other value. */
export function numbersOf(value: Value): number[] | undefined {
  if (value.source.kind !== 'constant' || !('tensor' in value.source.data)) return undefined;
  return Array.from(value.source.data.tensor.data as ArrayLike<number | bigint>, Number);
}

/** Every node that `outputs` reach, each after the nodes that it needs. */
export function nodesOf(outputs: Iterable<Value>): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  // An own stack: a UNet is some thousand nodes deep, more than recursion should be trusted with.
  const stack: { node: Node; next: number }[] = [];
  const visit = (value: Value | undefined) => {
    if (value?.source.kind !== 'node' || seen.has(value.source.node)) return;
    seen.add(value.source.node);
    stack.push({ node: value.source.node, next: 0 });
  };
  for (const output of outputs) {
    visit(output);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      if (top.next < top.node.inputs.length) visit(top.node.inputs[top.next++]);
      else order.push(stack.pop()!.node);
    }
  }
  return order;
}

/** A sentence about shapes that do not fit, thrown by the operators. */
export function shapeError(op: string, problem: string, ...values: Value[]): MuseTalkError {
  const shapes = values.map((value) => showShape(value.shape));
  return new MuseTalkError('GRAPH', `${op}: ${problem}: ${shapes.join(' and ')}`, { facts: { op, shapes } });
}

/** `[B, 320, 32, 32]` */
export function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** The size as a number; throws where it is only a name. */
export function fixed(value: Value, axis: number): number {
  const size = value.shape.at(axis);
  if (typeof size !== 'number') throw shapeError('size', `axis ${axis} must be a number`, value);
  return size;
}

/** The product of sizes; a name times a number is a new name. */
export function product(dims: Shape): Dim {
  const names = dims.filter((dim) => typeof dim === 'string');
  const number = dims.reduce<number>((all, dim) => (typeof dim === 'number' ? all * dim : all), 1);
  if (names.length === 0) return number;
  return [...names, ...(number === 1 ? [] : [number])].join('*');
}
