/** What every training shares around its loop: who hears of it, when it ends, and the folder it leaves behind. */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { MuseTalkError } from '../core/errors.ts';
import type { TrainSettings } from '../options/train.ts';
import { type Progress, type Task, trainLoop } from './loop.ts';

/** How a training goes on, as its caller hears it. */
export interface TrainProgress extends Progress {
  /** `picture`, `sharpen`, `sound`, `unet` or `sync`. */
  readonly part: string;
  /** Updates of this part in all. */
  readonly updates: number;
  readonly samplesPerSecond: number;
}

/** Who hears of a training, and what it may use. */
export interface TrainRun {
  readonly maxMinutes?: number | undefined;
  readonly threads?: number | undefined;
  /** See `TrainerOptions.spinning`. */
  readonly spinning?: boolean | undefined;
  readonly cacheFolder?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: TrainProgress) => void) | undefined;
  /** A sentence that the user should read. */
  readonly onNote?: ((note: string) => void) | undefined;
}

/** A training in one place: its settings, its output, its clock. */
export interface Session extends TrainRun {
  readonly settings: TrainSettings;
  readonly output: string;
  /** Milliseconds of `performance.now()` at which it has to end. */
  readonly deadline: number;
}

/** What a training came to. */
export interface TrainReport {
  readonly output: string;
  readonly train: TrainSettings['train'];
  /** Updates of each part that are made by now. */
  readonly updates: Readonly<Record<string, number>>;
  /** All updates are made; otherwise the same command goes on. */
  readonly finished: boolean;
  readonly report: string;
}

/** Where a part keeps its checkpoints, its log and its pictures. */
export function partFolder(output: string, part: string): string {
  return join(output, 'run', part);
}

/**
 * Runs the loop of one part until its updates are made or the time is up.
 *
 * @returns updates made in all
 */
export async function runPart<B>(
  part: string,
  task: Task<B>,
  { settings, output, deadline, signal, onProgress }: Session,
  updates: number,
): Promise<number> {
  const { seed, accumulate, saveEvery, keep, logEvery, validateEvery, batch } = settings;
  const maxMinutes = Math.max(0, deadline - performance.now()) / 60_000;
  return trainLoop(task, {
    folder: partFolder(output, part),
    ...{ updates, seed, accumulate, saveEvery, keep, logEvery, validateEvery, signal },
    ...(Number.isFinite(maxMinutes) && { maxMinutes }),
    onProgress(progress) {
      const samplesPerSecond = (batch * accumulate) / progress.secondsPerUpdate;
      onProgress?.({ ...progress, part, updates, samplesPerSecond });
    },
  });
}

const SETTINGS = 'training.json';

/**
 * Takes a folder for a training: its settings are kept beside the result, and a training that was begun with other
 * ones is not continued.
 *
 * @throws MuseTalkError CONFLICT when the folder holds another training, CANNOT_WRITE.
 */
export async function claimFolder(output: string, settings: TrainSettings): Promise<void> {
  const path = join(output, SETTINGS);
  const begun = await readdir(join(output, 'run')).catch(() => []);
  const before =
    begun.length === 0 ? undefined : await readFile(path, 'utf8').then(JSON.parse, () => undefined);
  const mine = JSON.parse(JSON.stringify(settings));
  if (before !== undefined) {
    const other = Object.keys({ ...before, ...mine }).filter(
      (key) => !HARMLESS.includes(key) && !isDeepStrictEqual(before[key], mine[key]),
    );
    if (other.length === 0) return;
    throw new MuseTalkError('CONFLICT', `${output} holds a training with another ${other.join(', ')}`, {
      hint: 'Give the same settings to go on with it, or another folder with -o.',
      facts: { output, other },
    });
  }
  try {
    await mkdir(output, { recursive: true });
    await writeFile(`${path}.part`, `${JSON.stringify(mine, null, 2)}\n`);
    await rename(`${path}.part`, path);
  } catch (cause) {
    throw new MuseTalkError('CANNOT_WRITE', `${output} cannot be written to`, {
      hint: 'Name a folder that can be written.',
      facts: { output },
      cause,
    });
  }
}

/** What may change between two runs of the same training without changing its curve. */
const HARMLESS = ['keep', 'saveEvery', 'models'];
