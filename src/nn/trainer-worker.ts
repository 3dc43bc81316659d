/**
 * The thread in which training runs. Parameters, their gradients and Adam's moments live here as typed arrays that
 * ONNX Runtime reads and writes in place: a step sends in a batch and gets back a few numbers.
 */
import { parentPort } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';
import type { DType, Tensor } from '../core/tensor.ts';
import { type AdamOptions, adamStep } from './adam.ts';
import { type AdamKernel, type AdamState, adamMemory } from './adam-kernel.ts';
import type { Answer, Call } from './worker-calls.ts';

/** A tensor's place in the flat vectors of a group. */
export interface Place {
  readonly name: string;
  readonly shape: readonly number[];
  /** In elements. */
  readonly offset: number;
}

/** The flat vectors of a group that can be read and written. */
export type Vectors = Partial<
  Record<'parameters' | 'first' | 'second' | 'average' | 'gradient', Float32Array>
>;

/** What the training thread is asked to do. */
export type TrainerRequest =
  | { kind: 'group'; group: string; places: readonly Place[]; length: number; options: AdamOptions }
  | { kind: 'state'; name: string; shape: readonly number[]; data: Float32Array }
  | {
      kind: 'pass';
      pass: string;
      model: Uint8Array | string;
      plan: PassPlan;
      threads: number;
      spinning: boolean;
    }
  | { kind: 'run'; pass: string; feeds: Record<string, Tensor> }
  | { kind: 'update'; group: string; learningRate: number; scale: number }
  | { kind: 'read'; group: string; vectors: readonly (keyof Vectors)[] }
  | { kind: 'write'; group: string; step: number; vectors: Vectors }
  | { kind: 'readStates' };

/** What the inputs and outputs of a pass's graph are. */
export interface PassPlan {
  /** Inputs that are parameters. */
  readonly parameters: readonly { input: string; group: string }[];
  /** Outputs that are gradients, by the parameter's name. */
  readonly gradients: readonly { output: string; group: string; parameter: string }[];
  /** Inputs that are states. */
  readonly states: readonly string[];
  /** Outputs that are states' next values. */
  readonly next: readonly { output: string; state: string }[];
  /** Outputs that go back to the caller. */
  readonly reported: readonly string[];
}

/** What the training thread gives back. */
export interface TrainerResult {
  outputs?: Record<string, Tensor>;
  norm?: number;
  step?: number;
  vectors?: Vectors;
  states?: Record<string, Tensor<'float32'>>;
}

interface Group {
  readonly options: AdamOptions;
  readonly state: AdamState;
  /** The loops of a step, where the vectors lie in a memory for them. */
  readonly kernel: AdamKernel | undefined;
  readonly inputs: ReadonlyMap<string, ort.Tensor>;
  readonly gradient: Gradient;
  /** Where a further pass before the update puts its gradients, to be added. */
  readonly places: readonly Place[];
  more: Gradient | undefined;
  /** Whether a pass has run since the last update. */
  filled: boolean;
  step: number;
}

interface Gradient {
  readonly vector: Float32Array;
  readonly tensors: ReadonlyMap<string, ort.Tensor>;
}

interface Pass {
  readonly session: ort.InferenceSession;
  readonly plan: PassPlan;
}

const groups = new Map<string, Group>();
const states = new Map<string, ort.Tensor>();
const passes = new Map<string, Pass>();

function addGroup({ group, places, length, options }: TrainerRequest & { kind: 'group' }): void {
  const average = options.ema !== undefined;
  const {
    state,
    gradient: vector,
    kernel,
  } = adamMemory(length, { average }) ?? plainVectors(length, average);
  groups.set(group, {
    ...{ options, state, kernel, places },
    inputs: views(state.parameters, places),
    gradient: { vector, tensors: views(vector, places) },
    more: undefined,
    filled: false,
    step: 0,
  });
}

function plainVectors(length: number, average: boolean) {
  const vector = () => new Float32Array(length);
  const state: AdamState = {
    parameters: vector(),
    first: vector(),
    second: vector(),
    average: average ? vector() : undefined,
  };
  return { state, gradient: vector(), kernel: undefined };
}

function gradient(length: number, places: readonly Place[]): Gradient {
  const vector = new Float32Array(length);
  return { vector, tensors: views(vector, places) };
}

/** The tensors of a flat vector, as ONNX Runtime takes them; they share its memory. */
function views(vector: Float32Array, places: readonly Place[]): Map<string, ort.Tensor> {
  return new Map(
    places.map(({ name, shape, offset }) => {
      const size = shape.reduce((all, dim) => all * dim, 1);
      return [name, new ort.Tensor('float32', vector.subarray(offset, offset + size), shape)];
    }),
  );
}

