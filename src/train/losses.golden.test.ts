// Recorded from PyTorch 2.13 in double precision (manifest: train, ops/*bce* and gan/*): losses, the pyramid, the
// discriminator with its spectral normalisation, the mouth cut, the perceptual loss, and two whole adversarial steps.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type GoldenCase, golden } from '../../test/shared.ts';
import { evaluate, expectOutputs, readInputs, seeded } from '../../test/training.ts';
import type { Box } from '../core/box.ts';
import type { FloatTensor, Tensor } from '../core/tensor.ts';
import {
  type PatchDiscriminatorConfig,
  patchDiscriminator,
  SpectralVectors,
} from '../networks/patch-discriminator.ts';
import { gradients, gradientsOf } from '../nn/gradients.ts';
import { conv2d, groupNorm } from '../nn/layers.ts';
import { add, mul, silu } from '../nn/ops/arithmetic.ts';
import { resizeBilinear } from '../nn/ops/conv.ts';
import { concat, reshape, slice } from '../nn/ops/shape.ts';
import { seededTensors } from '../nn/seeded-weights.ts';
import { Engine } from '../nn/session.ts';
import { Trainer } from '../nn/trainer.ts';
import { input, type Value } from '../nn/value.ts';
import { Trainable, Weights } from '../nn/weights.ts';
import {
  binaryCrossEntropy,
  discriminatorLoss,
  featureMatchingLoss,
  generatorLoss,
  hingeDiscriminatorLoss,
  meanAbsolute,
  syncLoss,
} from './losses.ts';
import { boxOfMask, cutMaps, cutMouth } from './mouth-cut.ts';
import { blurKernel, perceptualLoss, shrunk } from './perceptual.ts';

const engine = new Engine();
after(() => engine.close());

const { folder, cases } = golden('train');

/** Checks a case where it is among the recorded data, and says so where it is not. */
function check(name: string, title: string, run: (recorded: GoldenCase, fed: Fed) => Promise<void>): void {
  const recorded = cases.find((one) => one.name === name);
  const skip = recorded ? false : `${name} is not in the committed data`;
  test(title, { skip }, () => run(recorded!, readInputs(folder, recorded!)));
}

type Fed = Record<string, FloatTensor>;
const inputsOf = (fed: Fed) =>
  Object.fromEntries(Object.entries(fed).map(([name, { shape }]) => [name, input(name, shape)]));

for (const labels of ['pos', 'mixed']) {
  check(`ops/loss_sync_bce_${labels}`, `the sync loss agrees (labels: ${labels})`, async (recorded, fed) => {
    const { a, v, y, grad_loss } = inputsOf(fed);
    const { loss, similarity } = syncLoss(v!, a!, y!);
    const [grad_a, grad_v] = gradientsOf([[loss, grad_loss!]], [a!, v!]);
    const outputs = { loss, similarity, grad_a: grad_a!, grad_v: grad_v! };
    expectOutputs(folder, recorded, await evaluate(engine, outputs, fed));
  });
}

check('ops/bce_edges', 'cross-entropy and its gradient stay finite at 0 and 1', async (recorded, fed) => {
  const { p, y, grad_y } = inputsOf(fed);
  const entropy = binaryCrossEntropy(p!, y!);
  const [grad_p] = gradientsOf([[entropy, grad_y!]], [p!]);
  expectOutputs(folder, recorded, await evaluate(engine, { y: entropy, grad_p: grad_p! }, fed));
});

for (const scale of [0.5, 0.25, 0.125]) {
  check(`gan/pyramid_${scale}`, `a picture shrunk to ${scale} agrees`, async (recorded, fed) => {
    const { x, grad_y } = inputsOf(fed);
    const y = shrunk(x!, scale);
    const [grad_x] = gradientsOf([[y, grad_y!]], [x!]);
    const results = await evaluate(engine, { y, grad_x: grad_x! }, fed);
    expectOutputs(folder, recorded, { ...results, kernel: { data: blurKernel(scale).weights } });
  });
}

/** A discriminator with the recorded rule's weights and vectors, under a prefix. */
function discriminator(params: GoldenCase['params'], prefix = '') {
  const weights = new Trainable();
  const vectors = params.sn ? new SpectralVectors() : undefined;
  const w = new Weights(weights).at(...(prefix ? [prefix] : []));
  const judge = (picture: Value) =>
    patchDiscriminator(w, picture, params as unknown as PatchDiscriminatorConfig, vectors);
  return { weights, vectors, judge };
}

function firstVectors(
  vectors: SpectralVectors | undefined,
  seed: number,
  prefix = '',
): Map<string, FloatTensor> {
  const shapes = [...(vectors?.inputs ?? [])].map(
    ([name, { shape }]) => [name.slice(prefix.length), shape.map(Number)] as const,
  );
  return new Map([...seededTensors(shapes, { seed })].map(([name, value]) => [prefix + name, value]));
}

