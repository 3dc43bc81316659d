// Times training steps: of mini's picture network alone and with its discriminator, and of a small UNet of MuseTalk's
// form; each with clipping, AdamW and average. Beside it, step by step in turn, any other program that trains the same
// networks from the same weights, a script for PyTorch for instance, so that both meet the same busy machine.
//
// Such a program is started as `PROGRAM NETWORK FILE THREADS`. FILE is safetensors: first weights as `weights.NAME`,
// those of the discriminator as `critic.NAME` and its vectors as `state.NAME`, the batch as `feeds.NAME`, and in its
// metadata the `settings` of the network as JSON. For each line of its input, a number of steps, it prints one line
// {"losses": […], "wall": […], "processor": […]}, milliseconds of each step. Its losses must be ours.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { FloatTensor, Tensor } from '../src/core/tensor.ts';
import { tensor } from '../src/core/tensor.ts';
import { MINI_CODE, MINI_SIZE } from '../src/networks/mini-face.ts';
import { unet, unetConfig } from '../src/networks/unet.ts';
import { Trainer, type TrainerState } from '../src/nn/trainer.ts';
import { input } from '../src/nn/value.ts';
import { writeSafetensors } from '../src/nn/weights/write-safetensors.ts';
import { Trainable, Weights } from '../src/nn/weights.ts';
import { initialWeights } from '../src/train/initial.ts';
import { meanAbsolute } from '../src/train/losses.ts';
import { faceTask } from '../src/train/mini/face-task.ts';
import { Random } from '../src/train/random.ts';

/** Steps of one network, ours and those of the program beside it: medians, in milliseconds. */
export interface TrainingTimes {
  readonly name: string;
  readonly batch: number;
  readonly own: StepTimes;
  readonly peer?: StepTimes | undefined;
  /** The largest difference of the losses of a step, as a part of the loss. */
  readonly difference?: number | undefined;
}

/** What a step takes on the clock, and of all processors together. */
interface StepTimes {
  readonly wall: number;
  readonly processor: number;
}

/** How many steps, and beside what. */
export interface TrainingBenchOptions {
  /** As short as it can be. */
  readonly smoke?: boolean;
  readonly threads: number;
  /** The program beside ours, with its first arguments. */
  readonly peer?: string | undefined;
}

/** A network with a batch, ready for steps. */
interface Learner {
  readonly trainer: Trainer;
  readonly feeds: Readonly<Record<string, FloatTensor>>;
  readonly settings?: unknown;
  /** Makes a step and gives its loss. */
  step(): Promise<number>;
}

const LEARNERS: Readonly<Record<string, (threads: number) => Promise<Learner>>> = {
  'mini-face': (threads) => miniLearner(threads, false),
  'mini-sharpen': (threads) => miniLearner(threads, true),
  'unet-small': unetLearner,
};

const BATCH = 8;
const RATE = 1e-4;
/** From here on the discriminator is heard in full. */
const HEARD = 1000;

/** Steps of every network; rounds of ours and of the peer follow each other. */
export async function* timeTraining({
  smoke,
  threads,
  peer,
}: TrainingBenchOptions): AsyncGenerator<TrainingTimes> {
  const [rounds, steps] = smoke ? [1, 1] : [6, 2];
  for (const [name, start] of Object.entries(LEARNERS)) {
    const learner = await start(threads);
    const beside = peer ? await Peer.start(peer, name, learner, threads) : undefined;
    try {
      const own: Steps = { losses: [], wall: [], processor: [] };
      const other: Steps = { losses: [], wall: [], processor: [] };
      // A first step apart: it meets cold caches, and shows whether both do the same.
      for (const count of [1, ...Array<number>(rounds).fill(steps)]) {
        append(own, await makeSteps(learner, count));
        if (beside) append(other, await beside.steps(count));
      }
      yield {
        ...{ name, batch: BATCH, own: middle(own) },
        ...(beside && { peer: middle(other), difference: largestDifference(own.losses, other.losses) }),
      };
    } finally {
      await beside?.close();
      await learner.trainer.close();
    }
  }
}

/** What each of some steps gave and took. */
interface Steps {
  readonly losses: number[];
  readonly wall: number[];
  readonly processor: number[];
}

function append(all: Steps, { losses, wall, processor }: Steps): void {
  all.losses.push(...losses);
  all.wall.push(...wall);
  all.processor.push(...processor);
}

async function makeSteps({ step }: Learner, count: number): Promise<Steps> {
  const steps: Steps = { losses: [], wall: [], processor: [] };
  for (let i = 0; i < count; i++) {
    const before = process.cpuUsage();
    const start = performance.now();
    steps.losses.push(await step());
    steps.wall.push(performance.now() - start);
    const { user, system } = process.cpuUsage(before);
    steps.processor.push((user + system) / 1000);
  }
  return steps;
}

