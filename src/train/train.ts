/** Trains by a configuration: what `musetalk train` does. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';
import { isMini } from '../lips/mini-networks.ts';
import {
  prepareSettings,
  resolveTraining,
  type TrainConfig,
  type TrainFlags,
  type Training,
} from '../options/train.ts';
import { prepareData } from './data/prepare.ts';
import { withFolder } from './folder-lock.ts';
import { trainMini } from './mini/train-mini.ts';
import { trainMuseTalk } from './musetalk/train-musetalk.ts';
import { writeReport } from './report.ts';
import { claimFolder, type Session, type TrainReport, type TrainRun } from './run.ts';
import { trainSync } from './sync/train-sync.ts';

/** What is to be trained, and where it goes. */
export interface TrainRequest {
  readonly config?: TrainConfig | undefined;
  /** Win over the configuration. */
  readonly flags?: TrainFlags | undefined;
  /** Folder that becomes the model; one that was begun is gone on with. */
  readonly output: string;
}

/** A run of `train`, which may have to prepare a clip first. */
export interface TrainCall extends TrainRun {
  readonly onPrepare?: ((progress: { done: number; total: number; video: string }) => void) | undefined;
}

/**
 * Trains until all updates are made, the time is up or the signal aborts; writes the model and a report.
 *
 * @throws MuseTalkError BAD_OPTION without data, CONFLICT when the folder holds another training or another run writes
 *   into it, MODEL_MISSING,
 *   NOT_FOUND, NO_FACE, CANNOT_WRITE or ENGINE.
 */
export async function train(
  { config = {}, flags = {}, output }: TrainRequest,
  run: TrainCall = {},
): Promise<TrainReport> {
  const started = performance.now();
  const data = flags.clip === undefined ? (flags.data ?? config.data) : join(output, 'data');
  if (data === undefined) {
    throw new MuseTalkError('BAD_OPTION', 'nothing is named to learn from', {
      hint: 'Name prepared data with --data, or videos of one person with --clip.',
    });
  }
  const from = flags.from ?? config.from;
  const kind = flags.train ?? config.train ?? (from === undefined ? undefined : await kindOfFolder(from));
  const settings = resolveTraining({ ...config, ...(kind && { train: kind }) }, flags, data);
  const deadline = started + (run.maxMinutes ?? Number.POSITIVE_INFINITY) * 60_000;
  return withFolder(output, () => trainInto({ ...run, settings, output, deadline }, flags.clip, run));
}

/** Prepares a clip first, where one is named. */
async function trainInto(
  session: Session,
  clip: string | undefined,
  { onPrepare }: TrainCall,
): Promise<TrainReport> {
  const { settings, output, signal, onNote } = session;
  await claimFolder(output, settings);
  if (clip !== undefined) {
    const onSkipped = (video: string, reason: string) => onNote?.(`${video}: ${reason}`);
    await prepareData(clip, settings.data, prepareSettings.parse({}), {
      signal,
      onProgress: onPrepare,
      onSkipped,
    });
  }
  const { updates, parts, columns } = await trainerOf(settings.train)(session);
  const report = join(output, 'report.html');
  await writeReport(report, {
    title: `Training of ${settings.train}`,
    parts,
    columns,
    facts: [
      ['data', settings.data],
      ['begun with', settings.from ?? 'random weights'],
      [
        'updates',
        Object.entries(updates)
          .map(([part, count]) => `${part} ${count}`)
          .join(', '),
      ],
      ['batch', `${settings.batch} × ${settings.accumulate}`],
      ['highest rate', String(settings.rate)],
      ['seed', String(settings.seed)],
    ],
  });
  signal?.throwIfAborted();
  const wanted = { unet: settings.updates, sync: settings.updates, picture: settings.updates, ...settings };
  const finished = Object.entries(updates).every(
    ([part, count]) => count >= Number(wanted[part as 'unet' | 'sync' | 'picture' | 'sharpen' | 'sound']),
  );
  return { output, train: settings.train, updates, finished, report };
}

/** What a folder to begin with holds, where that is a folder of ours. */
async function kindOfFolder(from: string): Promise<Training | undefined> {
  if (await isMini(from)) return 'mini';
  const files = await readdir(from).catch(() => [] as string[]);
  return files.includes('unet.safetensors') ? 'musetalk-1.5-first' : undefined;
}

function trainerOf(kind: Session['settings']['train']) {
  if (kind === 'mini') return trainMini;
  return kind === 'sync' ? trainSync : trainMuseTalk;
}
