/** The training of mini's sound encoder on clips with sound: from mel rows to the lip codes that were measured. */
import type { FloatTensor, Tensor } from '../../core/tensor.ts';
import { MINI_CODE } from '../../networks/mini-face.ts';
import { MINI_BANDS, miniSound } from '../../networks/mini-sound.ts';
import { Trainer } from '../../nn/trainer.ts';
import { input } from '../../nn/value.ts';
import { Trainable, Weights } from '../../nn/weights.ts';
import { initialWeights } from '../initial.ts';
import type { Task } from '../loop.ts';
import { Random } from '../random.ts';
import type { Schedule } from '../schedule.ts';
import { codeLoss } from './sound-loss.ts';
import { drawSound, type SoundBatch, type SpokenClip } from './sound-windows.ts';

/** What the sound encoder is trained on, and by what. */
export interface SoundTaskOptions {
  readonly clips: readonly SpokenClip[];
  /** Clips that are only looked at; may be none. */
  readonly heldBack: readonly SpokenClip[];
  readonly batch: number;
  readonly rate: Schedule;
  readonly from?: ReadonlyMap<string, FloatTensor> | undefined;
  readonly seed: number;
  readonly threads?: number | undefined;
  readonly spinning?: boolean | undefined;
}

/** Rows of a window: two seconds. */
const ROWS = 100;
/** The last number of a row is the opening. */
const OPENING = MINI_CODE;

/** Loads the graph. Validation gives the loss and how the openings go together, 1 at best. */
export async function soundTask(options: SoundTaskOptions): Promise<Task<SoundBatch>> {
  const { clips, heldBack, batch, rate, seed, threads, spinning } = options;
  const weights = new Trainable();
  const { codes } = miniSound(new Weights(weights), input('mel', [batch, MINI_BANDS, 2 * ROWS]));
  const wanted = input('codes', [batch, MINI_CODE + 1, ROWS]);
  const loss = codeLoss(codes, wanted, input('weight', [batch, 1, ROWS]));
  const random = new Random(seed);
  const fresh = initialWeights(
    weights.parameters,
    () => random.uniform(),
    (name) => /^(ears|lips)\.\d+\.2\./.test(name),
  );
  const trainer = await Trainer.start({
    groups: {
      sound: {
        parameters: weights.parameters,
        initial: new Map([...fresh, ...(options.from ?? [])]),
        ...{ betas: [0.9, 0.98], weightDecay: 0.02, clipNorm: 1, ema: 0.999 },
      },
    },
    passes: {
      learn: { loss, groups: ['sound'] },
      look: { loss, groups: [], outputs: { heard: codes } },
    },
    ...(threads !== undefined && { threads }),
    ...(spinning !== undefined && { spinning }),
  });
  const drawn = { batch, rows: ROWS };
  return {
    trainer,
    draw: (numbers) => drawSound(clips, drawn, numbers),
    async learn(batches, update) {
      let sum = 0;
      for (const feeds of batches) sum += (await trainer.run('learn', { ...feeds })).loss;
      await trainer.update('sound', { learningRate: rate(update), scale: 1 / batches.length });
      return { codes: sum / batches.length };
    },
    ...(heldBack.length > 0 && {
      async validate() {
        const feeds = drawSound(heldBack, { ...drawn, plain: true }, new Random(seed, 1));
        const { loss: codes, outputs } = await trainer.run('look', { ...feeds });
        return { codes, opening: correlation(openingsOf(outputs.heard!), openingsOf(feeds.codes)) };
      },
    }),
  };
}

/** The openings of all windows, one after another. */
function openingsOf({ shape: [batch], data }: Tensor): number[] {
  const size = (MINI_CODE + 1) * ROWS;
  return Array.from({ length: batch! }, (_, b) =>
    Array.from({ length: ROWS }, (_, t) => Number(data[b * size + OPENING * ROWS + t])),
  ).flat();
}

/** Pearson's; 0 where one of them never changes. */
function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (x: readonly number[]) => x.reduce((sum, value) => sum + value, 0) / x.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (const [i, x] of a.entries()) {
    ab += (x - ma) * (b[i]! - mb);
    aa += (x - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return aa * bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}
