/** The loop that every training shares: draw, learn, log, now and then save; stop by count, by clock or by signal. */
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Trainer } from '../nn/trainer.ts';
import { latestCheckpoint, readCheckpoint, saveCheckpoint } from './checkpoint.ts';
import { Random } from './random.ts';

/** What is trained. */
export interface Task<Batch> {
  readonly trainer: Trainer;
  /** A batch, made from the given numbers alone. It is made while the batch before it is being learned. */
  draw(random: Random): Batch | Promise<Batch>;
  /** The passes over the batches of one update (as many as are accumulated) and the update; gives what to log. */
  learn(batches: readonly Batch[], update: number): Promise<Readonly<Record<string, number>>>;
  /** Looks at the result so far; gives what to log. */
  validate?(update: number): Promise<Readonly<Record<string, number>>>;
}

/** How long a training runs, and what it writes when. */
export interface LoopOptions {
  /** Takes checkpoints and the log, `log.jsonl`; a run is resumed from the newest checkpoint that lies there. */
  folder: string;
  /** Updates in all, those before a resume included. */
  updates: number;
  /** Minutes after which this call saves and stops. No limit when left out. */
  maxMinutes?: number | undefined;
  /** Default 0. */
  seed?: number;
  /** Batches whose gradients are averaged before an update. Default 1. */
  accumulate?: number;
  /** Updates between checkpoints. Default 500. */
  saveEvery?: number;
  /** Checkpoints kept. Default 3. */
  keep?: number;
  /** Updates between reports; what is logged is the mean over them. Default 50. */
  logEvery?: number;
  /** Updates between validations. Never when left out. */
  validateEvery?: number | undefined;
  /** Stops after the update at hand, saved. */
  signal?: AbortSignal | undefined;
  onProgress?: (progress: Progress) => void;
}

/** How far a training is. */
export interface Progress {
  /** Updates made. */
  readonly update: number;
  /** Means since the report before. */
  readonly values: Readonly<Record<string, number>>;
  /** Seconds an update took, checkpoints left out. */
  readonly secondsPerUpdate: number;
  /** Seconds until the last update or the end of the time allowed, at this pace. */
  readonly secondsLeft: number;
}

/**
 * Trains until all updates are made, the time is up or the signal aborts, and saves at the end.
 *
 * @returns updates made in all
 * @throws MuseTalkError ENGINE when the loss stops being finite, CANNOT_WRITE, or what the task throws.
 */
export async function trainLoop<Batch>(task: Task<Batch>, options: LoopOptions): Promise<number> {
  const { folder, updates, seed = 0, accumulate = 1, saveEvery = 500, keep = 3, logEvery = 50 } = options;
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  const seconds = (options.maxMinutes ?? Number.POSITIVE_INFINITY) * 60;

  const first = await resume(task.trainer, folder);
  let update = first;
  let saved = first;
  const draw = (at: number) =>
    Promise.all(Array.from({ length: accumulate }, async (_, i) => task.draw(new Random(seed, at, i))));
  const report = new Report();
  let next = draw(update);
  while (update < updates && elapsed() < seconds && !options.signal?.aborted) {
    const begun = performance.now();
    const batches = await next;
    const learning = task.learn(batches, update);
    next = draw(update + 1);
    next.catch(() => {}); // it is heard when its turn comes
    report.add(await learning, (performance.now() - begun) / 1000);
    update++;
    if (update % logEvery === 0 || update === updates) {
      const { values, secondsPerUpdate } = report.take();
      const secondsLeft = Math.min((updates - update) * secondsPerUpdate, seconds - elapsed());
      await log(folder, { update, ...values, secondsPerUpdate });
      options.onProgress?.({ update, values, secondsPerUpdate, secondsLeft });
    }
    if (options.validateEvery && task.validate && update % options.validateEvery === 0) {
      await log(folder, { update, validation: await task.validate(update) });
    }
    if (update % saveEvery === 0) {
      await saveCheckpoint(folder, { update, trainer: await task.trainer.save() }, { keep });
      saved = update;
    }
  }
  await next.catch(() => {});
  if (saved !== update)
    await saveCheckpoint(folder, { update, trainer: await task.trainer.save() }, { keep });
  return update;
}

/** Goes on from the newest checkpoint and forgets what was logged after it. */
async function resume(trainer: Trainer, folder: string): Promise<number> {
  await mkdir(folder, { recursive: true });
  const path = await latestCheckpoint(folder);
  if (path === undefined) {
    await writeFile(join(folder, LOG), '');
    return 0;
  }
  const { update, trainer: state } = await readCheckpoint(path);
  await trainer.load(state);
  const lines = (await readFile(join(folder, LOG), 'utf8').catch(() => '')).split('\n').filter(Boolean);
  const kept = lines.filter((line) => updateOf(line) <= update);
  await writeFile(join(folder, LOG), kept.map((line) => `${line}\n`).join(''));
  return update;
}

/** Never reached by a line that the end of an earlier run cut off. */
function updateOf(line: string): number {
  try {
    return (JSON.parse(line) as { update: number }).update;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

const LOG = 'log.jsonl';

async function log(folder: string, row: object): Promise<void> {
  await appendFile(join(folder, LOG), `${JSON.stringify(row)}\n`);
}

/** Means of what was logged since the last look. */
class Report {
  #sums: Record<string, number> = {};
  #seconds = 0;
  #count = 0;

  add(values: Readonly<Record<string, number>>, seconds: number): void {
    for (const [name, value] of Object.entries(values)) this.#sums[name] = (this.#sums[name] ?? 0) + value;
    this.#seconds += seconds;
    this.#count++;
  }

  take(): { values: Record<string, number>; secondsPerUpdate: number } {
    const count = Math.max(this.#count, 1);
    const values = Object.fromEntries(Object.entries(this.#sums).map(([name, sum]) => [name, sum / count]));
    const secondsPerUpdate = this.#seconds / count;
    this.#sums = {};
    this.#seconds = 0;
    this.#count = 0;
    return { values, secondsPerUpdate };
  }
}