/** Gradients of every parameter as `grad.name`, the vectors afterwards as `after.name`. */
function parameterOutputs(loss: Value, { weights, vectors }: ReturnType<typeof discriminator>) {
  const names = [...weights.parameters.keys()];
  const found = gradients(loss, [...weights.parameters.values()]);
  return {
    ...Object.fromEntries(names.map((name, i) => [`grad.${name}`, found[i]!])),
    ...Object.fromEntries(
      Object.entries(vectors?.next ?? {}).map(([name, value]) => [`after.${name}`, value]),
    ),
  };
}

for (const kind of ['plain', 'sn']) {
  check(
    `gan/discriminator_${kind}`,
    `the discriminator and its gradients agree (${kind})`,
    async (recorded, fed) => {
      const critic = discriminator(recorded.params.params);
      const { x } = inputsOf(fed);
      const { features, score } = critic.judge(x!);
      const loss = generatorLoss(score);
      const outputs = {
        loss,
        prediction_map: score,
        grad_x: gradients(loss, [x!])[0]!,
        ...Object.fromEntries(features.map((map, i) => [`feature_map_${i}`, map])),
        ...parameterOutputs(loss, critic),
      };
      const first = [...seeded(critic.weights, 3), ...firstVectors(critic.vectors, 3)];
      const results = await evaluate(engine, outputs, { ...fed, ...Object.fromEntries(first) });
      expectOutputs(folder, recorded, results);
    },
  );
}

for (const [mode, lossOf] of [
  ['ls', discriminatorLoss],
  ['hinge', hingeDiscriminatorLoss],
] as const) {
  check(`gan/d_loss_${mode}`, `the discriminator's loss agrees (${mode})`, async (recorded, fed) => {
    const critic = discriminator(recorded.params.params);
    const { real, fake } = inputsOf(fed);
    const drawn = critic.judge(fake!).score; // drawn first: each call moves the vectors
    const loss = lossOf(critic.judge(real!).score, drawn);
    const first = [...seeded(critic.weights, 3), ...firstVectors(critic.vectors, 3)];
    const outputs = { loss, ...parameterOutputs(loss, critic) };
    const results = await evaluate(engine, outputs, { ...fed, ...Object.fromEntries(first) });
    expectOutputs(folder, recorded, results);
  });
}

function boxes({ shape, data }: FloatTensor): Box[] {
  const [batch, channels, height, width] = shape as [number, number, number, number];
  const size = height * width;
  return Array.from({ length: batch }, (_, b) => {
    const start = b * channels * size;
    const box = boxOfMask(data.subarray(start, start + size), width, height);
    assert.ok(box);
    return box;
  });
}

check('gan/mouth_region', 'mouths are cut out by their masks', async (recorded, fed) => {
  const { frames, pred } = inputsOf(fed);
  const maps = cutMaps(boxes(fed.mask!), { height: 64, width: 64, size: 256 });
  const [rows, columns] = [input('rows', maps.rows.shape), input('columns', maps.columns.shape)];
  const cut = (picture: Value) => {
    const mouth = cutMouth(picture, rows, columns);
    return slice(slice(mouth, 2, 0, 256, 16), 3, 0, 256, 16);
  };
  const outputs = { real: cut(frames!), generated: cut(pred!) };
  expectOutputs(
    folder,
    recorded,
    await evaluate(engine, outputs, { ...fed, rows: maps.rows, columns: maps.columns }),
  );
});

check('gan/perceptual_tiny', 'the perceptual loss and its gradient agree', async (recorded, fed) => {
  const { pred, target } = inputsOf(fed);
  const weights = new Trainable();
  const { scales, width_divisor: thin, wr1_seed } = recorded.params;
  const { loss, terms } = perceptualLoss(new Weights(weights), pred!, target!, { size: 64, scales, thin });
  const outputs = {
    loss,
    terms: concat(
      terms.map((term) => reshape(term, [1])),
      0,
    ),
    grad_pred: gradients(loss, [pred!])[0]!,
  };
  const feeds = { ...fed, ...Object.fromEntries(seeded(weights, wr1_seed)) };
  expectOutputs(folder, recorded, await evaluate(engine, outputs, feeds));
});

