// Recorded from upstream's SyncNet, diffusers' AutoencoderKL and transformers' WhisperEncoder in double precision
// (manifest: train, syncnet_*, autoencoder_train, sound_encoder, loop_make_input).
import { after, test } from 'node:test';
import { type GoldenCase, golden } from '../../test/shared.ts';
import { evaluate, expectOutputs, readInputs, seeded, summary } from '../../test/training.ts';
import type { FloatTensor, Tensor } from '../core/tensor.ts';
import { type SyncNetConfig, syncNet } from '../networks/syncnet.ts';
import { latentMean, latentSample, unscaled, vaeConfig, vaeDecoder, vaeEncoder } from '../networks/vae.ts';
import { whisperStates } from '../networks/whisper-encoder.ts';
import { gradients, gradientsOf, stopGradient } from '../nn/gradients.ts';
import { add, clip, div, exp, mul, square, sub } from '../nn/ops/arithmetic.ts';
import { sumAll } from '../nn/ops/reduce.ts';
import { concat, pad, slice, split, unsqueeze } from '../nn/ops/shape.ts';
import { Engine } from '../nn/session.ts';
import { constant, fixed, input, type Value } from '../nn/value.ts';
import { Trainable, Weights } from '../nn/weights.ts';
import { meanAbsolute, syncLoss } from './losses.ts';

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

/** Runs outputs and the gradients of all weights, and summarises those in the order of the record. */
async function withGradients(
  recorded: GoldenCase,
  {
    outputs,
    weights,
    found,
    feeds,
  }: { outputs: Record<string, Value>; weights: Trainable; found: readonly Value[]; feeds: Fed },
): Promise<Record<string, Pick<Tensor, 'data'>>> {
  const named = [...weights.parameters.keys()].map((name, i) => [`d ${name}`, found[i]!] as const);
  const first = seeded(weights, recorded.params.wr1_seed);
  const results = await evaluate(
    engine,
    { ...outputs, ...Object.fromEntries(named) },
    { ...feeds, ...Object.fromEntries(first) },
  );
  const tensors = new Map(named.map(([key]) => [key.slice(2), results[key] as FloatTensor]));
  const size = recorded.name === 'sound_encoder' ? 32 : 16;
  const { norms, heads } = summary(recorded.params.layout, tensors, { size });
  return { ...results, grad_norms: norms, grad_heads: heads };
}

for (const kind of ['pos', 'mixed']) {
  check(
    `syncnet_${kind}`,
    `the sync net and its gradients agree (labels: ${kind})`,
    async (recorded, fed) => {
      const weights = new Trainable();
      const [frames, mel] = [input('frames', fed.frames!.shape), input('mel', fed.mel!.shape)];
      const { seen, heard } = syncNet(
        new Weights(weights),
        frames,
        mel,
        recorded.params.config as SyncNetConfig,
      );
      const labels = constant({
        dtype: 'float32',
        shape: [2, 1],
        data: Float32Array.from(recorded.params.y),
      });
      const { loss, similarity } = syncLoss(seen, heard, labels);
      const [grad_frames, grad_mel, ...found] = gradients(loss, [
        frames,
        mel,
        ...weights.parameters.values(),
      ]);
      const outputs = {
        vision_embed: seen,
        audio_embed: heard,
        loss,
        similarity,
        grad_frames: grad_frames!,
        grad_mel: grad_mel!,
      };
      expectOutputs(folder, recorded, await withGradients(recorded, { outputs, weights, found, feeds: fed }));
    },
  );
}

