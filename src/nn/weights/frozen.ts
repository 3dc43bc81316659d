import { cast } from '../ops/arithmetic.ts';
import type { Value } from '../value.ts';
import { deferredConstant } from '../value.ts';
import type { WeightSource } from '../weights.ts';
import { checkShape, missing } from '../weights.ts';
import type { Checkpoint, TensorEntry } from './checkpoint.ts';

export interface FrozenOptions {
  /** The name under which the network asks for a tensor of the file; the file's own by default. */
  rename?: (name: string) => string;
}

/**
 * The weights of a checkpoint as constants of a graph. Floats that lie in the file as ONNX wants them stay there
 * (16-bit ones are widened when the graph is loaded); everything else is read when the graph is written.
 *
 * The checkpoint must stay open until the graph is loaded.
 */
export function frozen(
  checkpoint: Checkpoint,
  { rename = (name) => name }: FrozenOptions = {},
): WeightSource {
  const entries = new Map(Array.from(checkpoint.entries.values(), (entry) => [rename(entry.name), entry]));
  const made = new Map<string, Value>();
  return {
    get(name, shape) {
      const known = made.get(name);
      if (known) return known;
      const entry = entries.get(name);
      if (!entry) throw missing(name, checkpoint.path);
      checkShape(name, shape, entry.shape, checkpoint.path);
      const value = constantOf(checkpoint, entry, name, shape);
      made.set(name, value);
      return value;
    },
  };
}

const IN_PLACE_TYPES: readonly string[] = ['float32', 'float16', 'bfloat16'];

function constantOf(
  checkpoint: Checkpoint,
  entry: TensorEntry,
  name: string,
  shape: readonly number[],
): Value {
  if (entry.inPlace && IN_PLACE_TYPES.includes(entry.dtype)) {
    return cast(deferredConstant(entry.dtype, shape, { file: entry.location }, name), 'float32');
  }
  const load = async () => ({ ...(await checkpoint.readFloat(entry.name)), shape });
  return deferredConstant('float32', shape, { load }, name);
}
