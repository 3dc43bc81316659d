// Recorded from PyTorch 2.13 in double precision (manifest: train, ops/*). Gradients are of Σ y · grad_y.

import { join } from 'node:path';
import { after, test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { readFloats } from '../../test/npy.ts';
import { type GoldenCase, golden } from '../../test/shared.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { gradientsOf } from './gradients.ts';
import { groupNorm } from './layers.ts';
import {
  abs,
  add,
  clip,
  div,
  exp,
  gelu,
  leakyRelu,
  log,
  maximum,
  minimum,
  mul,
  neg,
  relu,
  sigmoid,
  silu,
  sqrt,
  square,
  sub,
  tanh,
} from './ops/arithmetic.ts';
import {
  averagePool,
  conv,
  convTranspose,
  dense,
  matmul,
  maxPool,
  resizeBilinear,
  resizeNearest,
  upsampleNearest,
} from './ops/conv.ts';
import { instanceNormalization, layerNormalization, mean, meanAll, softmax, sum } from './ops/reduce.ts';
import { concat, pad, reshape, slice, split, transpose, transposeLast, unsqueeze } from './ops/shape.ts';
import { Engine } from './session.ts';
import { apply, fixed, input, type Value } from './value.ts';
import { Weights } from './weights.ts';

type Inputs = Record<string, Value>;
// biome-ignore lint/suspicious/noExplicitAny: as the manifest has them
type Params = Record<string, any>;
type Results = Value | Record<string, Value>;

const one = (f: (x: Value) => Value) => (x: Inputs) => f(x.x!);
const scope = (x: Inputs) => new Weights({ get: (name) => x[name]! });

function convolution({ x, weight, bias }: Inputs, p: Params): Value {
  const [left, right, top, bottom] = p.pad_lrtb ?? [0, 0, 0, 0];
  // Padding of its own, or as an attribute: both are used by networks.
  const padding = p.pad_lrtb ? [top, left, bottom, right] : p.padding;
  return conv(x!, weight!, bias, { stride: p.stride, padding, groups: p.groups ?? 1 });
}

/** [B, N, heads · d] → [B, heads, N, d] */
function heads(x: Value, count: number): Value {
  const [b, n, width] = [0, 1, 2].map((axis) => fixed(x, axis)) as [number, number, number];
  return transpose(reshape(x, [b, n, count, width / count]), [0, 2, 1, 3]);
}

function attend(q: Value, k: Value, v: Value): Value {
  return matmul(softmax(mul(matmul(q, transposeLast(k)), 1 / Math.sqrt(fixed(q, 3)))), v);
}

function attention({ x, context, wq, wk, wv, wo, bo }: Inputs, p: Params): Value {
  const from = context ?? x!;
  const y = attend(
    heads(dense(x!, wq!), p.heads),
    heads(dense(from, wk!), p.heads),
    heads(dense(from, wv!), p.heads),
  );
  const joined = reshape(transpose(y, [0, 2, 1, 3]), [fixed(y, 0), fixed(y, 2), fixed(y, 1) * fixed(y, 3)]);
  return dense(joined, wo!, bo);
}

function geglu(x: Value): Value {
  const half = fixed(x, -1) / 2;
  const [a, b] = split(x, [half, half], x.shape.length - 1);
  return mul(a!, gelu(b!));
}

function norm(x: Value, floor: number): Value {
  return maximum(sqrt(sum(square(x), [x.shape.length - 1], { keep: true })), floor);
}

function cosine(a: Value, v: Value): Value {
  return div(sum(mul(a, v), [1], { keep: true }), mul(norm(a, 1e-8), norm(v, 1e-8)));
}

function batchNormTrain({ x, weight, bias, running_mean, running_var }: Inputs): Record<string, Value> {
  const axes = [0, 2, 3];
  const average = mean(x!, axes, { keep: true });
  const variance = mean(square(sub(x!, average)), axes, { keep: true });
  const channels = average.shape;
  const count = (fixed(x!, 0) * fixed(x!, 2) * fixed(x!, 3)) as number;
  const moved = (old: Value, now: Value) => add(mul(old, 0.9), mul(reshape(now, old.shape), 0.1));
  return {
    y: add(
      mul(div(sub(x!, average), sqrt(add(variance, 1e-5))), reshape(weight!, channels)),
      reshape(bias!, channels),
    ),
    running_mean_after: moved(running_mean!, average),
    running_var_after: moved(running_var!, mul(variance, count / (count - 1))),
  };
}

const lowerHalf = (x: Value) => slice(x, 2, fixed(x, 2) / 2, fixed(x, 2));
const meanAbs = (a: Value, b: Value) => meanAll(abs(sub(a, b)));

const builders: [RegExp, (x: Inputs, p: Params) => Results][] = [
  [/conv[12]d/, convolution],
  [
    /conv_transpose/,
    ({ x, weight, bias }, p) =>
      add(convTranspose(x!, weight!, p), reshape(bias!, [1, fixed(bias!, 0), 1, 1])),
  ],
  [/groupnorm/, (x, p) => groupNorm(scope(x), x.x!, p as { groups: number; eps: number })],
  [/layernorm/, ({ x, weight, bias }, p) => layerNormalization(x!, weight!, bias!, p.eps)],
  [/instancenorm/, ({ x, weight, bias }, p) => instanceNormalization(x!, weight!, bias!, p.eps)],
  [/batchnorm_train/, batchNormTrain],
  [
    /batchnorm_eval/,
    ({ x, weight, bias, running_mean, running_var }, p) => ({
      y: apply('BatchNormalization', [x, weight, bias, running_mean, running_var], x!.shape, {
        attributes: { epsilon: { float: p.eps } },
      }),
      running_mean_after: running_mean!,
      running_var_after: running_var!,
    }),
  ],
  [/act_silu/, one(silu)],
  [/act_gelu_erf/, one(gelu)],
  [
    /act_gelu_tanh/,
    one((x) =>
      mul(mul(x, 0.5), add(tanh(mul(add(x, mul(mul(square(x), x), 0.044715)), Math.sqrt(2 / Math.PI))), 1)),
    ),
  ],
  [/act_relu/, one(relu)],
  [/act_leakyrelu_02/, one((x) => leakyRelu(x, 0.2))],
  [/act_leakyrelu_001/, one((x) => leakyRelu(x, 0.01))],
  [/act_sigmoid/, one(sigmoid)],
  [/act_tanh/, one(tanh)],
  [/act_exp/, one(exp)],
  [/act_abs/, one(abs)],
  [/act_clamp01/, one((x) => clip(x, 0, 1))],
  [/act_square/, one(square)],
  [/act_sqrt/, one(sqrt)],
  [/geglu$/, one(geglu)],
  [/geglu_feed/, ({ x, w1, b1, w2, b2 }) => dense(geglu(dense(x!, w1!, b1)), w2!, b2)],
  [/ops\/softmax/, one((x) => softmax(x))],
  [/log_softmax/, one((x) => log(softmax(x)))],
  [/attention_/, attention],
  [/sdpa/, ({ q, k, v }) => attend(q!, k!, v!)],
  [/upsample_nearest2/, one((x) => upsampleNearest(x))],
  [/upsample_nearest_size/, ({ x }, p) => resizeNearest(x!, p.size[0], p.size[1])],
  [/concat/, ({ a, b }) => square(concat([a!, b!], 1))],
  [/split_slice/, one((x) => lowerHalf(concat([mul(slice(x, 1, 2, 5), 2), slice(x, 1, 0, 2)], 1)))],
  [
    /pad_zero/,
    ({ x }, { pad_lrtb: [left, right, top, bottom] }) => pad(x!, [0, 0, top, left], [0, 0, bottom, right]),
  ],
  [
    /permute_tokens/,
    ({ x, w }) => {
      const [b, c, h, width] = x!.shape as number[];
      const tokens = dense(transpose(reshape(x!, [b!, c!, h! * width!]), [0, 2, 1]), w!);
      return reshape(transpose(tokens, [0, 2, 1]), [b!, fixed(w!, 0), h!, width!]);
    },
  ],
  [
    /reshape_frames/,
    ({ x }, p) => {
      const [, c, h, w] = x!.shape as number[];
      return square(lowerHalf(reshape(x!, [p.b, p.f * c!, h!, w!])));
    },
  ],
  [/broadcast_add/, ({ a, b, c }) => add(add(a!, b!), c!)],
  [/broadcast_mul/, ({ a, b, c }) => mul(mul(a!, b!), c!)],
  [/broadcast_sub_div/, ({ a, b, c }) => div(sub(a!, b!), c!)],
  [/time_embedding/, ({ x, t }) => add(x!, unsqueeze(t!, [2, 3]))],
  [/matmul/, ({ a, b }) => matmul(a!, b!)],
  [/linear_bias/, ({ x, weight, bias }) => dense(x!, weight!, bias)],
  [/mean_all/, one(meanAll)],
  [/mean_axes/, one((x) => mean(x, [2, 3], { keep: true }))],
  [/var_axes/, one((x) => mean(square(sub(x, mean(x, [-1], { keep: true }))), [-1]))],
  [/sum_axis/, one((x) => sum(x, [1]))],
  [/loss_l1/, ({ pred, target }) => meanAbs(pred!, target!)],
  [/loss_l2/, ({ pred, target }) => meanAll(square(sub(pred!, target!)))],
  [
    /loss_v10/,
    ({ img_pred, img, lat_pred, lat }) =>
      add(mul(meanAbs(lowerHalf(img_pred!), lowerHalf(img!)), 2), meanAbs(lat_pred!, lat!)),
  ],
  [/l2_normalize/, one((x) => div(x, norm(x, 1e-12)))],
  [/cosine_sim/, ({ a, v }) => reshape(cosine(a!, v!), [fixed(a!, 0)])],
  [/gan_ls_d/, ({ real, fake }) => meanAll(add(square(sub(1, real!)), square(fake!)))],
  [/gan_ls_g/, ({ fake }) => meanAll(square(sub(1, fake!)))],
  [
    /gan_hinge_d/,
    ({ real, fake }) => neg(add(meanAll(minimum(sub(real!, 1), 0)), meanAll(minimum(sub(neg(fake!), 1), 0)))),
  ],
  [/gan_hinge_g/, ({ fake }) => neg(meanAll(fake!))],
  [/feature_matching/, ({ f0, f1, r0, r1 }) => add(meanAbs(r0!, f0!), meanAbs(r1!, f1!))],
  [/avgpool/, one((x) => averagePool(x, { kernel: 2 }))],
  [/maxpool/, one((x) => maxPool(x, { kernel: 2 }))],
  [/bilinear/, ({ x }, p) => resizeBilinear(x!, p.size[0], p.size[1])],
  [
    /mouth_crop/,
    ({ x }, p) =>
      resizeBilinear(
        slice(slice(x!, 2, p.rows[0], p.rows[1]), 3, p.cols[0], p.cols[1]),
        p.size[0],
        p.size[1],
      ),
  ],
];

const engine = new Engine();
after(() => engine.close());

const { folder, cases } = golden('train');
const operators = cases.filter(({ name }) => name.startsWith('ops/') && !/bce/.test(name));
test('there are recorded operators', { skip: operators.length > 0 }, () => {
  throw new Error('no case of ops/ was found');
});
for (const recorded of operators)
  test(`${recorded.what} has PyTorch's gradients (${recorded.name})`, () => check(recorded));

async function check({
  name,
  params,
  inputs,
  outputs,
  tolerance,
  output_tolerances,
}: GoldenCase): Promise<void> {
  const fed = Object.fromEntries(
    Object.entries(inputs).map(([key, file]) => [key, readFloats(join(folder, file as string))]),
  ) as Record<string, FloatTensor>;
  const values = Object.fromEntries(Object.entries(fed).map(([key, { shape }]) => [key, input(key, shape)]));
  const build = builders.find(([pattern]) => pattern.test(name))?.[1];
  if (!build) throw new Error(`${name} has no builder`);
  const built = build(values, params);
  const results = 'source' in built ? { y: built as Value } : (built as Record<string, Value>);

  const seeds = Object.entries(results).flatMap(([key, value]) => {
    const seed = values[`grad_${key}`];
    return seed ? [[value, seed] as const] : [];
  });
  const wanted = Object.keys(outputs)
    .filter((key) => key.startsWith('grad_'))
    .map((key) => key.slice('grad_'.length));
  const found = gradientsOf(
    seeds,
    wanted.map((key) => values[key]!),
  );
  const graph: Record<string, Value> = { ...results };
  for (const [i, key] of wanted.entries())
    graph[`grad_${key}`] = apply('Identity', [found[i]!], found[i]!.shape);
  const named = Object.fromEntries(
    Object.entries(graph).map(([key, value]) => [`out_${key}`, apply('Identity', [value], value.shape)]),
  );

  const session = await engine.load(named);
  const given = Object.fromEntries([...session.inputs.keys()].map((key) => [key, fed[key]!]));
  const actual = await session.run(given);
  await session.close();
  for (const [key, file] of Object.entries(outputs)) {
    const expected = readFloats(join(folder, file as string));
    expectClose(actual[`out_${key}`]!, expected, output_tolerances?.[key] ?? tolerance, `${name} ${key}`);
  }
}
