/** Trains a sync net of our own: whether 16 frames of a mouth and the sound of 0.64 s belong together. */
import type { FloatTensor, Tensor } from '../../core/tensor.ts';
import { tensor } from '../../core/tensor.ts';
import { smallSyncNet, writeSyncNet } from '../../lips/sync-files.ts';
import { SYNC_FRAMES, SYNC_MEL_ROWS, syncNet } from '../../networks/syncnet.ts';
import { Trainer } from '../../nn/trainer.ts';
import { input } from '../../nn/value.ts';
import { Trainable, Weights } from '../../nn/weights.ts';
import { latestCheckpoint, readCheckpoint } from '../checkpoint.ts';
import { openTrack } from '../data/face-track.ts';
import { readClips, splitClips } from '../data/prepared.ts';
import { initialWeights } from '../initial.ts';
import type { Task } from '../loop.ts';
import { syncLoss } from '../losses.ts';
import { drawSample, melOf, picturesOf, type SampledClip, sampledClips } from '../musetalk/samples.ts';
import { Random } from '../random.ts';
import type { ReportedPart } from '../report.ts';
import { partFolder, runPart, type Session } from '../run.ts';
import { cosineSchedule, linearSchedule } from '../schedule.ts';

/** Inputs of a step. */
interface SyncBatch {
  /** Lower halves of 16 frames: [B, 48, size / 2, size]. */
  readonly frames: FloatTensor;
  /** [B, 1, 80, 52] */
  readonly mel: FloatTensor;
  /** 1 where they belong together: [B, 1]. */
  readonly labels: FloatTensor;
}

/**
 * Trains the sync net and writes it into the output folder. Half of the samples are in sync; the other half hear
 * another moment of the same clip.
 *
 * @throws MuseTalkError NOT_FOUND, BAD_FILE or what the loop throws.
 */
export async function trainSync(
  session: Session,
): Promise<{ updates: Record<string, number>; parts: ReportedPart[]; columns: string }> {
  const { settings, output } = session;
  const { size } = settings.crop;
  const config = smallSyncNet(size);
  const entries = await readClips(settings.data);
  const tracks = await Promise.all(entries.map((entry) => openTrack(settings.data, entry)));
  const clips = splitClips(sampledClips(settings.data, tracks, settings), settings.heldBack);
  const task = await syncTask(session, clips.learned, clips.heldBack);
  let updates: number;
  try {
    updates = await runPart('sync', task, session, settings.updates);
  } finally {
    await task.trainer.close();
  }
  const path = await latestCheckpoint(partFolder(output, 'sync'));
  if (path !== undefined) {
    const { parameters, average } = (await readCheckpoint(path)).trainer.groups.sync!;
    await writeSyncNet(output, { size, config }, average ?? parameters);
  }
  const parts = [{ title: 'Sync net', folder: partFolder(output, 'sync') }];
  return { updates: { sync: updates }, parts, columns: '' };
}

async function syncTask(
  { settings, threads, spinning }: Session,
  clips: readonly SampledClip[],
  heldBack: readonly SampledClip[],
): Promise<Task<SyncBatch>> {
  const { batch, seed, rate, warmUp, updates, betas, weightDecay, clipNorm, average } = settings;
  const { size } = settings.crop;
  const weights = new Trainable();
  const frames = input('frames', [batch, 3 * SYNC_FRAMES, size / 2, size]);
  const mel = input('mel', [batch, 1, 80, SYNC_MEL_ROWS]);
  const { seen, heard } = syncNet(new Weights(weights), frames, mel, smallSyncNet(size));
  const { loss, similarity } = syncLoss(seen, heard, input('labels', [batch, 1]));
  const random = new Random(seed);
  const trainer = await Trainer.start({
    groups: {
      sync: {
        parameters: weights.parameters,
        initial: initialWeights(weights.parameters, () => random.uniform()),
        ...{ betas, weightDecay, clipNorm, ...(average > 0 && { ema: average }) },
      },
    },
    passes: {
      learn: { loss, groups: ['sync'], outputs: { similarity } },
      look: { loss, groups: [], outputs: { similarity } },
    },
    ...(threads !== undefined && { threads }),
    ...(spinning !== undefined && { spinning }),
  });
  const from = settings.schedule === 'linear' ? linearSchedule : cosineSchedule;
  const schedule = from({ rate, warmUp: Math.min(warmUp, Math.floor(updates / 4)), total: updates });
  const values = (drawn: SyncBatch, loss: number, found: Tensor) => ({
    sync: loss,
    right: shareRight(drawn.labels, found),
  });
  return {
    trainer,
    draw: (numbers) => drawSync(settings, clips, numbers),
    async learn(batches, update) {
      const sums = { sync: 0, right: 0 };
      for (const drawn of batches) {
        const { loss, outputs } = await trainer.run('learn', { ...drawn });
        const now = values(drawn, loss, outputs.similarity!);
        sums.sync += now.sync / batches.length;
        sums.right += now.right / batches.length;
      }
      await trainer.update('sync', { learningRate: schedule(update), scale: 1 / batches.length });
      return sums;
    },
    ...(heldBack.length > 0 && {
      async validate() {
        const drawn = await drawSync(settings, heldBack, new Random(seed, 1), true);
        const { loss, outputs } = await trainer.run('look', { ...drawn });
        return values(drawn, loss, outputs.similarity!);
      },
    }),
  };
}

/** Draws as many samples in sync as out of it. */
async function drawSync(
  settings: Session['settings'],
  clips: readonly SampledClip[],
  random: Random,
  plain = false,
): Promise<SyncBatch> {
  const { batch, crop } = settings;
  const { size } = crop;
  const frames = tensor([batch, 3 * SYNC_FRAMES, size / 2, size]);
  const mel = tensor([batch, 1, 80, SYNC_MEL_ROWS]);
  const labels = tensor([batch, 1]);
  const samples = Array.from({ length: batch }, () => ({
    sample: drawSample({ settings, clips }, random, plain),
    other: random.uniform(),
  }));
  await Promise.all(
    samples.map(async ({ sample, other }, b) => {
      const pictures = await picturesOf(sample, sample.targets, size);
      const half = (size * size) / 2;
      for (let plane = 0; plane < 3 * SYNC_FRAMES; plane++) {
        const lower = pictures.data.subarray((2 * plane + 1) * half, (2 * plane + 2) * half);
        frames.data.set(lower, (b * 3 * SYNC_FRAMES + plane) * half);
      }
      const fits = b % 2 === 0;
      labels.data[b] = fits ? 1 : 0;
      const { clip, targets } = sample;
      const first = fits ? targets[0]!.frame : otherStart(targets[0]!.frame, clip.frames, other);
      const heard = await melOf({ clip, targets: [{ ...targets[0]!, frame: first }] });
      mel.data.set(heard, b * heard.length);
    }),
  );
  return { frames, mel, labels };
}

/** Another first frame of the clip, each equally likely. LatentSync: near misses are among them. */
function otherStart(start: number, frames: number, random: number): number {
  const drawn = Math.floor(random * (frames - SYNC_FRAMES));
  return drawn >= start ? drawn + 1 : drawn;
}

/** The share of pairs that a similarity of one half tells rightly. */
function shareRight(labels: FloatTensor, { data }: Tensor): number {
  const right = labels.data.filter((label, i) => Number(data[i]) > 0.5 === (label === 1));
  return right.length / labels.data.length;
}
