/**
 * Training sessions. A {@link Trainer} is a thread that keeps parameters, moments and averages; what crosses to it
 * in a step is a batch, and what comes back are the losses.
 *
 * The pieces are *groups* (parameters with an optimiser) and *passes* (a graph with a loss, differentiated by the
 * parameters of some groups). A plain training has one of each; a generator and its discriminator are two groups
 * over shared pictures; accumulation is several passes before an update.
 */
import { availableParallelism } from 'node:os';
import { MuseTalkError } from '../core/errors.ts';
import type { FloatTensor, Tensor } from '../core/tensor.ts';
import { sizeOf } from '../core/tensor.ts';
import type { AdamOptions } from './adam.ts';
import { gradients } from './gradients.ts';
import { storeGraph } from './graph-cache.ts';
import { leavesOf } from './onnx-writer.ts';
import { add } from './ops/arithmetic.ts';
import type { PassPlan, Place, TrainerRequest, TrainerResult, Vectors } from './trainer-worker.ts';
import type { Value } from './value.ts';
import { apply, nodesOf } from './value.ts';
import { WorkerCalls } from './worker-calls.ts';
import { startWorker } from './worker-thread.ts';

export type { AdamOptions } from './adam.ts';

type Tensors = ReadonlyMap<string, FloatTensor>;

/** Parameters that one optimiser moves. */
export interface GroupOptions extends AdamOptions {
  /** Inputs of the passes, by name: what `Trainable.parameters` lists. */
  parameters: ReadonlyMap<string, Value>;
  /** Their first values. */
  initial: Tensors;
}

/** A graph that is run and differentiated. */
export interface PassOptions {
  /** A scalar. */
  loss: Value;
  /** The groups whose parameters get gradients. Parameters of other groups are constants in this pass. */
  groups: readonly string[];
  /** Reported beside the loss, under these names. */
  outputs?: Readonly<Record<string, Value>>;
  /** The states that the pass changes, by name: their values after it. */
  next?: Readonly<Record<string, Value>>;
}

/** What is trained, and by which passes. */
export interface TrainerOptions {
  groups: Readonly<Record<string, GroupOptions>>;
  passes: Readonly<Record<string, PassOptions>>;
  /** Tensors that are kept between passes but not trained, by the name of their input. */
  states?: Tensors;
  /** Threads within an operator. Default: the number of cores. */
  threads?: number;
  /** Let idle threads spin: faster alone, harmful beside other work. Default true. */
  spinning?: boolean;
  /** Folder for graphs whose frozen weights stay in their files. Needed only for such graphs. */
  cacheFolder?: string | undefined;
}

/** What one pass of a batch gave. */
export interface PassResult {
  loss: number;
  outputs: Record<string, Tensor>;
}

/** How parameters are moved by what was gathered. */
export interface UpdateOptions {
  learningRate: number;
  /** A factor on the gradients gathered since the last update: 1 / n for the mean of n passes. Default 1. */
  scale?: number;
}

/** What a group has learned and what its optimiser remembers. */
export interface GroupState {
  /** Updates made. */
  step: number;
  parameters: Tensors;
  first: Tensors;
  second: Tensors;
  /** The averaged parameters, where an average is kept. */
  average: Tensors | undefined;
}

/** Everything that a trainer has to know to go on as if it had never stopped. */
export interface TrainerState {
  groups: Record<string, GroupState>;
  states: Tensors;
}

/** Runs passes and updates in a thread of its own. It does not keep the process alive while idle. */
export class Trainer {
  readonly #calls: WorkerCalls<TrainerRequest, TrainerResult>;
  readonly #layouts: ReadonlyMap<string, Layout>;

  private constructor(
    calls: WorkerCalls<TrainerRequest, TrainerResult>,
    layouts: ReadonlyMap<string, Layout>,
  ) {
    this.#calls = calls;
    this.#layouts = layouts;
  }

