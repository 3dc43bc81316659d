import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTrainConfig, resolveTraining } from './train.ts';

/** The keys of upstream's files; values of its second stage where the stages differ. */
const UPSTREAM = `
exp_name: test
output_dir: ./exp_out/stage2/
random_init_unet: False
crop_type: dynamic_margin_crop_resize
cropping_jaw2edge_margin_mean: 10
cropping_jaw2edge_margin_std: 10
random_margin_method: normal
num_backward_frames: 16
seed: 41
checkpointing_steps: 2000
val_freq: 2000
total_limit: 10
data:
  dataset_key: HDTF
  train_bs: 2
  image_size: 256
  n_sample_frames: 16
  num_workers: 8
  sample_method: pose_similarity_and_mouth_dissimilarity
  top_k_ratio: 0.51
  contorl_face_min_size: True
  min_face_size: 200
loss_params:
  l1_loss: 1.0
  vgg_loss: 0.01
  vgg_layer_weight: [1, 1, 1, 1, 1]
  pyramid_scale: [1, 0.5, 0.25, 0.125]
  gan_loss: 0.01
  fm_loss: [1.0, 1.0, 1.0, 1.0]
  sync_loss: 0.05
  mouth_gan_loss: 0.01
discriminator_train_params:
  lr: 0.000005
  start_gan: 1000
solver:
  gradient_accumulation_steps: 8
  max_train_steps: 250000
  max_grad_norm: 1.0
  learning_rate: 5.0e-6
  lr_warmup_steps: 1000
  lr_scheduler: linear
  adam_beta1: 0.5
  adam_beta2: 0.999
  adam_weight_decay: 1.0e-2
`;

test("upstream's second stage is what its file says, counted in updates", () => {
  const { config, notes } = parseTrainConfig(UPSTREAM, 'stage2.yaml');
  const settings = resolveTraining(config, {}, 'data');
  const { losses, ...rest } = settings;
  assert.deepEqual(losses, {
    ...{ latents: 0, pixels: 1, perceptual: 0.01, gan: 0.01, mouthGan: 0.01, featureMatching: 1, sync: 0.05 },
    ganStart: 125,
  });
  assert.equal(rest.train, 'musetalk-1.5-second');
  assert.equal(rest.from, 'musetalk-1.0');
  assert.deepEqual([rest.updates, rest.batch, rest.accumulate, rest.rate], [31_250, 2, 8, 5e-6]);
  assert.deepEqual([rest.warmUp, rest.schedule, rest.betas], [1000, 'linear', [0.5, 0.999]]);
  assert.deepEqual(rest.crop, { box: 'union', size: 256, margin: { mean: 10, deviation: 10 } });
  assert.deepEqual([rest.minFace, rest.saveEvery, rest.validateEvery, rest.keep], [200, 250, 250, 10]);
  assert.match(notes.join(), /250000 micro batches are 31250 updates of 8/);
});

test("upstream's first stage begins with random weights and has no judges", () => {
  const text = UPSTREAM.replace('random_init_unet: False', 'random_init_unet: True')
    .replace('crop_type: dynamic_margin_crop_resize', 'crop_type: crop_resize')
    .replace('n_sample_frames: 16', 'n_sample_frames: 1')
    .replace('gradient_accumulation_steps: 8', 'gradient_accumulation_steps: 1');
  const { config, notes } = parseTrainConfig(text, 'stage1.yaml');
  const { train, from, crop, updates } = resolveTraining(config, {}, 'data');
  assert.deepEqual([train, from, crop.margin, updates], ['musetalk-1.5-first', undefined, 0, 250_000]);
  assert.deepEqual(notes, []);
});

test('flags win over the file, and the file over what is usual', () => {
  const { config } = parseTrainConfig(
    'train: mini\nbatch: 4\nseed: 3\naugment: { mirror: 0.5 }\n',
    'own.yaml',
  );
  const settings = resolveTraining(config, { seed: 9, updates: 20 }, 'data');
  assert.deepEqual([settings.batch, settings.seed, settings.rate], [4, 9, 5e-4]);
  assert.deepEqual([settings.updates, settings.sharpen, settings.sound], [20, 20, 20]);
  assert.deepEqual(settings.augment, { mirror: 0.5, colour: 0, shift: 0, scale: 0, sound: 0 });
});

test('tuning mini leaves its sound as it is, and what is begun with decides what is trained', () => {
  const tuned = resolveTraining({}, { from: 'mini', updates: 50 }, 'data');
  assert.deepEqual([tuned.train, tuned.updates, tuned.sharpen, tuned.sound], ['mini', 0, 50, 0]);
  assert.equal(resolveTraining({}, { from: 'musetalk-1.5' }, 'data').train, 'musetalk-1.5-first');
  assert.equal(resolveTraining({}, { from: 'musetalk-1.0' }, 'data').train, 'musetalk-1.0');
});

const mistakes: [text: string, code: string, words: RegExp][] = [
  ['train: mini\nrat: 1', 'BAD_OPTION', /there is no option rat/],
  ['train: maxi', 'BAD_OPTION', /train: invalid option/],
  ['batch: 0', 'BAD_OPTION', /batch: too small/],
  ['losses: { pixel: 1 }', 'BAD_OPTION', /there is no option pixel/],
  ['train: !!js/function "x"', 'BAD_FILE', /is not YAML/],
  ['train: mini\ntrain: sync', 'BAD_FILE', /is not YAML/],
  ['a: [', 'BAD_FILE', /is not YAML/],
  ['- 1', 'BAD_OPTION', /expected object/],
  [UPSTREAM.replace('n_sample_frames: 16', 'n_sample_frames: 4'), 'BAD_OPTION', /n_sample_frames is 4/],
  [UPSTREAM.replace('learning_rate: 5.0e-6', ''), 'BAD_OPTION', /solver.learning_rate/],
  [UPSTREAM.replace('pose_similarity_and_mouth_dissimilarity', 'best'), 'BAD_OPTION', /sample_method best/],
];

for (const [text, code, words] of mistakes)
  test(`a file that says ${JSON.stringify(text.trim().slice(0, 40))} is refused: ${words.source}`, () => {
    assert.throws(() => parseTrainConfig(text, 'config.yaml'), { code, message: words });
  });
