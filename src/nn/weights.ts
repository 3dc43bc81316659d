/**
 * Where the weights of a network come from. Network code asks a {@link Weights} scope for tensors by the names
 * that the checkpoint uses; whether these become constants (inference) or inputs (training) is the source's
 * affair, so both share one definition of the network.
 */
import { MuseTalkError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { cast } from './ops/arithmetic.ts';
import type { Value } from './value.ts';
import { constant, input } from './value.ts';

/** Gives the tensor of a full name. */
export interface WeightSource {
  get(name: string, shape: readonly number[]): Value;
}

/** A place in a checkpoint: `w.at('conv1').get('weight', shape)` is the tensor `….conv1.weight`. */
export class Weights {
  readonly path: string;
  readonly #source: WeightSource;

  constructor(source: WeightSource, path = '') {
    this.#source = source;
    this.path = path;
  }

  /** A step into the checkpoint: `w.at('down_blocks', 0, 'resnets', 1)`. */
  at(...parts: (string | number)[]): Weights {
    return new Weights(this.#source, [...(this.path ? [this.path] : []), ...parts].join('.'));
  }

  /** The tensor `name` here. @throws MuseTalkError BAD_WEIGHTS when it is missing or has another shape. */
  get(name: string, shape: readonly number[]): Value {
    return this.#source.get(this.path ? `${this.path}.${name}` : name, shape);
  }
}

/** Weights in memory, as constants. */
export function frozenTensors(tensors: ReadonlyMap<string, Tensor>, origin = 'the weights'): WeightSource {
  const made = new Map<string, Value>();
  return {
    get(name, shape) {
      const known = made.get(name);
      if (known) return known;
      const tensor = tensors.get(name);
      if (!tensor) throw missing(name, origin);
      checkShape(name, shape, tensor.shape, origin);
      const value = cast(constant({ ...tensor, shape }, name), 'float32');
      made.set(name, value);
      return value;
    },
  };
}

/** Throws where a checkpoint's tensor has not the shape that the network wants (sizes of 1 at the end aside). */
export function checkShape(
  name: string,
  wanted: readonly number[],
  found: readonly number[],
  origin: string,
): void {
  const trimmed = (shape: readonly number[]) => String(shape).replace(/(,1)+$/, '');
  if (trimmed(wanted) === trimmed(found)) return;
  throw new MuseTalkError(
    'BAD_WEIGHTS',
    `${origin}: ${name} has the shape [${found}] instead of [${wanted}]`,
    {
      hint: 'Check that the configuration belongs to this checkpoint.',
      facts: { name, wanted, found },
    },
  );
}

/** The error for a tensor that a checkpoint lacks. */
export function missing(name: string, origin: string): MuseTalkError {
  return new MuseTalkError('BAD_WEIGHTS', `${origin}: the tensor ${name} is missing`, {
    hint: 'Check that this is the right file for this network.',
    facts: { name },
  });
}

/** Every weight an input of the graph, so that a training step can change it. */
export class Trainable implements WeightSource {
  /** The weights that the network asked for, in order of use. */
  readonly parameters = new Map<string, Value>();

  get(name: string, shape: readonly number[]): Value {
    const known = this.parameters.get(name);
    if (known) return known;
    const value = input(name, shape);
    this.parameters.set(name, value);
    return value;
  }
}

/** The names and shapes that a network asks for, in order of use: what a checkpoint must hold. */
export function expectedWeights(build: (weights: Weights) => unknown): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  const source: WeightSource = {
    get(name, shape) {
      shapes.set(name, shape);
      return input(name, shape);
    },
  };
  build(new Weights(source));
  return shapes;
}