check('syncnet_swap_frames', 'frames that were not drawn come from the real clip', async (recorded, fed) => {
  const weights = new Trainable();
  const { frames_left_index: from, frames_right_index: to } = recorded.params;
  const real = input('gt_frames_lower_half', fed.gt_frames_lower_half!.shape);
  const drawn = input('pred_frames_lower_half', fed.pred_frames_lower_half!.shape);
  const frames = concat([slice(real, 1, 0, 3 * from), drawn, slice(real, 1, 3 * to, fixed(real, 1))], 1);
  const { seen, heard } = syncNet(
    new Weights(weights),
    frames,
    input('mel', fed.mel!.shape),
    recorded.params.config as SyncNetConfig,
  );
  const { loss, similarity } = syncLoss(
    seen,
    heard,
    constant({ dtype: 'float32', shape: [1, 1], data: Float32Array.of(1) }),
  );
  const outputs = { loss, similarity, grad_pred: gradients(loss, [drawn])[0]! };
  const feeds = { ...fed, ...Object.fromEntries(seeded(weights, recorded.params.wr1_seed)) };
  expectOutputs(folder, recorded, await evaluate(engine, outputs, feeds));
});

check('autoencoder_train', 'an autoencoder can be trained', async (recorded, fed) => {
  const weights = new Trainable();
  const w = new Weights(weights);
  const config = vaeConfig.parse({ ...recorded.params.vae_config, scaling_factor: 1 });
  const [image, noise] = [input('image', fed.image!.shape), input('noise', fed.noise!.shape)];
  const moments = vaeEncoder(w, image, config);
  const reconstruction = vaeDecoder(w, unscaled(latentSample(moments, noise, config), config), config);
  const [mean, logvar] = split(moments, [4, 4], 1) as [Value, Value];
  const bounded = clip(logvar, -30, 20);
  const kl = sub(add(square(mean), exp(bounded)), add(bounded, 1));
  const loss_kl = mul(div(sumAll(kl), fixed(image, 0)), 0.5);
  const loss_l1 = meanAbsolute(reconstruction, stopGradient(image)); // the picture's gradient is the encoder's
  const loss = add(loss_l1, mul(loss_kl, recorded.params.kl_weight));
  const [grad_image, ...found] = gradients(loss, [image, ...weights.parameters.values()]);
  const outputs = { mean, logvar, reconstruction, loss, loss_l1, loss_kl, grad_image: grad_image! };
  expectOutputs(folder, recorded, await withGradients(recorded, { outputs, weights, found, feeds: fed }));
});

check('sound_encoder', 'a sound encoder can be trained', async (recorded, fed) => {
  const weights = new Trainable();
  const { config } = recorded.params;
  const mel = input('mel', fed.mel!.shape);
  const all = whisperStates(new Weights(weights), mel, {
    mels: config.num_mel_bins,
    positions: config.max_source_positions,
    width: config.d_model,
    layers: config.encoder_layers,
    heads: config.encoder_attention_heads,
    mlp: config.encoder_ffn_dim,
  });
  const states = [...all.slice(0, config.encoder_layers), all.at(-1)!];
  const hidden_states = concat(
    states.map((state) => unsqueeze(state, [2])),
    2,
  );
  const seed = input('grad_hidden_states', fed.grad_hidden_states!.shape);
  const [grad_mel, ...found] = gradientsOf([[hidden_states, seed]], [mel, ...weights.parameters.values()]);
  const outputs = { hidden_states, grad_mel: grad_mel! };
  expectOutputs(folder, recorded, await withGradients(recorded, { outputs, weights, found, feeds: fed }));
});

check(
  'loop_make_input',
  'the input of the UNet is the mean of the latents, masked half first',
  async (recorded, fed) => {
    const weights = new Trainable();
    const config = vaeConfig.parse(recorded.params.vae_config);
    const [image, reference] = [input('image', fed.image!.shape), input('ref_image', fed.ref_image!.shape)];
    const half = fixed(image, 2) / 2;
    const masked = pad(slice(image, 2, 0, half), [0, 0, 0, 0], [0, 0, half, 0], { value: -1 });
    const encode = (picture: Value) => latentMean(vaeEncoder(new Weights(weights), picture, config), config);
    const outputs = {
      unet_input: concat([encode(masked), encode(reference)], 1),
      target_latents: encode(image),
    };
    const feeds = { ...fed, ...Object.fromEntries(seeded(weights)) };
    expectOutputs(folder, recorded, await evaluate(engine, outputs, feeds));
  },
);
