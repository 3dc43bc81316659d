import { cast } from '../ops/arithmetic.ts';
import type { Value } from '../value.ts';
import { deferredConstant } from '../value.ts';
import type { WeightSource } from '../weights.ts';
import { checkShape, missing } from '../weights.ts';
import type { Checkpoint, TensorEntry } from './checkpoint.ts';

/**
 * The weights of a checkpoint as constants of a graph. Floats that lie in the file as ONNX wants them stay there
 * (16-bit ones are widened when the graph is loaded); everything else is read when the graph is written.
 *
 * The checkpoint must stay open until the graph is loaded.
 */
export function frozen(checkpoint: Checkpoint): WeightSource {
  const made = new Map<string, Value>();
  return {
    get(name, shape) {
      const known = made.get(name);
      if (known) return known;
      const entry = checkpoint.entries.get(name);
      if (!entry) throw missing(name, checkpoint.path);
      checkShape(name, shape, entry.shape, checkpoint.path);
      const value = constantOf(checkpoint, entry, shape);
      made.set(name, value);
      return value;
    },
  };
}

const IN_PLACE_TYPES: readonly string[] = ['float32', 'float16', 'bfloat16'];

function constantOf(checkpoint: Checkpoint, entry: TensorEntry, shape: readonly number[]): Value {
  const { name, dtype, inPlace, location } = entry;
  if (inPlace && IN_PLACE_TYPES.includes(dtype)) {
    return cast(deferredConstant(dtype, shape, { file: location }, name), 'float32');
  }
  const load = async () => ({ ...(await checkpoint.readFloat(name)), shape });
  return deferredConstant('float32', shape, { load }, name);
}