/** Medians, without the first step where there are others. */
function middle({ wall, processor }: Steps): StepTimes {
  const median = (all: readonly number[]) => {
    const sorted = (all.length > 1 ? all.slice(1) : all).toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)]!;
  };
  return { wall: median(wall), processor: median(processor) };
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  return Math.max(...a.map((loss, i) => Math.abs(loss - b[i]!) / Math.abs(loss)));
}

/** The program that does the same beside us. */
class Peer {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    this.#folder = folder;
  }

  static async start(program: string, name: string, learner: Learner, threads: number): Promise<Peer> {
    const folder = await mkdtemp(join(tmpdir(), 'musetalk-bench-'));
    const file = join(folder, 'start.safetensors');
    const state = await learner.trainer.save();
    const settings = JSON.stringify(learner.settings ?? {});
    await writeSafetensors(file, namedTensors(state, learner.feeds), { settings });
    const [command, ...args] = program.split(/\s+/);
    const child = spawn(command!, [...args, name, file, String(threads)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.on('error', (error) => console.error(`${program} cannot be started: ${error.message}`));
    return new Peer(child, folder);
  }

  async steps(count: number): Promise<Steps> {
    this.#child.stdin!.write(`${count}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the program beside ours ended');
    return JSON.parse(value) as Steps;
  }

  async close(): Promise<void> {
    this.#child.stdin!.end();
    this.#child.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function* namedTensors({ groups, states }: TrainerState, feeds: Readonly<Record<string, FloatTensor>>) {
  for (const [group, { parameters }] of Object.entries(groups)) {
    const prefix = group === 'critic' ? 'critic' : 'weights';
    for (const [name, value] of parameters) yield { name: `${prefix}.${name}`, tensor: value as Tensor };
  }
  for (const [name, value] of states) yield { name: `state.${name}`, tensor: value as Tensor };
  for (const [name, value] of Object.entries(feeds)) yield { name: `feeds.${name}`, tensor: value as Tensor };
}

async function miniLearner(threads: number, sharpen: boolean): Promise<Learner> {
  const random = new Random(1);
  const uniform = () => random.uniform();
  const side = [BATCH, 3, MINI_SIZE, MINI_SIZE];
  const feeds = {
    target: noise(side, random),
    reference: noise(side, random),
    code: noise([BATCH, MINI_CODE], random),
  };
  const common = { batch: BATCH, rate: () => RATE, random: uniform, threads, spinning: false };
  const pick = () => {
    throw new Error('the batch is given');
  };
  const { trainer, learn } = await faceTask({ ...common, pick, sharpen });
  // Trained networks have no layer of zeros, through which half of the gradients would be nothing.
  const state = await trainer.save();
  for (const { parameters } of Object.values(state.groups)) {
    for (const { data, shape } of parameters.values()) {
      if (shape.length > 1 && data.every((value) => value === 0)) data.set(noise(shape, random, 0.03).data);
    }
  }
  await trainer.load(state);
  return { trainer, feeds, step: async () => (await learn([feeds], HEARD)).picture! };
}

/** MuseTalk's form with narrow levels, on latents of its size. */
async function unetLearner(threads: number): Promise<Learner> {
  const settings = {
    block_out_channels: [64, 128, 160],
    layers_per_block: 1,
    down_block_types: ['CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D'],
    up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'],
  };
  const random = new Random(2);
  const feeds = {
    latents: noise([BATCH, 8, 32, 32], random),
    condition: noise([BATCH, 50, 384], random),
    target: noise([BATCH, 4, 32, 32], random),
  };
  const at = (name: keyof typeof feeds) => input(name, feeds[name].shape);
  const weights = new Trainable();
  const drawn = unet(new Weights(weights), at('latents'), at('condition'), unetConfig.parse(settings));
  const { parameters } = weights;
  const initial = initialWeights(parameters, () => random.uniform());
  const adam = { betas: [0.9, 0.99], weightDecay: 0.01, clipNorm: 1, ema: 0.999 } as const;
  const trainer = await Trainer.start({
    groups: { unet: { parameters, initial, ...adam } },
    passes: { fit: { loss: meanAbsolute(drawn, at('target')), groups: ['unet'] } },
    threads,
    spinning: false,
  });
  const step = async () => {
    const { loss } = await trainer.run('fit', feeds);
    await trainer.update('unet', { learningRate: RATE });
    return loss;
  };
  return { trainer, feeds, settings, step };
}

function noise(shape: readonly number[], random: Random, reach = 1): FloatTensor {
  const numbers = tensor(shape);
  for (let i = 0; i < numbers.data.length; i++) numbers.data[i] = random.uniform(-reach, reach);
  return numbers;
}
