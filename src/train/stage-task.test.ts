// The three trainings of MuseTalk, with small networks and random frozen weights.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FloatTensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import { readUnetConfig } from '../networks/unet.ts';
import { readVaeConfig } from '../networks/vae.ts';
import { seededTensor } from '../nn/seeded-weights.ts';
import { constant } from '../nn/value.ts';
import type { WeightSource } from '../nn/weights.ts';
import { cutMaps } from './mouth-cut.ts';
import { Random } from './random.ts';
import { type StageBatch, stageTask } from './stage-task.ts';
import type { Stage } from './stages.ts';

/** Frozen weights that follow from their names. */
const frozen: WeightSource = { get: (name, shape) => constant(seededTensor(name, shape), name) };

const SIZE = 64;
const SMALL = {
  size: SIZE,
  judgedSize: 128, // the least that VGG19 can see at an eighth of its size
  thin: 32,
  condition: [4, 16] as const,
  frozen: { vae: frozen, vgg: frozen, syncNet: frozen },
  unet: readUnetConfig({
    block_out_channels: [8, 8],
    down_block_types: ['CrossAttnDownBlock2D', 'DownBlock2D'],
    up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D'],
    layers_per_block: 1,
    cross_attention_dim: 16,
    norm_num_groups: 4,
    attention_head_dim: 2,
  }),
  vae: readVaeConfig({ block_out_channels: [8, 8, 8, 8], layers_per_block: 1, norm_num_groups: 4 }),
  discriminator: { block_expansion: 2, max_features: 8, num_blocks: 4 },
  syncNet: {
    audio_encoder: {
      block_out_channels: [32, 32, 32, 32, 32, 32, 32],
      downsample_factors: [[2, 1], 2, 2, 1, 2, 2, [2, 3]] as const,
    },
    visual_encoder: {
      block_out_channels: [32, 32, 32, 32, 32, 32],
      downsample_factors: [[1, 2], 2, 2, 2, 2, 2] as const,
    },
  },
};

function noise(random: Random, shape: readonly number[]): FloatTensor {
  const numbers = tensor(shape);
  for (let i = 0; i < numbers.data.length; i++) numbers.data[i] = random.uniform(-1, 1);
  return numbers;
}

function batchOf(count: number, samples: number): StageBatch {
  const random = new Random(2);
  const box = { x1: 20, y1: 30, x2: 50, y2: 45 };
  const maps = cutMaps(Array(count).fill(box), { height: SIZE, width: SIZE, size: SIZE });
  return {
    latents: noise(random, [count, 8, 8, 8]),
    condition: noise(random, [count, 4, 16]),
    picture: noise(random, [count, 3, SIZE, SIZE]),
    trueLatents: noise(random, [count, 4, 8, 8]),
    mouthRows: maps.rows,
    mouthColumns: maps.columns,
    mel: noise(random, [samples, 1, 80, 52]),
  };
}

const INPUTS: Record<Stage, readonly string[]> = {
  '1.0': ['latents', 'condition', 'picture', 'trueLatents'],
  '1.5-first': ['latents', 'condition', 'picture'],
  '1.5-second': ['latents', 'condition', 'picture', 'mouthRows', 'mouthColumns', 'mel'],
};

for (const [stage, count, terms] of [
  ['1.0', 2, []],
  ['1.5-first', 2, ['pixels', 'perceptual']],
  [
    '1.5-second',
    16,
    ['pixels', 'perceptual', 'faceGan', 'faceFeatures', 'mouthGan', 'mouthFeatures', 'sync'],
  ],
] as const) {
  test(`the training of ${stage} moves the UNet, and its terms add up to the loss`, async () => {
    const all = batchOf(count, count === 16 ? 1 : 2);
    const batch = Object.fromEntries(INPUTS[stage].map((name) => [name, all[name]!]));
    const options = {
      ...SMALL,
      stage,
      samples: count === 16 ? 1 : 2,
      updates: 10,
      ganStart: 1,
      draw: () => batch,
      threads: 1,
    };
    const task = await stageTask(options);
    const before = await task.trainer.save();
    const logged = [await task.learn([batch], 0), await task.learn([batch], 1)];
    const after = await task.trainer.save();
    await task.trainer.close();
    for (const values of logged) {
      for (const [name, value] of Object.entries(values))
        assert.ok(Number.isFinite(value), `${name} is ${value}`);
      const sum = terms.reduce((all, name) => all + values[name]!, 0);
      if (terms.length > 0)
        assert.ok(Math.abs(sum - values.loss!) < 1e-4 * Math.abs(sum), `${sum} and ${values.loss}`);
    }
    for (const group of Object.keys(before.groups)) {
      const [first, last] = [before.groups[group]!, after.groups[group]!];
      assert.equal(last.step, 2);
      // Biases before an instance normalisation have no gradient, and start at zero.
      const moved = [...first.parameters].filter(([name, { data }]) =>
        data.some((x, i) => x !== last.parameters.get(name)!.data[i]),
      );
      assert.ok(
        moved.length > first.parameters.size / 2,
        `${group}: ${moved.length} of ${first.parameters.size} moved`,
      );
    }
    if (stage === '1.5-second') {
      assert.equal(logged[0]!.faceGan, 0); // not heard yet
      assert.ok(logged[1]!.faceGan! > 0);
      assert.notDeepEqual(after.states, before.states);
    }
  });
}
