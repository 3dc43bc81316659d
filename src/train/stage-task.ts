/** A stage of MuseTalk's training as a task of the loop. */
import type { FloatTensor, Tensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import { Trainer, type TrainerOptions } from '../nn/trainer.ts';
import type { Trainable } from '../nn/weights.ts';
import { initialWeights } from './initial.ts';
import type { Task } from './loop.ts';
import { GAN_START, VERSION_15_WEIGHTS } from './losses.ts';
import { Random } from './random.ts';
import { cosineSchedule, linearSchedule, type Schedule } from './schedule.ts';
import { type Stage, type StageOptions, stageGraphs } from './stages.ts';

/** Inputs of a pass, by name: see `StageGraphs.passes`. `ganWeight` is not among them. */
export type StageBatch = Readonly<Record<string, Tensor>>;

/** A stage, its data and its length. */
export interface StageTaskOptions extends StageOptions {
  /** Updates in all, for the schedule. */
  updates: number;
  /** Weights to begin with; random ones, as upstream begins, where left out. */
  from?: ReadonlyMap<string, FloatTensor> | undefined;
  draw: Task<StageBatch>['draw'];
  /** The update from which the discriminators learn and are heard. Default 1000. */
  ganStart?: number;
  /** How the UNet is moved; as upstream does in this stage unless given. */
  optimiser?: Partial<StageOptimiser>;
  /** Default 0. */
  seed?: number;
  threads?: number | undefined;
  /** See {@link TrainerOptions.spinning}. */
  spinning?: boolean | undefined;
  cacheFolder?: string | undefined;
}

/** How the UNet of a stage is moved. */
export interface StageOptimiser {
  rate: number;
  warmUp: number;
  schedule: 'linear' | 'cosine';
  betas: readonly [number, number];
  weightDecay: number;
  clipNorm: number;
  /** Decay of the average of the weights; none is kept for 0. */
  average: number;
}

/** Settings of a stage, from upstream's files. Rates are for its batches: 256 · 16, 32, and 2 · 16 · 8 pictures. */
export const STAGE_SETTINGS: Readonly<
  Record<
    Stage,
    { rate: number; betas: readonly [number, number]; warmUp: number; updates: number; accumulate: number }
  >
> = {
  '1.0': { rate: 5e-5, betas: [0.9, 0.999], warmUp: 0, updates: 100_000, accumulate: 16 },
  '1.5-first': { rate: 2e-5, betas: [0.5, 0.999], warmUp: 1000, updates: 250_000, accumulate: 1 },
  '1.5-second': { rate: 5e-6, betas: [0.5, 0.999], warmUp: 1000, updates: 31_250, accumulate: 8 },
};

/** Highest and lowest rate of the discriminators. */
const DISCRIMINATOR_RATE = { rate: 5e-6, floor: 1e-6 };

/**
 * Loads the graphs of a stage and says how to learn from batches.
 *
 * Counts are updates: losses are averaged over what is accumulated, gradients clipped and schedules advanced once
 * an update. Upstream counts micro batches and clips the discriminators at each of them.
 *
 * @throws MuseTalkError BAD_WEIGHTS when weights are missing or do not fit.
 */
export async function stageTask(options: StageTaskOptions): Promise<Task<StageBatch>> {
  const { stage, updates, seed = 0, ganStart = GAN_START } = options;
  const { rate, betas, warmUp, schedule, weightDecay, clipNorm, average } = {
    ...STAGE_SETTINGS[stage],
    ...{ schedule: stage === '1.0' ? 'cosine' : 'linear', weightDecay: 0.01, clipNorm: 1, average: 0 },
    ...options.optimiser,
  };
  const graphs = stageGraphs(options);
  const random = new Random(seed);
  const fresh = ({ parameters }: Trainable) => initialWeights(parameters, () => random.uniform());
  const adam = { betas, eps: 1e-8, weightDecay, clipNorm };
  const groups: TrainerOptions['groups'] = {
    unet: {
      ...adam,
      ...(average > 0 && { ema: average }),
      parameters: graphs.unet.parameters,
      initial: options.from ?? fresh(graphs.unet),
    },
    ...Object.fromEntries(
      Object.entries(graphs.discriminators).map(([name, weights]) => [
        name,
        { ...adam, parameters: weights.parameters, initial: fresh(weights) },
      ]),
    ),
  };
  const states = new Map(
    [...graphs.vectors].map(([name, { shape }]) => [name, unitVector(Number(shape[0]), random)]),
  );
  const { threads, spinning, cacheFolder } = options;
  const trainer = await Trainer.start({
    groups,
    passes: graphs.passes,
    states,
    cacheFolder,
    ...(threads !== undefined && { threads }),
    ...(spinning !== undefined && { spinning }),
  });

  const judges = Object.keys(graphs.discriminators);
  const drawing: Schedule =
    schedule === 'cosine'
      ? cosineSchedule({ rate, warmUp, total: updates })
      : linearSchedule({ rate, warmUp, total: updates });
  const judging = cosineSchedule({ ...DISCRIMINATOR_RATE, warmUp: 0, total: updates });
  return {
    trainer,
    draw: options.draw,
    async learn(batches, update) {
      const heard = update >= ganStart;
      const sums = new Sums(batches.length);
      for (const batch of batches) {
        const ganWeight = tensor([], Float32Array.of(heard ? VERSION_15_WEIGHTS.gan : 0));
        const feeds = judges.length > 0 ? { ...batch, ganWeight } : batch;
        const { loss, outputs } = await trainer.run('generator', feeds);
        const { drawn, ...terms } = outputs;
        sums.add({ loss, ...numbersOf(terms) });
        for (const name of judges)
          sums.add({ [name]: (await trainer.run(name, { ...batch, drawn: drawn! })).loss });
      }
      const scale = 1 / batches.length;
      for (const name of judges) {
        // Upstream: before they are heard their gradients count nothing, but they decay and the vectors move.
        await trainer.update(name, { learningRate: judging(update), scale: heard ? scale : 0 });
      }
      const { norm } = await trainer.update('unet', { learningRate: drawing(update), scale });
      return { ...sums.means, norm, rate: drawing(update) };
    },
  };
}

function unitVector(size: number, random: Random): FloatTensor {
  const vector = Float32Array.from({ length: size }, () => random.normal());
  const length = Math.hypot(...vector);
  return tensor(
    [size],
    vector.map((x) => x / length),
  );
}

function numbersOf(tensors: Readonly<Record<string, Tensor>>): Record<string, number> {
  return Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, Number(data[0])]));
}

/** Means over the batches of an update. */
class Sums {
  readonly means: Record<string, number> = {};
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  add(values: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(values)) {
      this.means[name] = (this.means[name] ?? 0) + value / this.#count;
    }
  }
}
