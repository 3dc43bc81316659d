import { after, test } from 'node:test';
import { type GoldenCase, golden } from '../../test/shared.ts';
import { evaluate, expectOutputs, flat, readInputs, seeded, summary } from '../../test/training.ts';
import type { FloatTensor, Tensor } from '../core/tensor.ts';
import { readUnetConfig, unet } from '../networks/unet.ts';
import { unscaled, vaeConfig, vaeDecoder } from '../networks/vae.ts';
import { gradients } from '../nn/gradients.ts';
import { mul } from '../nn/ops/arithmetic.ts';
import { Engine } from '../nn/session.ts';
import { Trainer } from '../nn/trainer.ts';
import { input, type Value } from '../nn/value.ts';
import { Trainable, Weights } from '../nn/weights.ts';
import { lowerHalf, meanAbsolute, meanSquare, VERSION_10_LOSSES } from './losses.ts';
import { linearSchedule } from './schedule.ts';

const engine = new Engine();
after(() => engine.close());

const { folder, cases, manifest } = golden('train');
const find = (name: string) => cases.find((one) => one.name === name);

/** Checks a case where it is among the recorded data, and says so where it is not. */
function check(name: string, title: string, run: (recorded: GoldenCase) => Promise<void>): void {
  const recorded = find(name);
  const skip = recorded ? false : `${name} is not in the committed data`;
  test(title, { skip }, () => run(recorded!));
}

// The configuration is recorded once, with a case of which the committed data may lack the numbers.
const { config } = manifest.cases?.find(({ name }: GoldenCase) => name === 'unet_l1')?.params ?? {};

function tinyUnet(fed: Record<string, Tensor>, unetConfig: unknown) {
  const weights = new Trainable();
  const sample = input('sample', fed.sample!.shape);
  const context = input('encoder_hidden_states', fed.encoder_hidden_states!.shape);
  const pred = unet(new Weights(weights), sample, context, readUnetConfig(unetConfig));
  return { weights, sample, context, pred };
}

function named(prefix: string, weights: Trainable, found: readonly Value[]): Record<string, Value> {
  return Object.fromEntries([...weights.parameters.keys()].map((name, i) => [prefix + name, found[i]!]));
}

function gradientsIn(results: Record<string, Tensor>): Map<string, FloatTensor> {
  return new Map(
    Object.entries(results).flatMap(([name, value]) =>
      name.startsWith('d ') ? [[name.slice(2), value as FloatTensor]] : [],
    ),
  );
}

check('unet_l1', 'all 440 gradients of a small UNet agree', async (recorded) => {
  const fed = readInputs(folder, recorded);
  const { weights, sample, context, pred } = tinyUnet(fed, recorded.params.config);
  const loss = meanAbsolute(pred, input('target', fed.target!.shape));
  const parameters = [...weights.parameters.values()];
  const [dSample, dContext, ...found] = gradients(loss, [sample, context, ...parameters]);
  const feeds = { ...fed, ...Object.fromEntries(seeded(weights)) };
  const outputs = {
    pred,
    loss,
    grad_sample: dSample!,
    grad_context: dContext!,
    ...named('d ', weights, found),
  };
  const results = await evaluate(engine, outputs, feeds);
  const grads = flat(recorded.params.layout, gradientsIn(results));
  expectOutputs(folder, recorded, { ...results, grads });
});

async function startTrainer(recorded: GoldenCase, batch?: number) {
  const fed = readInputs(folder, recorded);
  const shapes = Object.fromEntries(
    Object.entries(fed).map(([name, value]) => [
      name,
      { ...value, shape: [batch ?? value.shape[0]!, ...value.shape.slice(1)] },
    ]),
  );
  const { weights, pred } = tinyUnet(shapes, config);
  const loss = meanAbsolute(pred, input('target', shapes.target!.shape));
  const initial = seeded(weights);
  const { betas, eps, weight_decay: weightDecay, max_grad_norm: clipNorm } = recorded.params;
  const trainer = await Trainer.start({
    groups: { unet: { parameters: weights.parameters, initial, betas, eps, weightDecay, clipNorm } },
    passes: { fit: { loss, groups: ['unet'] } },
    threads: 1,
  });
  return { trainer, fed, initial };
}

check('unet_adamw5', 'five steps of AdamW end at the same weights', async (recorded) => {
  const { trainer, fed } = await startTrainer(recorded);
  const losses: number[] = [];
  const norms: number[] = [];
  for (let i = 0; i < 5; i++) {
    losses.push((await trainer.run('fit', fed)).loss);
    norms.push((await trainer.update('unet', { learningRate: recorded.params.lr })).norm);
  }
  losses.push((await trainer.run('fit', fed)).loss);
  const after = summary(recorded.params.layout, await trainer.parameters('unet'));
  await trainer.close();
  expectOutputs(folder, recorded, {
    losses: { data: Float64Array.from(losses) },
    grad_norms_before_clip: { data: Float64Array.from(norms) },
    param_norms: after.norms,
    param_heads: after.heads,
  });
});

