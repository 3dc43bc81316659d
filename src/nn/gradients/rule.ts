import { sum } from '../ops/reduce.ts';
import { reshape } from '../ops/shape.ts';
import type { Attributes, Shape, Value } from '../value.ts';

/** What a rule may need beside the inputs. */
export interface Applied {
  /** The operator's (first) result. */
  readonly y: Value;
  readonly attributes: Attributes;
  /** The gradients of all results, for operators that have several. */
  readonly dys: readonly Value[];
}

/** The inputs of an operator: as many as it has. Rules name those that they use. */
export type Inputs = readonly [Value, Value, Value, Value, Value];

/**
 * The derivative of an operator: from the gradient of its result those of its inputs, in their order. An input
 * that has none (axes, conditions) is `undefined` or left out.
 */
export type GradientRule = (dy: Value, x: Inputs, at: Applied) => readonly (Value | undefined)[];

/** Shapes of training graphs are numbers. */
export function sizes(value: Value): number[] {
  return value.shape.map(Number);
}

/** The gradient of something that was broadcast: summed over the axes along which it was repeated. */
export function sumTo(dy: Value, shape: Shape): Value {
  const extra = dy.shape.length - shape.length;
  const repeated = dy.shape.flatMap((dim, i) =>
    i < extra || (shape[i - extra] === 1 && dim !== 1) ? [i] : [],
  );
  return repeated.length === 0 ? dy : reshape(sum(dy, repeated, { keep: true }), shape);
}

/** An attribute that is a list of integers. */
export function integers(attributes: Attributes, name: string): number[] {
  return [...((attributes[name] as readonly number[] | undefined) ?? [])];
}

/** An attribute that is a number, whole or not. */
export function number(attributes: Attributes, name: string, missing: number): number {
  const value = attributes[name];
  if (value === undefined) return missing;
  return typeof value === 'number' ? value : (value as { readonly float: number }).float;
}
