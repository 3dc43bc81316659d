import type { Node, Value } from './value.ts';
import { applyMany, nodesOf } from './value.ts';

/**
 * What a node becomes: its results computed in another way, or `undefined` where it stays. `inputs` are the node's
 * inputs after they were rewritten themselves.
 */
export type RewriteRule = (node: Node, inputs: Node['inputs']) => readonly Value[] | undefined;

/**
 * The same graph with nodes replaced by `rule`. Nothing is changed in place: what depends on a replaced node is
 * made anew, the rest is shared with the old graph.
 */
export function rewrite<K extends string>(
  outputs: Readonly<Record<K, Value>>,
  rule: RewriteRule,
): Record<K, Value> {
  const replaced = new Map<Value, Value>();
  const current = (value: Value | undefined) => (value && replaced.get(value)) ?? value;
  for (const node of nodesOf(Object.values(outputs))) {
    const inputs = node.inputs.map(current);
    const results = rule(node, inputs) ?? rebuilt(node, inputs);
    for (const [i, output] of node.outputs.entries()) {
      if (results[i] !== output) replaced.set(output, results[i]!);
    }
  }
  const entries = Object.entries<Value>(outputs).map(([name, value]) => [name, current(value)]);
  return Object.fromEntries(entries) as Record<K, Value>;
}

function rebuilt(node: Node, inputs: Node['inputs']): readonly Value[] {
  if (inputs.every((input, i) => input === node.inputs[i])) return node.outputs;
  const { op, attributes, outputs } = node;
  const shapes = outputs.map(({ shape }) => shape);
  return applyMany(op, inputs, shapes, { attributes, dtype: outputs[0]!.dtype });
}