  /**
   * Builds the gradients, loads the graphs and fills the parameters.
   *
   * @throws MuseTalkError GRAPH when a loss cannot be differentiated, BAD_WEIGHTS when a first value is missing,
   *   ENGINE when ONNX Runtime refuses a graph.
   */
  static async start(options: TrainerOptions): Promise<Trainer> {
    const { groups, passes, states = new Map(), cacheFolder } = options;
    const { threads = availableParallelism(), spinning = true } = options;
    const calls = new WorkerCalls<TrainerRequest, TrainerResult>(
      startWorker('./trainer-worker', import.meta.url),
    );
    const layouts = new Map<string, Layout>();
    try {
      for (const [group, { parameters, initial, ...adam }] of Object.entries(groups)) {
        const layout = layoutOf(parameters);
        layouts.set(group, layout);
        await calls.call({ kind: 'group', group, ...layout, options: adam });
        await calls.call({
          kind: 'write',
          group,
          step: 0,
          vectors: { parameters: flatten(initial, layout) },
        });
      }
      for (const [name, { shape, data }] of states) await calls.call({ kind: 'state', name, shape, data });
      for (const [pass, description] of Object.entries(passes)) {
        const { graph, plan } = plannedPass(description, groups, states);
        const stored = await storeGraph(graph, cacheFolder);
        const model = stored.path ?? stored.model.bytes;
        await calls.call({ kind: 'pass', pass, model, plan, threads, spinning });
      }
    } catch (error) {
      await calls.close();
      throw error;
    }
    return new Trainer(calls, layouts);
  }

  /**
   * Runs a pass on a batch. Its gradients are added to those that its groups have gathered since their last update.
   *
   * @throws MuseTalkError ENGINE when the engine fails, or when the loss is not finite.
   */
  async run(pass: string, feeds: Readonly<Record<string, Tensor>>): Promise<PassResult> {
    const { outputs } = await this.#calls.call({ kind: 'run', pass, feeds });
    const { [LOSS]: loss, ...others } = outputs!;
    return { loss: Number(loss!.data[0]), outputs: others };
  }

  /** Moves a group's parameters along the gathered gradients; gives their norm before clipping. */
  async update(
    group: string,
    { learningRate, scale = 1 }: UpdateOptions,
  ): Promise<{ norm: number; step: number }> {
    const { norm, step } = await this.#calls.call({ kind: 'update', group, learningRate, scale });
    if (!Number.isFinite(norm)) {
      throw new MuseTalkError('ENGINE', `the gradients of ${group} are not finite after ${step} updates`, {
        hint: 'Lower the learning rate, or start again from an earlier checkpoint.',
        facts: { group, step },
      });
    }
    return { norm: norm!, step: step! };
  }

  /** The parameters of a group, or their average over time. */
  async parameters(group: string, { average = false } = {}): Promise<Map<string, FloatTensor>> {
    const key = average ? 'average' : 'parameters';
    const { vectors } = await this.#calls.call({ kind: 'read', group, vectors: [key] });
    const vector = vectors![key];
    if (!vector) throw new MuseTalkError('GRAPH', `no average is kept of the group ${group}`);
    return split(vector, this.#layouts.get(group)!);
  }

  /** The gradients gathered by a group, or those of its last update. */
  async gradients(group: string): Promise<Map<string, FloatTensor>> {
    const { vectors } = await this.#calls.call({ kind: 'read', group, vectors: ['gradient'] });
    return split(vectors!.gradient!, this.#layouts.get(group)!);
  }

  /** Copies of all that {@link load} needs. */
  async save(): Promise<TrainerState> {
    const groups: Record<string, GroupState> = {};
    for (const [group, layout] of this.#layouts) {
      const { step, vectors } = await this.#calls.call({
        kind: 'read',
        group,
        vectors: ['parameters', 'first', 'second', 'average'],
      });
      const { parameters, first, second, average } = vectors!;
      groups[group] = {
        step: step!,
        parameters: split(parameters!, layout),
        first: split(first!, layout),
        second: split(second!, layout),
        average: average && split(average, layout),
      };
    }
    const { states } = await this.#calls.call({ kind: 'readStates' });
    return { groups, states: new Map(Object.entries(states!)) };
  }

  /**
   * Goes on from a saved state.
   *
   * @throws MuseTalkError BAD_WEIGHTS when a tensor is missing.
   */
  async load({ groups, states }: TrainerState): Promise<void> {
    for (const [group, layout] of this.#layouts) {
      const saved = groups[group];
      if (!saved) throw new MuseTalkError('BAD_WEIGHTS', `the state holds no group ${group}`);
      const vectors: Vectors = {
        parameters: flatten(saved.parameters, layout),
        first: flatten(saved.first, layout),
        second: flatten(saved.second, layout),
        ...(saved.average && { average: flatten(saved.average, layout) }),
      };
      await this.#calls.call({ kind: 'write', group, step: saved.step, vectors });
    }
    for (const [name, { shape, data }] of states)
      await this.#calls.call({ kind: 'state', name, shape, data });
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    await this.#calls.close();
  }
}

