import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SeededOptions } from '../src/nn/seeded-weights.ts';
import { seededTensors } from '../src/nn/seeded-weights.ts';
import { frozenTensors, Weights } from '../src/nn/weights.ts';
import type { Golden, GoldenCase } from './shared.ts';

type Shapes = Record<string, readonly number[]>;

/** A JSON file that a case names as an input. */
export function readJson<T>({ folder }: Golden, file: string | string[] | undefined): T {
  return JSON.parse(readFileSync(join(folder, String(file)), 'utf8')) as T;
}

/** The names and shapes that a case lists, batch counters left out, each under the name that the network uses. */
export function namedShapes(shapes: Shapes, rename = (name: string) => name): Map<string, readonly number[]> {
  const rows = Object.entries(shapes).filter(([name]) => !name.endsWith('num_batches_tracked'));
  return new Map(rows.map(([name, shape]) => [rename(name), shape]));
}

/** Weights by the rule of the golden data, made under the file's names and asked for under the network's. */
export function seededWeights(
  { params, ...rest }: GoldenCase,
  shapes: Shapes,
  rename = (name: string) => name,
): Weights {
  // Some manifests put the exceptions beside the parameters.
  const overrides =
    params.wr1_override ?? (rest as { wr1_override?: SeededOptions['overrides'] }).wr1_override;
  const tensors = seededTensors(Object.entries(shapes), { seed: params.wr1_seed ?? 0, overrides });
  return new Weights(frozenTensors(new Map(Array.from(tensors, ([name, tensor]) => [rename(name), tensor]))));
}