check(
  'unet_adamw5_stage1',
  "five steps by the first stage's rates move the weights as far",
  async (recorded) => {
    const { trainer, fed, initial } = await startTrainer(recorded);
    const { lr: rate, warmup: warmUp, total } = recorded.params;
    const schedule = linearSchedule({ rate, warmUp, total });
    const rates = [0, 1, 2, 3, 4].map(schedule);
    const losses: number[] = [];
    const norms: number[] = [];
    for (const learningRate of rates) {
      losses.push((await trainer.run('fit', fed)).loss);
      norms.push((await trainer.update('unet', { learningRate })).norm);
    }
    losses.push((await trainer.run('fit', fed)).loss);
    const moved = new Map<string, FloatTensor>();
    for (const [name, after] of await trainer.parameters('unet')) {
      const before = initial.get(name)!.data;
      moved.set(name, { ...after, data: after.data.map((number, i) => number - before[i]!) });
    }
    await trainer.close();
    const { norms: delta_norms, heads: delta_heads } = summary(recorded.params.layout, moved);
    expectOutputs(folder, recorded, {
      losses: { data: Float64Array.from(losses) },
      grad_norms_before_clip: { data: Float64Array.from(norms) },
      learning_rates: { data: Float64Array.from(rates) },
      delta_norms,
      delta_heads,
    });
  },
);

check('unet_accumulate2', 'two halves of a batch gather the gradients of the whole', async (recorded) => {
  const { trainer, fed } = await startTrainer(recorded, 1);
  for (const half of [0, 1]) {
    const feeds = Object.fromEntries(
      Object.entries(fed).map(([name, { dtype, shape, data }]) => {
        const size = data.length / 2;
        return [
          name,
          { dtype, shape: [1, ...shape.slice(1)], data: data.slice(half * size, (half + 1) * size) },
        ];
      }),
    );
    await trainer.run('fit', feeds);
  }
  const gathered = await trainer.gradients('unet');
  const halved = [...gathered].map(
    ([name, sum]) => [name, { ...sum, data: sum.data.map((g) => g / 2) }] as const,
  );
  const { norms, heads } = summary(recorded.params.layout, new Map(halved));
  const { norm } = await trainer.update('unet', { learningRate: 0, scale: 1 / 2 });
  await trainer.close();
  expectOutputs(folder, recorded, {
    grad_norms: norms,
    grad_heads: heads,
    total_norm: { data: Float64Array.of(norm) },
  });
});

interface Loop {
  latents: Value;
  trueLatents: Value;
  picture: Value;
  truePicture: Value;
}

/** A reading of the loss, and the parts of it that are recorded. */
const loops: Record<string, (parts: Loop) => { loss: Value; loss_latents?: Value; loss_image?: Value }> = {
  loop_v10_upstream: (x) => ({
    loss: VERSION_10_LOSSES.released(x),
    loss_latents: meanAbsolute(x.latents, x.trueLatents),
    loss_image: mul(meanAbsolute(lowerHalf(x.picture), lowerHalf(x.truePicture)), 2),
  }),
  loop_v10_plain_l1_l2: (x) => ({
    loss: VERSION_10_LOSSES.article(x),
    loss_latents: meanAbsolute(x.latents, x.trueLatents),
    loss_image: meanSquare(x.picture, x.truePicture),
  }),
  loop_v10_latent_mse: (x) => {
    const loss = VERSION_10_LOSSES.latents(x);
    return { loss, loss_latents: mul(loss, 1) };
  },
  loop_v15_stage1_pixel_l1: (x) => {
    const loss = meanAbsolute(x.picture, x.truePicture);
    return { loss, loss_image: mul(loss, 1) };
  },
};

for (const [name, reading] of Object.entries(loops)) {
  check(name, `gradients through the frozen decoder agree (${name})`, async (recorded) => {
    const fed = readInputs(folder, recorded);
    const { unet_config, vae_config } = recorded.params;
    const { weights, pred } = tinyUnet(fed, unet_config);
    const decoder = new Trainable();
    const vae = vaeConfig.parse(vae_config);
    const decoded = vaeDecoder(new Weights(decoder), unscaled(pred, vae), vae);
    const parts = reading({
      latents: pred,
      trueLatents: input('latents', fed.latents!.shape),
      picture: decoded,
      truePicture: input('image', fed.image!.shape),
    });
    const [dLatents, ...found] = gradients(parts.loss, [pred, ...weights.parameters.values()]);
    const outputs = {
      ...parts,
      grad_latents: dLatents!,
      latents_pred: pred,
      decoded,
      ...named('d ', weights, found),
    };
    const feeds = {
      ...fed,
      ...Object.fromEntries(seeded(weights)),
      ...Object.fromEntries(seeded(decoder)),
    };
    const results = await evaluate(engine, outputs, feeds);
    const { norms, heads } = summary(recorded.params.layout, gradientsIn(results));
    expectOutputs(folder, recorded, { ...results, grad_norms: norms, grad_heads: heads });
  });
}
