/**
 * The training of mini's picture network: first towards the pixels alone, then with a discriminator that looks at the
 * mouth, which is what makes lips and teeth sharp.
 */
import type { FloatTensor, Tensor } from '../../core/tensor.ts';
import { tensor } from '../../core/tensor.ts';
import { CRITIC_VECTORS, miniCritic } from '../../networks/mini-critic.ts';
import { foldMini, MINI_CODE, MINI_SIZE, miniFace } from '../../networks/mini-face.ts';
import { add, mul, neg } from '../../nn/ops/arithmetic.ts';
import { meanAll } from '../../nn/ops/reduce.ts';
import { slice } from '../../nn/ops/shape.ts';
import { Trainer } from '../../nn/trainer.ts';
import type { Value } from '../../nn/value.ts';
import { input } from '../../nn/value.ts';
import { Trainable, Weights } from '../../nn/weights.ts';
import { initialWeights } from '../initial.ts';
import type { Task } from '../loop.ts';
import type { Schedule } from '../schedule.ts';
import type { FaceBatch, FaceClip } from './face-batches.ts';
import { drawFaces } from './face-batches.ts';
import { featureDistance, hingeLoss, mouthCut, pictureLoss } from './face-loss.ts';

/** What the network that draws is trained on, and by what. */
export interface FaceTaskOptions {
  readonly batch: number;
  readonly rate: Schedule;
  /** Gives the clip of each pair. */
  readonly pick: (random: () => number) => FaceClip;
  /** Weights to begin with, under the network's names; fresh ones where left out. */
  readonly from?: ReadonlyMap<string, FloatTensor> | undefined;
  /** Train a discriminator along, and let it judge. */
  readonly sharpen: boolean;
  /** Uniform numbers in 0 … 1 for fresh weights. */
  readonly random: () => number;
  /** See `TrainerOptions`. */
  readonly threads?: number | undefined;
  readonly spinning?: boolean | undefined;
}

/** Weights of the discriminator's say and of its features' distance, after the ramp. */
const ADVERSARIAL = 0.04;
const FEATURES = 0.08;
/** Updates before the discriminator is heard, and until it is heard in full. */
const DEAF = 60;
const RAMP = 200;

/** Average over time of the weights: what is used at the end. */
const AVERAGE = 0.999;

/** The training of the network that draws: graphs, starting weights and batches, for `trainLoop`. */
export async function faceTask(options: FaceTaskOptions): Promise<Task<FaceBatch>> {
  const { batch, rate, sharpen, threads, spinning } = options;
  const running = { ...(threads !== undefined && { threads }), ...(spinning !== undefined && { spinning }) };
  const face = new Trainable();
  const target = input('target', [batch, 3, MINI_SIZE, MINI_SIZE]);
  const reference = input('reference', [batch, 3, MINI_SIZE, MINI_SIZE]);
  const code = input('code', [batch, MINI_CODE]);
  const drawn = miniFace(new Weights(face), foldMini(upper(target), reference), code, lower(reference));
  const picture = pictureLoss(drawn, lower(target));
  const fresh = initialWeights(face.parameters, options.random, (name) =>
    /conv2\.|to_out\.|^conv_out/.test(name),
  );
  const initial = new Map([...fresh, ...(options.from ?? [])]);
  const adam = { weightDecay: 0.01, betas: [0.9, 0.99], clipNorm: 1, ema: AVERAGE } as const;
  const groups = { face: { parameters: face.parameters, initial, ...adam } };
  const draw = (random: { uniform(): number }) => {
    const uniform = () => random.uniform();
    return drawFaces(() => options.pick(uniform), batch, uniform);
  };
  if (!sharpen) {
    const passes = { picture: { loss: picture, groups: ['face'] } };
    const trainer = await Trainer.start({ ...running, groups, passes });
    return {
      trainer,
      draw,
      async learn(batches, update) {
        let loss = 0;
        for (const feeds of batches) loss += (await trainer.run('picture', { ...feeds })).loss;
        await trainer.update('face', { learningRate: rate(update), scale: 1 / batches.length });
        return { picture: loss / batches.length };
      },
    };
  }

  const critic = new Trainable();
  const vectors = CRITIC_VECTORS.map((size, i) => input(`u${i}`, [size, 1]));
  const jury = miniCritic(new Weights(critic), vectors);
  const [realMouth, drawnMouth] = [mouthCut(lower(target)), mouthCut(drawn)];
  const [real, made] = [jury.judge(realMouth), jury.judge(drawnMouth)];
  const heard = input('heard', []);
  const say = add(
    mul(neg(meanAll(made.score)), ADVERSARIAL),
    mul(featureDistance(real.features, made.features), FEATURES),
  );
  const shape = drawnMouth.shape;
  const judged = jury.judge(input('drawnMouth', shape));
  const judgedReal = jury.judge(mouthCut(lower(target)));
  const trainer = await Trainer.start({
    ...running,
    groups: {
      ...groups,
      critic: {
        parameters: critic.parameters,
        initial: initialWeights(critic.parameters, options.random),
        betas: [0.5, 0.9],
        weightDecay: 0.01,
        clipNorm: 1,
      },
    },
    states: new Map(CRITIC_VECTORS.map((size, i) => [`u${i}`, unitVector(size, options.random)])),
    passes: {
      draw: { loss: add(picture, mul(say, heard)), groups: ['face'], outputs: { picture, drawnMouth } },
      judge: {
        loss: hingeLoss(judgedReal.score, judged.score),
        groups: ['critic'],
        next: Object.fromEntries(jury.vectors.map((u, i) => [`u${i}`, u])),
      },
    },
  });
  return {
    trainer,
    draw,
    async learn(batches, update) {
      const sums = { picture: 0, judge: 0 };
      for (const feeds of batches) {
        const loud = Math.min(1, Math.max(0, (update - DEAF) / RAMP));
        const made = await trainer.run('draw', { ...feeds, heard: tensor([], Float32Array.of(loud)) });
        const mouths = made.outputs.drawnMouth as Tensor<'float32'>;
        const verdict = await trainer.run('judge', { target: feeds.target, drawnMouth: mouths });
        sums.picture += Number(made.outputs.picture!.data[0]) / batches.length;
        sums.judge += verdict.loss / batches.length;
      }
      const scale = 1 / batches.length;
      await trainer.update('critic', { learningRate: rate(update), scale });
      await trainer.update('face', { learningRate: rate(update), scale });
      return sums;
    },
  };
}

function upper(picture: Value): Value {
  return slice(picture, 2, 0, MINI_SIZE / 2);
}

function lower(picture: Value): Value {
  return slice(picture, 2, MINI_SIZE / 2, MINI_SIZE);
}

function unitVector(size: number, random: () => number): FloatTensor {
  const vector = Float32Array.from({ length: size }, () => random() - 0.5);
  const length = Math.hypot(...vector);
  return tensor(
    [size, 1],
    vector.map((value) => value / length),
  );
}