async function addPass({ pass, model, plan, threads, spinning }: TrainerRequest & { kind: 'pass' }) {
  const options: ort.InferenceSession.SessionOptions = {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    logSeverityLevel: 3,
    extra: { session: { intra_op: { allow_spinning: spinning ? '1' : '0' } } },
  };
  const session =
    typeof model === 'string'
      ? await ort.InferenceSession.create(model, options)
      : await ort.InferenceSession.create(model, options);
  passes.set(pass, { session, plan });
}

async function run({ pass, feeds }: TrainerRequest & { kind: 'run' }): Promise<TrainerResult> {
  const { session, plan } = passes.get(pass)!;
  const inputs: Record<string, ort.Tensor> = {};
  for (const [name, { dtype, data, shape }] of Object.entries(feeds)) {
    inputs[name] = new ort.Tensor(dtype as ort.Tensor.Type, data as ort.Tensor.DataType, shape);
  }
  for (const { input, group } of plan.parameters) inputs[input] = groups.get(group)!.inputs.get(input)!;
  for (const name of plan.states) inputs[name] = states.get(name)!;

  const outputs: Record<string, ort.Tensor | null> = {};
  for (const name of plan.reported) outputs[name] = null;
  for (const { output } of plan.next) outputs[output] = null;
  for (const { output, group, parameter } of plan.gradients) {
    outputs[output] = target(groups.get(group)!).tensors.get(parameter)!;
  }
  const results = await session.run(inputs, outputs);
  for (const { output, state } of plan.next) states.set(state, results[output]!);
  for (const group of new Set(plan.gradients.map(({ group }) => group))) collect(groups.get(group)!);
  return { outputs: Object.fromEntries(plan.reported.map((name) => [name, tensorOf(results[name]!)])) };
}

function target(group: Group): Gradient {
  if (!group.filled) return group.gradient;
  group.more ??= gradient(group.gradient.vector.length, group.places);
  return group.more;
}

/** Adds what a further pass gave to the gradients that are there. */
function collect(group: Group): void {
  if (group.filled) {
    const [sum, more] = [group.gradient.vector, group.more!.vector];
    for (let i = 0; i < sum.length; i++) sum[i]! += more[i]!;
  }
  group.filled = true;
}

function tensorOf({ type, dims, data }: ort.Tensor): Tensor {
  return { dtype: type as DType, shape: dims, data } as Tensor;
}

function update({ group: name, learningRate, scale }: TrainerRequest & { kind: 'update' }): TrainerResult {
  const group = groups.get(name)!;
  group.filled = false;
  const step = group.step + 1;
  const { state, gradient, options, kernel } = group;
  const norm = adamStep(state, gradient.vector, { step, learningRate, scale }, options, kernel);
  if (Number.isFinite(norm)) group.step = step;
  return { norm, step: group.step };
}

function read({ group: name, vectors }: TrainerRequest & { kind: 'read' }): TrainerResult {
  const { state, gradient, step } = groups.get(name)!;
  const all: Record<keyof Vectors, Float32Array | undefined> = { ...state, gradient: gradient.vector };
  // A view would be sent with all of its memory.
  const asked = vectors.flatMap((key) => (all[key] ? [[key, all[key].slice()]] : []));
  return { step, vectors: Object.fromEntries(asked) };
}

function write({ group: name, step, vectors }: TrainerRequest & { kind: 'write' }): void {
  const group = groups.get(name)!;
  group.step = step;
  group.filled = false;
  const { parameters, first, second, average } = group.state;
  if (vectors.parameters) parameters.set(vectors.parameters);
  first.set(vectors.first ?? new Float32Array(first.length));
  second.set(vectors.second ?? new Float32Array(second.length));
  average?.set(vectors.average ?? parameters);
}

async function answer(request: TrainerRequest): Promise<TrainerResult> {
  switch (request.kind) {
    case 'group':
      addGroup(request);
      return {};
    case 'state':
      states.set(request.name, new ort.Tensor('float32', request.data, request.shape));
      return {};
    case 'pass':
      await addPass(request);
      return {};
    case 'run':
      return run(request);
    case 'update':
      return update(request);
    case 'read':
      return read(request);
    case 'write':
      write(request);
      return {};
    case 'readStates':
      return {
        states: Object.fromEntries(
          [...states].map(([name, value]) => [name, tensorOf(value) as Tensor<'float32'>]),
        ),
      };
  }
}

let last = Promise.resolve();

parentPort?.on('message', ({ id, request }: Call<TrainerRequest>) => {
  last = last.then(async () => {
    const reply = await answer(request).then(
      (result): Answer<TrainerResult> => ({ id, result }),
      (error: unknown): Answer<TrainerResult> => ({ id, message: String(error) }),
    );
    parentPort!.postMessage(reply);
  });
});
