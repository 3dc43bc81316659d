// Recorded from PyTorch's AdamW and clip_grad_norm_ (manifest: train, optim/adamw_*), and what has no record.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { golden } from '../../test/shared.ts';
import { expectOutputs, readInputs } from '../../test/training.ts';
import { adamStep } from './adam.ts';
import { adamMemory } from './adam-kernel.ts';

const { folder, cases } = golden('train');
const recorded = cases.filter(({ name }) => name.startsWith('optim/adamw'));

test('there are recorded steps of AdamW', () => assert.ok(recorded.length > 0));

for (const one of recorded) {
  test(`seven steps of AdamW agree with PyTorch's (${one.name})`, () => {
    const { params0, grads } = readInputs(folder, one);
    const { lr, betas, eps, weight_decay: weightDecay, max_grad_norm } = one.params;
    const size = params0!.data.length;
    const state = {
      parameters: params0!.data.slice(),
      first: new Float32Array(size),
      second: new Float32Array(size),
      average: undefined,
    };
    const after: number[] = [];
    const norms: number[] = [];
    for (let step = 1; step <= 7; step++) {
      const gradient = grads!.data.subarray((step - 1) * size, step * size);
      const clipNorm = max_grad_norm ?? undefined;
      norms.push(
        adamStep(state, gradient, { step, learningRate: lr }, { betas, eps, weightDecay, clipNorm }),
      );
      after.push(...state.parameters);
    }
    expectOutputs(folder, one, {
      params_after: { data: Float32Array.from(after) },
      exp_avg: { data: state.first },
      exp_avg_sq: { data: state.second },
      norms_before_clip: { data: Float32Array.from(norms) },
    });
  });
}

for (const one of recorded) {
  test(`the loops for four numbers at a time agree with PyTorch's too (${one.name})`, () => {
    const { params0, grads } = readInputs(folder, one);
    const { lr, betas, eps, weight_decay: weightDecay, max_grad_norm } = one.params;
    const size = params0!.data.length;
    const { state, gradient, kernel } = adamMemory(8 * Math.ceil(size / 8), { average: false })!;
    state.parameters.set(params0!.data);
    const after: number[] = [];
    const norms: number[] = [];
    for (let step = 1; step <= 7; step++) {
      gradient.set(grads!.data.subarray((step - 1) * size, step * size));
      const options = { betas, eps, weightDecay, clipNorm: max_grad_norm ?? undefined };
      norms.push(adamStep(state, gradient, { step, learningRate: lr }, options, kernel));
      after.push(...state.parameters.subarray(0, size));
    }
    expectOutputs(folder, one, {
      params_after: { data: Float32Array.from(after) },
      exp_avg: { data: state.first.subarray(0, size) },
      exp_avg_sq: { data: state.second.subarray(0, size) },
      norms_before_clip: { data: Float32Array.from(norms) },
    });
  });
}

test('the loops for four numbers at a time move the average as the plain ones do', () => {
  const length = 48;
  const { state, gradient, kernel } = adamMemory(length, { average: true })!;
  const numbers = Float32Array.from({ length }, (_, i) => Math.sin(i));
  const plain = { ...stateOf([...numbers]), average: numbers.slice() };
  state.parameters.set(numbers);
  state.average!.set(numbers);
  for (let step = 1; step <= 5; step++) {
    gradient.set(numbers.map((value, i) => value * Math.cos(step + i)));
    const [at, options] = [
      { step, learningRate: 0.01 },
      { clipNorm: 1, ema: 0.99 },
    ] as const;
    const norm = adamStep(state, gradient, at, options, kernel);
    assert.ok(Math.abs(norm / adamStep(plain, gradient, at, options) - 1) < 1e-6);
  }
  for (const key of ['parameters', 'first', 'second', 'average'] as const)
    for (const [i, value] of plain[key].entries())
      assert.ok(Math.abs(value - state[key]![i]!) < 1e-6, `${key} ${i}: ${state[key]![i]}, not ${value}`);
});

function stateOf(parameters: readonly number[]) {
  const zeros = () => new Float32Array(parameters.length);
  return { parameters: Float32Array.from(parameters), first: zeros(), second: zeros(), average: zeros() };
}

test('a gradient that is not finite changes nothing', () => {
  const state = stateOf([1, 2]);
  assert.ok(Number.isNaN(adamStep(state, Float32Array.of(1, Number.NaN), { step: 1, learningRate: 1 }, {})));
  assert.deepEqual(state, stateOf([1, 2]));
});

test('the average follows the parameters, at first quickly', () => {
  const state = stateOf([1]);
  state.average.set([1]);
  adamStep(state, Float32Array.of(1), { step: 1, learningRate: 0.5 }, { ema: 0.999, weightDecay: 0 });
  assert.ok(Math.abs(state.parameters[0]! - 0.5) < 1e-6);
  assert.ok(Math.abs(state.average[0]! - (0.5 + (2 / 11) * 0.5)) < 1e-6); // decay (1 + 1) / (1 + 10)
});