check(
  'gan/two_full_steps',
  'two whole steps of a generator and its two discriminators agree',
  async (recorded, fed) => {
    const { trainer, maps } = await startAdversarial(recorded, fed);
    const actual: Record<string, { data: ArrayLike<number> }> = {};
    for (const step of [0, 1]) {
      const drawn = await trainer.run('generator', { ...fed, ...maps });
      const gathered = await trainer.gradients('G');
      const norms: Record<string, number> = {};
      const discriminators: Record<string, number> = {};
      for (const part of ['face', 'mouth']) {
        const feeds = { drawn: drawn.outputs.pred!, target: fed.target!, ...(part === 'mouth' ? maps : {}) };
        discriminators[part] = (await trainer.run(part, feeds)).loss;
        norms[part] = (await trainer.update(part === 'face' ? 'D' : 'Dmouth', { learningRate: 5e-6 })).norm;
      }
      const { norm } = await trainer.update('G', { learningRate: 2e-5 });
      if (step === 0) {
        actual.grad_pred = drawn.outputs.grad_pred as FloatTensor;
        const clip = Math.min(1, 1 / (norm + 1e-6));
        for (const [name, { data }] of gathered) {
          actual[name.replace('G.', 'grad.')] = { data: data.map((g) => g * clip) };
        }
      }
      const numbers = {
        ...Object.fromEntries(
          ['l1', 'gan_face', 'fm_face', 'gan_mouth', 'fm_mouth'].map((name) => [
            name,
            Number(drawn.outputs[name]!.data[0]),
          ]),
        ),
        d_face: discriminators.face!,
        d_norm_face: norms.face!,
        d_mouth: discriminators.mouth!,
        d_norm_mouth: norms.mouth!,
        g_norm: norm,
        loss: drawn.loss,
      };
      for (const [name, number] of Object.entries(numbers))
        actual[`step${step}.${name}`] = { data: [number] };
    }
    const { groups, states } = await trainer.save();
    await trainer.close();
    for (const { parameters } of Object.values(groups)) Object.assign(actual, Object.fromEntries(parameters));
    Object.assign(actual, Object.fromEntries(states));
    expectOutputs(folder, recorded, actual as Record<string, Tensor>);
  },
);

async function startAdversarial({ params }: GoldenCase, fed: Fed) {
  const size = fed.x!.shape[3]!;
  const maps = cutMaps(boxes(fed.mouth_mask!), { height: size, width: size, size: params.mouth_size });
  const [rows, columns] = [input('rows', maps.rows.shape), input('columns', maps.columns.shape)];
  const [x, target, drawn] = ['x', 'target', 'drawn'].map((name) => input(name, fed.x!.shape)) as [
    Value,
    Value,
    Value,
  ];
  const mouth = (picture: Value) => cutMouth(picture, rows, columns);
  const small = (picture: Value) => resizeBilinear(picture, params.down_size, params.down_size);

  const weights = new Trainable();
  const w = new Weights(weights).at('G');
  const hidden = groupNorm(w.at('norm'), conv2d(w.at('conv_in'), x, { out: 8, kernel: 3, padding: 1 }), {
    groups: 4,
  });
  const pred = add(x, conv2d(w.at('conv_out'), silu(hidden), { out: 3, kernel: 3, padding: 1 }));

  // Each pass follows the vectors anew, so each has a discriminator of its own over the same weights.
  const judged = (prefix: string) => discriminator(params.params, prefix);
  const [face, lips] = [judged('D'), judged('Dmouth')];
  const side = (critic: typeof face, mine: Value, theirs: Value) => {
    const [made, real] = [critic.judge(mine), critic.judge(theirs)];
    return { gan: generatorLoss(made.score), matching: featureMatchingLoss(real.features, made.features) };
  };
  const l1 = meanAbsolute(pred, target);
  const ofFace = side(face, small(pred), small(target));
  const ofMouth = side(lips, small(mouth(pred)), small(mouth(target)));
  const loss = [l1, mul(ofFace.gan, 0.01), ofFace.matching, mul(ofMouth.gan, 0.01), ofMouth.matching].reduce(
    (a, b) => add(a, b),
  );

  const [faceAlone, lipsAlone] = [judged('D'), judged('Dmouth')];
  const verdict = (critic: typeof face, cut: (picture: Value) => Value) => {
    const made = critic.judge(cut(drawn)).score;
    return discriminatorLoss(critic.judge(cut(target)).score, made);
  };
  const adam = { betas: [0.5, 0.999] as const, clipNorm: 1 };
  const trainer = await Trainer.start({
    groups: {
      G: { ...adam, parameters: weights.parameters, initial: seeded(weights, 5, 'G.') },
      D: { ...adam, parameters: face.weights.parameters, initial: seeded(face.weights, 3, 'D.') },
      Dmouth: { ...adam, parameters: lips.weights.parameters, initial: seeded(lips.weights, 4, 'Dmouth.') },
    },
    passes: {
      generator: {
        loss,
        groups: ['G'],
        outputs: {
          pred,
          grad_pred: gradients(loss, [pred])[0]!,
          l1,
          gan_face: ofFace.gan,
          fm_face: ofFace.matching,
          gan_mouth: ofMouth.gan,
          fm_mouth: ofMouth.matching,
        },
        next: { ...face.vectors!.next, ...lips.vectors!.next },
      },
      face: {
        loss: verdict(faceAlone, (picture) => picture),
        groups: ['D'],
        next: faceAlone.vectors!.next,
      },
      mouth: { loss: verdict(lipsAlone, mouth), groups: ['Dmouth'], next: lipsAlone.vectors!.next },
    },
    states: new Map([...firstVectors(face.vectors, 3, 'D.'), ...firstVectors(lips.vectors, 4, 'Dmouth.')]),
    threads: 1,
  });
  return { trainer, maps };
}
