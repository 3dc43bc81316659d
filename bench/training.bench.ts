// Times one step of training mini's picture network (batch 8, L1, AdamW with average) beside a plain convolution
// and a plain matrix product in the same minute, so that a busy machine can be told from a slow engine.
// Run: node --import tsx bench/training.bench.ts [threads]
import { availableParallelism } from 'node:os';
import type { FloatTensor } from '../src/core/tensor.ts';
import { tensor } from '../src/core/tensor.ts';
import { miniFace } from '../src/networks/mini-face.ts';
import { conv, gemm } from '../src/nn/ops/conv.ts';
import { Engine } from '../src/nn/session.ts';
import { Trainer } from '../src/nn/trainer.ts';
import { input, type Value } from '../src/nn/value.ts';
import { Trainable, Weights } from '../src/nn/weights.ts';
import { initialWeights } from '../src/train/initial.ts';
import { meanAbsolute } from '../src/train/losses.ts';
import { Random } from '../src/train/random.ts';

const BATCH = 8;
/** Multiplications and additions of one forward pass of one face; a step counts three of them. */
const FORWARD = 1.57e9;
const threads = Number(process.argv[2] ?? availableParallelism());
const random = new Random(1);

function noise(shape: readonly number[]): FloatTensor {
  const numbers = tensor(shape);
  for (let i = 0; i < numbers.data.length; i++) numbers.data[i] = random.uniform(-1, 1);
  return numbers;
}

/** Best wall time and best processor time of several runs, and the rates that they mean. */
async function time(name: string, flop: number, run: () => Promise<unknown>, runs = 10): Promise<void> {
  await run();
  let [wall, processor] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let i = 0; i < runs; i++) {
    const before = process.cpuUsage();
    const start = performance.now();
    await run();
    wall = Math.min(wall, performance.now() - start);
    const { user, system } = process.cpuUsage(before);
    processor = Math.min(processor, (user + system) / 1000);
  }
  const rate = (ms: number) => `${(flop / ms / 1e6).toFixed(0).padStart(4)} GFLOP/s`;
  const took = `${wall.toFixed(0).padStart(5)} ms ${rate(wall)}`;
  console.log(
    `${name.padEnd(34)} ${took}; per processor ${processor.toFixed(0).padStart(5)} ms ${rate(processor)}`,
  );
}

async function timeGraph(
  name: string,
  flop: number,
  y: Value,
  shapes: Record<string, number[]>,
): Promise<void> {
  const engine = new Engine();
  const session = await engine.load({ y }, { threads, spinning: false });
  const feeds = Object.fromEntries(Object.entries(shapes).map(([key, shape]) => [key, noise(shape)]));
  await time(name, flop, () => session.run(feeds));
  await engine.close();
}

const shapes = { latents: [BATCH, 96, 32, 32], code: [BATCH, 8], reference: [BATCH, 3, 64, 128] };
const weights = new Trainable();
const [latents, code, reference] = Object.entries(shapes).map(([name, shape]) => input(name, shape)) as [
  Value,
  Value,
  Value,
];
const drawn = miniFace(new Weights(weights), latents, code, reference);
const loss = meanAbsolute(drawn, input('target', shapes.reference));
const initial = initialWeights(weights.parameters, () => random.uniform());
const trainer = await Trainer.start({
  groups: { face: { parameters: weights.parameters, initial, clipNorm: 1, ema: 0.999 } },
  passes: { face: { loss, groups: ['face'] } },
  threads,
  spinning: false,
});
const feeds = Object.fromEntries(
  Object.entries({ ...shapes, target: shapes.reference }).map(([name, shape]) => [name, noise(shape)]),
);
console.log(`${threads} threads`);
await time('forward and backward', 3 * BATCH * FORWARD, () => trainer.run('face', feeds));
await time('the same and the update', 3 * BATCH * FORWARD, async () => {
  await trainer.run('face', feeds);
  await trainer.update('face', { learningRate: 1e-4 });
});
await trainer.close();

await timeGraph(
  'convolution 128 → 128, 16 × 16',
  2 * BATCH * 128 * 128 * 9 * 256,
  conv(input('x', [BATCH, 128, 16, 16]), input('w', [128, 128, 3, 3]), undefined, { padding: 1 }),
  { x: [BATCH, 128, 16, 16], w: [128, 128, 3, 3] },
);
await timeGraph(
  'matrix product, 1024 a side',
  2 * 1024 ** 3,
  gemm(input('a', [1024, 1024]), input('b', [1024, 1024])),
  { a: [1024, 1024], b: [1024, 1024] },
);
