import { join } from 'node:path';
import type { FloatTensor, Tensor } from '../src/core/tensor.ts';
import { sizeOf } from '../src/core/tensor.ts';
import { seededTensors } from '../src/nn/seeded-weights.ts';
import type { Engine } from '../src/nn/session.ts';
import type { Value } from '../src/nn/value.ts';
import { apply } from '../src/nn/value.ts';
import type { Trainable } from '../src/nn/weights.ts';
import { expectClose } from './close.ts';
import { readFloats } from './npy.ts';
import type { GoldenCase } from './shared.ts';

/** Inputs of a recorded case. */
export function readInputs(folder: string, { inputs }: GoldenCase): Record<string, FloatTensor> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, file]) => [name, readFloats(join(folder, file as string))]),
  );
}

/** Compares every recorded output that `actual` holds; outputs that it lacks must be listed. */
export function expectOutputs(
  folder: string,
  { name, outputs, output_tolerances, tolerance }: GoldenCase,
  actual: Readonly<Record<string, Pick<Tensor, 'data'>>>,
): void {
  for (const [key, file] of Object.entries(outputs)) {
    const found = actual[key];
    if (!found) throw new Error(`${name}: ${key} was not computed`);
    const { data } = readFloats(join(folder, file as string));
    expectClose({ data: found.data }, { data }, output_tolerances?.[key] ?? tolerance, `${name} ${key}`);
  }
}

/** Runs a graph whose outputs may be any values. */
export async function evaluate(
  engine: Engine,
  outputs: Readonly<Record<string, Value>>,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const named = Object.entries(outputs).map(([name, value]) => [
    `out.${name}`,
    apply('Identity', [value], value.shape),
  ]);
  const session = await engine.load(Object.fromEntries(named));
  const wanted = Object.fromEntries([...session.inputs.keys()].map((name) => [name, feeds[name]!]));
  const results = await session.run(wanted);
  await session.close();
  return Object.fromEntries(Object.entries(results).map(([name, value]) => [name.slice(4), value]));
}

/** First values of parameters by the rule of the recorded cases. */
export function seeded({ parameters }: Trainable, seed = 0, strip = ''): Map<string, FloatTensor> {
  const shapes = [...parameters].map(
    ([name, { shape }]) => [name.slice(strip.length), shape.map(Number)] as const,
  );
  const tensors = seededTensors(shapes, { seed });
  return new Map([...tensors].map(([name, tensor]) => [strip + name, tensor]));
}

type Layout = readonly (readonly [name: string, offset: number, shape: readonly number[]])[];

/** Tensors as one vector in the order of a recorded layout. */
export function flat(layout: Layout, tensors: ReadonlyMap<string, FloatTensor>): { data: Float32Array } {
  const [, last, shape] = layout.at(-1)!;
  const data = new Float32Array(last + sizeOf(shape));
  for (const [name, offset] of layout) data.set(tensors.get(name)!.data, offset);
  return { data };
}

/** The L2 norm of each tensor, and its first `size` numbers filled up with zeros, in the order of a layout. */
export function summary(
  layout: Layout,
  tensors: ReadonlyMap<string, FloatTensor>,
  { size = 16 }: { size?: number } = {},
): { norms: { data: Float64Array }; heads: { data: Float32Array } } {
  const norms = new Float64Array(layout.length);
  const heads = new Float32Array(size * layout.length);
  for (const [i, [name]] of layout.entries()) {
    const { data } = tensors.get(name)!;
    norms[i] = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0));
    heads.set(data.subarray(0, size), size * i);
  }
  return { norms: { data: norms }, heads: { data: heads } };
}
