import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { FloatTensor } from '../core/tensor.ts';
import { linear } from '../nn/layers.ts';
import { square, sub, tanh } from '../nn/ops/arithmetic.ts';
import { meanAll } from '../nn/ops/reduce.ts';
import { Trainer } from '../nn/trainer.ts';
import { input } from '../nn/value.ts';
import { Trainable, Weights } from '../nn/weights.ts';
import { latestCheckpoint, readCheckpoint } from './checkpoint.ts';
import { initialWeights } from './initial.ts';
import { type Task, trainLoop } from './loop.ts';
import { Random } from './random.ts';
import { cosineSchedule } from './schedule.ts';

const folders: string[] = [];
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'musetalk-train-'));
  folders.push(folder);
  return folder;
}

type Batch = Record<'x' | 'y', FloatTensor>;

/** A small network that learns y = sin(2 x). */
async function sineTask(): Promise<Task<Batch>> {
  const weights = new Trainable();
  const w = new Weights(weights);
  const x = input('x', [16, 1]);
  const drawn = linear(w.at('out'), tanh(linear(w.at('hidden'), x, { out: 24 })), { out: 1 });
  const loss = meanAll(square(sub(drawn, input('y', [16, 1]))));
  const { parameters } = weights;
  const random = new Random(7);
  const trainer = await Trainer.start({
    groups: {
      net: {
        parameters,
        initial: initialWeights(parameters, () => random.uniform()),
        ema: 0.99,
        clipNorm: 1,
      },
    },
    passes: { fit: { loss, groups: ['net'] } },
    threads: 1,
  });
  const rate = cosineSchedule({ rate: 0.02, warmUp: 5, total: 200 });
  return {
    trainer,
    draw(numbers) {
      const at = Float32Array.from({ length: 16 }, () => numbers.uniform(-1, 1));
      const shape = [16, 1];
      return {
        x: { dtype: 'float32', shape, data: at },
        y: { dtype: 'float32', shape, data: at.map((value) => Math.sin(2 * value)) },
      };
    },
    async learn(batches, update) {
      let loss = 0;
      for (const batch of batches) loss += (await trainer.run('fit', batch)).loss / batches.length;
      const scale = 1 / batches.length;
      const { norm } = await trainer.update('net', { learningRate: rate(update), scale });
      return { loss, norm };
    },
  };
}

test('a network learns, and what it did is logged', async () => {
  const folder = await newFolder();
  const task = await sineTask();
  const losses: number[] = [];
  const options = {
    folder,
    updates: 200,
    logEvery: 20,
    onProgress: (p: { values: Record<string, number> }) => losses.push(p.values.loss!),
  };
  assert.equal(await trainLoop(task, options), 200);
  await task.trainer.close();
  assert.equal(losses.length, 10);
  assert.ok(losses.at(-1)! < 0.1 * losses[0]!, `${losses}`);
  const log = (await readFile(join(folder, 'log.jsonl'), 'utf8')).trim().split('\n');
  assert.equal(JSON.parse(log.at(-1)!).update, 200);
});

test('a run that was broken off and resumed ends with the very same numbers', async () => {
  const [whole, broken] = [await newFolder(), await newFolder()];
  const first = await sineTask();
  await trainLoop(first, { folder: whole, updates: 40, accumulate: 2 });
  await first.trainer.close();

  const second = await sineTask();
  await trainLoop(second, { folder: broken, updates: 23, accumulate: 2 });
  await second.trainer.close();
  const third = await sineTask();
  await trainLoop(third, { folder: broken, updates: 40, accumulate: 2 });
  await third.trainer.close();

  const states = await Promise.all(
    [whole, broken].map(async (folder) => readCheckpoint((await latestCheckpoint(folder))!)),
  );
  assert.equal(states[0]!.update, 40);
  assert.deepEqual(states[1], states[0]);
});

test('time runs out, a signal aborts, and both leave a checkpoint', async () => {
  const [timed, aborted] = [await newFolder(), await newFolder()];
  const task = await sineTask();
  assert.ok((await trainLoop(task, { folder: timed, updates: 1e6, maxMinutes: 0.2 / 60 })) < 1e6);
  const controller = new AbortController();
  let learned = 0;
  const stopped: Task<Batch> = {
    ...task,
    learn(batches, update) {
      if (++learned === 3) controller.abort();
      return task.learn(batches, update);
    },
  };
  assert.equal(await trainLoop(stopped, { folder: aborted, updates: 1e6, signal: controller.signal }), 3);
  await task.trainer.close();
  assert.match((await latestCheckpoint(timed))!, /checkpoint-\d+/);
  assert.match((await latestCheckpoint(aborted))!, /checkpoint-3\./);
});

test('only the newest checkpoints are kept', async () => {
  const folder = await newFolder();
  const task = await sineTask();
  await trainLoop(task, { folder, updates: 8, saveEvery: 2, keep: 2 });
  await task.trainer.close();
  const names = (await readdir(folder)).filter((name) => name.startsWith('checkpoint'));
  assert.deepEqual(names.sort(), ['checkpoint-6.safetensors', 'checkpoint-8.safetensors']);
});

test('a loss that is not finite ends the training with a reason', async () => {
  const task = await sineTask();
  const nothing = { ...task, draw: () => ({ x: filled(0), y: filled(Number.NaN) }) };
  await assert.rejects(
    trainLoop(nothing, { folder: await newFolder(), updates: 5 }),
    /not finite after 0 updates/,
  );
  await task.trainer.close();
});

function filled(value: number): FloatTensor {
  return { dtype: 'float32', shape: [16, 1], data: new Float32Array(16).fill(value) };
}

test('random numbers follow from their seeds, are even and normal', () => {
  const draw = (...seeds: number[]) => {
    const random = new Random(...seeds);
    return Array.from({ length: 4 }, () => random.bits());
  };
  assert.deepEqual(draw(1, 2), draw(1, 2));
  assert.notDeepEqual(draw(1, 2), draw(2, 1));
  assert.notDeepEqual(draw(1), draw(1, 0));
  const random = new Random(5);
  const numbers = Array.from({ length: 20000 }, () => random.normal(2, 3));
  const mean = numbers.reduce((a, b) => a + b) / numbers.length;
  const deviation = Math.sqrt(numbers.reduce((a, b) => a + (b - mean) ** 2, 0) / numbers.length);
  assert.ok(Math.abs(mean - 2) < 0.1 && Math.abs(deviation - 3) < 0.1, `${mean} ± ${deviation}`);
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 8000; i++) counts[random.integer(0, 3)]!++;
  assert.ok(
    counts.every((count) => Math.abs(count - 2000) < 200),
    `${counts}`,
  );
});
