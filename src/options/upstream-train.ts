/** Upstream's configuration files of both stages of 1.5, translated into our own form. */
import { z } from 'zod';
import { MuseTalkError } from '../core/errors.ts';

const number = z.coerce.number();
/** A weight for each layer or scale: here they count alike, as they do in upstream's files. */
const weights = z.union([number, z.array(number).min(1)]);

/** The keys that mean something here; the others are read by nothing upstream either, or belong to its files. */
const upstreamConfig = z.looseObject({
  random_init_unet: z.boolean().optional(),
  crop_type: z.enum(['crop_resize', 'dynamic_margin_crop_resize']).default('crop_resize'),
  cropping_jaw2edge_margin_mean: number.default(10),
  cropping_jaw2edge_margin_std: number.default(10),
  random_margin_method: z.string().default('normal'),
  num_backward_frames: number.optional(),
  seed: number.default(41),
  checkpointing_steps: number.optional(),
  val_freq: number.optional(),
  total_limit: number.optional(),
  data: z.looseObject({
    train_bs: number,
    n_sample_frames: number,
    image_size: number.default(256),
    sample_method: z.string().default('pose_similarity_and_mouth_dissimilarity'),
    top_k_ratio: number.default(0.51),
    min_face_size: number.optional(),
    contorl_face_min_size: z.boolean().optional(), // upstream's spelling
  }),
  loss_params: z.looseObject({
    l1_loss: number.default(1),
    vgg_loss: number.default(0),
    gan_loss: number.default(0),
    fm_loss: weights.default([1, 1, 1, 1]),
    sync_loss: number.default(0),
    mouth_gan_loss: number.default(0),
  }),
  discriminator_train_params: z.looseObject({ start_gan: number.default(1000) }).optional(),
  solver: z.looseObject({
    gradient_accumulation_steps: number.default(1),
    max_train_steps: number,
    max_grad_norm: number.default(1),
    learning_rate: number,
    lr_warmup_steps: number.default(0),
    lr_scheduler: z.string().default('linear'),
    adam_beta1: number.default(0.9),
    adam_beta2: number.default(0.999),
    adam_weight_decay: number.default(0.01),
  }),
});

const REFERENCES: Readonly<Record<string, string>> = {
  random: 'random',
  pose_similarity: 'pose',
  pose_similarity_and_mouth_dissimilarity: 'pose-and-mouth',
};

/** Whether a configuration has upstream's form. */
export function isUpstreamTraining(value: unknown): value is object {
  return typeof value === 'object' && value !== null && 'solver' in value && 'loss_params' in value;
}

/**
 * Upstream's configuration in our form.
 *
 * Upstream counts micro batches, here updates are counted: steps, start of the discriminators, checkpoints and
 * validations are divided by the accumulation. Warm-up is not: upstream's schedule advances once an update.
 *
 * @throws MuseTalkError BAD_OPTION naming the first key that is missing, or has a value that is not known.
 */
export function translateUpstream(value: object, path: string): { config: unknown; notes: string[] } {
  const read = upstreamConfig.safeParse(value);
  if (!read.success) {
    const [first] = read.error.issues;
    throw bad(path, `${first!.path.join('.')}: ${first!.message}`, read.error);
  }
  const { data, loss_params: loss, solver, discriminator_train_params: judges, ...top } = read.data;
  if (![1, 16].includes(data.n_sample_frames))
    throw bad(
      path,
      `data.n_sample_frames is ${data.n_sample_frames}; 1 (first stage) and 16 (second) are known`,
    );
  const reference = REFERENCES[data.sample_method];
  if (!reference) throw bad(path, `data.sample_method ${data.sample_method} is not known`);
  if (top.random_margin_method !== 'normal')
    throw bad(path, `random_margin_method ${top.random_margin_method} is not known; normal is`);
  if (!['linear', 'cosine'].includes(solver.lr_scheduler))
    throw bad(path, `solver.lr_scheduler ${solver.lr_scheduler} is not known; linear and cosine are`);
  const notes: string[] = [];
  const second = data.n_sample_frames === 16;
  if (second && (top.num_backward_frames ?? 16) !== 16)
    notes.push('num_backward_frames is not read: all 16 frames get gradients');
  const accumulate = solver.gradient_accumulation_steps;
  const updates = (steps: number) => Math.max(1, Math.ceil(steps / accumulate));
  if (accumulate > 1)
    notes.push(
      `steps are updates here: ${solver.max_train_steps} micro batches are ${updates(solver.max_train_steps)} updates of ${accumulate}`,
    );
  const { cropping_jaw2edge_margin_mean: mean, cropping_jaw2edge_margin_std: deviation } = top;
  const layers = [loss.fm_loss].flat();
  const config = {
    train: second ? 'musetalk-1.5-second' : 'musetalk-1.5-first',
    // The second stage goes on from the first; upstream copies its result to where 1.0's weights lie.
    ...(top.random_init_unet === false && { from: 'musetalk-1.0' }),
    seed: top.seed,
    updates: updates(solver.max_train_steps),
    batch: data.train_bs,
    accumulate,
    rate: solver.learning_rate,
    warmUp: solver.lr_warmup_steps,
    schedule: solver.lr_scheduler,
    betas: [solver.adam_beta1, solver.adam_beta2],
    weightDecay: solver.adam_weight_decay,
    clipNorm: solver.max_grad_norm,
    ...(top.checkpointing_steps && { saveEvery: updates(top.checkpointing_steps) }),
    ...(top.val_freq && { validateEvery: updates(top.val_freq) }),
    ...(top.total_limit && { keep: top.total_limit }),
    crop: {
      box: 'union',
      size: data.image_size,
      margin: top.crop_type === 'crop_resize' ? 0 : { mean, deviation },
    },
    reference,
    referenceRatio: data.top_k_ratio,
    minFace: data.contorl_face_min_size === false ? 0 : (data.min_face_size ?? 0),
    losses: {
      pixels: loss.l1_loss,
      perceptual: loss.vgg_loss,
      gan: loss.gan_loss,
      mouthGan: loss.mouth_gan_loss,
      featureMatching: layers.reduce((sum, x) => sum + x, 0) / layers.length,
      sync: loss.sync_loss,
      ganStart: Math.ceil((judges?.start_gan ?? 1000) / accumulate),
    },
  };
  return { config, notes };
}

function bad(path: string, message: string, cause?: unknown): MuseTalkError {
  return new MuseTalkError('BAD_OPTION', `${path}: ${message}`, {
    hint: 'Take upstream’s configs/training/stage1.yaml or stage2.yaml as a pattern, or write the file in our own form.',
    facts: { path },
    cause,
  });
}