/** The name of the loss among a graph's outputs. */
const LOSS = 'loss';

/** How the tensors of a group lie in one vector. */
interface Layout {
  readonly places: readonly Place[];
  readonly length: number;
}

/** Tensors start on cache lines. */
const ALIGNMENT = 16;

function layoutOf(parameters: ReadonlyMap<string, Value>): Layout {
  const places: Place[] = [];
  let length = 0;
  for (const [name, { shape }] of parameters) {
    const sizes = shape.map(Number);
    places.push({ name, shape: sizes, offset: length });
    length += Math.ceil(sizeOf(sizes) / ALIGNMENT) * ALIGNMENT;
  }
  return { places, length };
}

function flatten(tensors: Tensors, { places, length }: Layout): Float32Array {
  const vector = new Float32Array(length);
  for (const { name, shape, offset } of places) {
    const found = tensors.get(name);
    if (found?.data.length !== sizeOf(shape)) {
      const what = found ? `has the shape [${found.shape}] instead of [${shape}]` : 'is missing';
      throw new MuseTalkError('BAD_WEIGHTS', `the parameter ${name} ${what}`, { facts: { name } });
    }
    vector.set(found.data, offset);
  }
  return vector;
}

function split(vector: Float32Array, { places }: Layout): Map<string, FloatTensor> {
  return new Map(
    places.map(({ name, shape, offset }) => {
      const data = vector.subarray(offset, offset + sizeOf(shape));
      return [name, { dtype: 'float32', shape, data }];
    }),
  );
}

/** The graph of a pass with its gradients, and what its inputs and outputs are. */
function plannedPass(
  { loss, groups: trained, outputs = {}, next = {} }: PassOptions,
  groups: TrainerOptions['groups'],
  states: Tensors,
): { graph: Record<string, Value>; plan: PassPlan } {
  const wanted = trained.flatMap((group) =>
    [...groups[group]!.parameters].map(([parameter, value]) => ({ group, parameter, value })),
  );
  const found = gradientsByName(
    loss,
    wanted.map(({ value }) => value),
  );
  const graph: Record<string, Value> = { [LOSS]: named(loss) };
  for (const [name, value] of Object.entries(outputs)) graph[name] = named(value);
  for (const [name, value] of Object.entries(next)) graph[`next.${name}`] = named(value);
  for (const [i, { group, parameter }] of wanted.entries()) {
    graph[`gradient.${group}.${parameter}`] = named(found[i]!);
  }
  const values = Object.values(graph);
  const inputs = [...leavesOf(nodesOf(values), values)].flatMap(({ source }) =>
    source.kind === 'input' ? [source.name] : [],
  );
  const plan: PassPlan = {
    parameters: Object.entries(groups).flatMap(([group, { parameters }]) =>
      inputs.filter((name) => parameters.has(name)).map((name) => ({ input: name, group })),
    ),
    gradients: wanted.map(({ group, parameter }) => ({
      output: `gradient.${group}.${parameter}`,
      group,
      parameter,
    })),
    states: inputs.filter((name) => states.has(name)),
    next: Object.keys(next).map((state) => ({ output: `next.${state}`, state })),
    reported: [LOSS, ...Object.keys(outputs)],
  };
  return { graph, plan };
}

/** Gradients by inputs that are known by their names: two passes may each have built their own. */
function gradientsByName(loss: Value, parameters: readonly Value[]): Value[] {
  const uses = new Map<string, Value[]>();
  for (const value of leavesOf(nodesOf([loss]), [loss])) {
    if (value.source.kind !== 'input') continue;
    uses.set(value.source.name, [...(uses.get(value.source.name) ?? []), value]);
  }
  const used = parameters.map((value) => {
    const same = value.source.kind === 'input' ? uses.get(value.source.name) : undefined;
    return same ?? [value];
  });
  const found = new Map(zip(used.flat(), gradients(loss, used.flat())));
  return used.map((values) => values.map((value) => found.get(value)!).reduce((a, b) => add(a, b)));
}

function zip<A, B>(a: readonly A[], b: readonly B[]): (readonly [A, B])[] {
  return a.map((item, i) => [item, b[i]!] as const);
}

/** An output must be the result of an operator of its own. */
function named(value: Value): Value {
  return apply('Identity', [value], value.shape);
}
