/**
 * Networks as functions over values: graphs, gradients, weights, and sessions that run them.
 *
 * A `Value` is made by calling functions (`conv2d`, `add`, `softmax`) and knows its shape at once. `loadGraph` gives
 * what the outputs reach to ONNX Runtime, in a thread of its own.
 *
 * @module
 */
export type { FloatTensor, Tensor } from '../core/tensor.ts';
export { gradients, gradientsOf, stopGradient } from './gradients.ts';
export * from './layers.ts';
export { type OnnxModel, writeOnnx } from './onnx-writer.ts';
export * from './ops/arithmetic.ts';
export * from './ops/conv.ts';
export * from './ops/reduce.ts';
export * from './ops/shape.ts';
export { type EngineReport, type Provider, probeProviders } from './providers.ts';
export { type SeededOptions, seededTensor, seededTensors } from './seeded-weights.ts';
export { Engine, type LoadOptions, loadGraph, runGraph, type Session } from './session.ts';
export {
  type AdamOptions,
  type GroupOptions,
  type PassOptions,
  type PassResult,
  Trainer,
  type TrainerOptions,
  type TrainerState,
  type UpdateOptions,
} from './trainer.ts';
export {
  constant,
  type Dim,
  deferredConstant,
  float,
  input,
  ints,
  type Shape,
  scalar,
  showShape,
  type Value,
} from './value.ts';
export type { Checkpoint, TensorEntry } from './weights/checkpoint.ts';
export { frozen } from './weights/frozen.ts';
export { type MatchOptions, matchWeights } from './weights/match-weights.ts';
export { type OpenCheckpointOptions, openCheckpoint } from './weights/open-checkpoint.ts';
export { type NamedTensor, writeSafetensors } from './weights/write-safetensors.ts';
export { expectedWeights, frozenTensors, Trainable, type WeightSource, Weights } from './weights.ts';
