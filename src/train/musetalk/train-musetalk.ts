/** Trains the UNet of MuseTalk, 1.0's way or in the two stages of 1.5, on prepared clips. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MuseTalkError } from '../../core/errors.ts';
import type { FloatTensor, Tensor } from '../../core/tensor.ts';
import type { Image } from '../../image/image.ts';
import { VAE_DECODER } from '../../lips/musetalk-networks.ts';
import { findOwnSyncNet, findSyncNet, type SyncNetFile } from '../../lips/sync-files.ts';
import { SYNC_FRAMES, syncNet } from '../../networks/syncnet.ts';
import { MUSETALK_UNET, readUnetConfig, type UnetConfig, unet } from '../../networks/unet.ts';
import { readVaeConfig, type VaeConfig, vaeDecoder } from '../../networks/vae.ts';
import { vgg19Features } from '../../networks/vgg19.ts';
import { cacheFolder as usualCache } from '../../nn/folders.ts';
import { input } from '../../nn/value.ts';
import type { Checkpoint } from '../../nn/weights/checkpoint.ts';
import { frozen } from '../../nn/weights/frozen.ts';
import { type MatchOptions, matchWeights } from '../../nn/weights/match-weights.ts';
import { openCheckpoint } from '../../nn/weights/open-checkpoint.ts';
import { stateDict } from '../../nn/weights/state-dict.ts';
import { writeSafetensors } from '../../nn/weights/write-safetensors.ts';
import { expectedWeights, type WeightSource, type Weights } from '../../nn/weights.ts';
import { latestCheckpoint, readCheckpoint } from '../checkpoint.ts';
import { openTrack } from '../data/face-track.ts';
import { pictureOf } from '../data/pictures.ts';
import { readClips, splitClips } from '../data/prepared.ts';
import type { Task } from '../loop.ts';
import { Random } from '../random.ts';
import { keepPictures, type ReportedPart } from '../report.ts';
import { partFolder, runPart, type Session } from '../run.ts';
import { type StageBatch, stageTask } from '../stage-task.ts';
import type { Stage } from '../stages.ts';
import { locateTraining, locateUnet, readJson, type TrainingFiles } from './files.ts';
import { openFrozenAnswers } from './frozen-answers.ts';
import { batchOf, drawSample, type Sampler, sampledClips } from './samples.ts';

const STAGES: Readonly<Record<string, Stage>> = {
  'musetalk-1.0': '1.0',
  'musetalk-1.5-first': '1.5-first',
  'musetalk-1.5-second': '1.5-second',
};

/**
 * Trains the UNet and writes it into the output folder under upstream's names.
 *
 * @throws MuseTalkError MODEL_MISSING, NOT_FOUND, BAD_WEIGHTS, WRONG_FILE, or what the loop throws.
 */
export async function trainMuseTalk(
  session: Session,
): Promise<{ updates: Record<string, number>; parts: ReportedPart[]; columns: string }> {
  const { settings, output, threads, onNote } = session;
  const files = await locateTraining(settings.models);
  const vae = readVaeConfig(await readJson(files.vae.config));
  const begin = settings.from === undefined ? undefined : await locateUnet(settings.from, files);
  const config = await unetConfigOf(begin?.config ?? files.unetConfig);
  const entries = await readClips(settings.data);
  const tracks = await Promise.all(entries.map((entry) => openTrack(settings.data, entry)));
  const clips = splitClips(sampledClips(settings.data, tracks, settings), settings.heldBack);
  const cacheFolder = session.cacheFolder ?? usualCache();
  const { box, size, margin } = settings.crop;
  const answers = await openFrozenAnswers({
    ...{ data: settings.data, files, vae, size, threads, cacheFolder },
    cutting: `${box} ${size} ${JSON.stringify(margin)}`,
  });
  try {
    checkFit(config, vae, answers.width);
    const sampler = { settings, answers };
    const task = await unetTask(session, {
      ...{ files, vae, config, cacheFolder },
      from: begin && (await readUnet(begin.weights, config)),
      learned: { ...sampler, clips: clips.learned },
      heldBack: { ...sampler, clips: clips.heldBack },
    });
    try {
      const updates = await runPart('unet', task, session, settings.updates);
      const path = await latestCheckpoint(partFolder(output, 'unet'));
      if (path !== undefined) {
        const { parameters, average } = (await readCheckpoint(path)).trainer.groups.unet!;
        await writeUnet(output, average ?? parameters, config, settings.train);
      } else onNote?.('There is no model yet: run the same command again to go on.');
      const parts = [{ title: 'UNet', folder: partFolder(output, 'unet') }];
      return { updates: { unet: updates }, parts, columns: 'masked, reference, prediction, target' };
    } finally {
      await task.trainer.close();
    }
  } finally {
    await answers.close();
  }
}

interface UnetTraining {
  readonly files: TrainingFiles;
  readonly vae: VaeConfig;
  readonly config: UnetConfig;
  readonly cacheFolder: string;
  readonly from: ReadonlyMap<string, FloatTensor> | undefined;
  readonly learned: Sampler;
  readonly heldBack: Sampler;
}

async function unetTask(session: Session, training: UnetTraining): Promise<Task<StageBatch>> {
  const { settings, output, threads, spinning } = session;
  const { files, vae, config, cacheFolder, learned, heldBack } = training;
  const stage = STAGES[settings.train]!;
  const { batch, seed, losses, crop } = settings;
  const samplesOf = (sampler: Sampler, random: Random, plain = false) =>
    Array.from({ length: batch }, () => drawSample(sampler, random, plain));
  const condition = learned.answers.width;
  const judges = await openJudges(session, files);
  const decoder = await openFrozen(files.vae.weights, VAE_DECODER, (w) =>
    vaeDecoder(w, input('x', [1, vae.latent_channels, 8, 8]), vae),
  );
  const look = heldBack.clips.length > 0;
  let task: Task<StageBatch>;
  try {
    task = await stageTask({
      ...{ stage, samples: batch, size: crop.size, updates: settings.updates, seed, threads, spinning },
      ...{ unet: config, vae, from: training.from, cacheFolder, look, condition: [50, condition] as const },
      weights: losses,
      ganStart: losses.ganStart,
      optimiser: settings,
      frozen: { vae: decoder.source, vgg: judges.vgg?.source, syncNet: judges.syncNet?.source },
      ...judges.sizes,
      draw: async (random) => (await batchOf(learned, samplesOf(learned, random))).batch,
    });
  } finally {
    await Promise.all([decoder, judges.vgg, judges.syncNet].map((file) => file?.close()));
  }
  if (!look) return task;

  let looked: ReturnType<typeof batchOf> | undefined;
  const validate = async (update: number) => {
    looked ??= batchOf(heldBack, samplesOf(heldBack, new Random(seed, 1), true));
    const { batch: feeds, references } = await looked;
    const ganWeight: FloatTensor = { dtype: 'float32', shape: [], data: Float32Array.of(losses.gan) };
    const { loss, outputs } = await task.trainer.run(
      'look',
      stage === '1.5-second' ? { ...feeds, ganWeight } : feeds,
    );
    const { drawn, ...terms } = outputs;
    await keepPictures(partFolder(output, 'unet'), update, rowsOf(feeds.picture!, references, drawn!));
    const values = Object.entries(terms).map(([name, { data }]) => [name, Number(data[0])] as const);
    return { loss, ...Object.fromEntries(values) };
  };
  return { ...task, validate };
}

/** Rows of a sheet of pictures at most. */
const ROWS = 8;

/** Masked, reference, prediction and target of frames spread over a batch. */
function rowsOf(targets: Tensor, references: Tensor, drawn: Tensor): Image[][] {
  const [count, , height, width] = targets.shape as [number, number, number, number];
  const size = 3 * height * width;
  const at = (all: Tensor, i: number) =>
    pictureOf((all.data as Float32Array).subarray(i * size, (i + 1) * size), width, height);
  const rows = Math.min(ROWS, count);
  return Array.from({ length: rows }, (_, row) => {
    const i = Math.floor((row * count) / rows);
    const target = at(targets, i);
    const masked = { ...target, data: Uint8Array.from(target.data) };
    masked.data.fill(0, masked.data.length / 2);
    return [masked, at(references, i), at(drawn, i), target];
  });
}

/** Weights of a frozen network, in their file until the graphs are loaded. */
interface FrozenFile {
  readonly source: WeightSource;
  close(): Promise<void>;
}

async function openFrozen(
  path: string,
  match: MatchOptions,
  build: (w: Weights) => unknown,
): Promise<FrozenFile> {
  const checkpoint = await openCheckpoint(path, { expected: match.network });
  try {
    const source = frozen(matchWeights(checkpoint, expectedWeights(build), match));
    return { source, close: () => checkpoint.close() };
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}

/** The networks that judge, those that are there; one line for each that is not. */
async function openJudges(session: Session, files: TrainingFiles) {
  const { settings, onNote } = session;
  const { losses, train } = settings;
  let vgg: FrozenFile | undefined;
  let thin: number | undefined;
  if (train !== 'musetalk-1.0' && losses.perceptual > 0) {
    if (files.vgg) {
      thin = await thinnessOf(files.vgg);
      vgg = await openFrozen(files.vgg, { network: 'VGG19', ignored: () => true }, (w) =>
        vgg19Features(w, input('x', [1, 3, 64, 64]), { thin: thin! }),
      );
    } else
      onNote?.(`The perceptual loss is off: VGG19 is not in ${files.folder} (musetalk models pull vgg19).`);
  }
  let judge: SyncNetFile | undefined;
  let syncFile: FrozenFile | undefined;
  if (train === 'musetalk-1.5-second' && losses.sync > 0) {
    judge = await syncJudge(session, files);
    if (judge) {
      const { size, config } = judge;
      syncFile = await openFrozen(judge.weights, { network: 'a sync net' }, (w) =>
        syncNet(
          w,
          input('frames', [1, 3 * SYNC_FRAMES, size / 2, size]),
          input('mel', [1, 1, 80, 52]),
          config,
        ),
      );
    } else
      onNote?.(
        `The sync loss is off: no sync net in ${files.folder} (musetalk models pull syncnet, or train one: musetalk train sync).`,
      );
  }
  const sizes = {
    ...(thin !== undefined && { thin }),
    ...(judge && { syncNet: judge.config, syncSize: judge.size }),
  };
  return { vgg, syncNet: syncFile, sizes };
}

/** The sync net that the settings name, else upstream's, else one of our own in the models folder. */
async function syncJudge({ settings }: Session, files: TrainingFiles): Promise<SyncNetFile | undefined> {
  if (settings.syncNet !== undefined) {
    const named = await findOwnSyncNet(settings.syncNet);
    if (named) return named;
    throw new MuseTalkError('NOT_FOUND', `there is no sync net in ${settings.syncNet}`, {
      hint: 'Name a folder that "musetalk train sync" wrote.',
      facts: { folder: settings.syncNet },
    });
  }
  return findSyncNet(files.folder);
}

/** By how much a file's VGG19 is narrower than the published one. */
async function thinnessOf(path: string): Promise<number> {
  const checkpoint = await openCheckpoint(path, { expected: 'VGG19' });
  try {
    return 64 / (shapeOf(stateDict(checkpoint), 'features.0.weight')?.[0] ?? 64);
  } finally {
    await checkpoint.close();
  }
}

function shapeOf({ entries }: Checkpoint, name: string): readonly number[] | undefined {
  return entries.get(name)?.shape;
}

async function unetConfigOf(path: string | undefined): Promise<UnetConfig> {
  return path === undefined ? MUSETALK_UNET : readUnetConfig(await readJson(path));
}

/** The weights of a UNet to begin with. @throws MuseTalkError WRONG_FILE, BAD_WEIGHTS */
async function readUnet(path: string, config: UnetConfig): Promise<Map<string, FloatTensor>> {
  const checkpoint = await openCheckpoint(path, { expected: 'the UNet of MuseTalk' });
  try {
    const side = 2 ** config.block_out_channels.length;
    const expected = expectedWeights((w) =>
      unet(
        w,
        input('latents', [1, config.in_channels, side, side]),
        input('condition', [1, 50, config.cross_attention_dim]),
        config,
      ),
    );
    const weights = matchWeights(checkpoint, expected, { network: 'the UNet of MuseTalk' });
    const tensors = new Map<string, FloatTensor>();
    for (const [name, shape] of expected) {
      const { data } = await weights.readFloat(name);
      tensors.set(name, { dtype: 'float32', shape, data });
    }
    return tensors;
  } finally {
    await checkpoint.close();
  }
}

/** A model folder: the UNet under upstream's names, its configuration, and which generation it is. */
async function writeUnet(
  folder: string,
  tensors: ReadonlyMap<string, FloatTensor>,
  config: UnetConfig,
  train: string,
): Promise<void> {
  await writeSafetensors(
    join(folder, 'unet.safetensors'),
    Array.from(tensors, ([name, tensor]) => ({ name, tensor })),
    { format: 'pt' },
  );
  const version = train === 'musetalk-1.0' ? '1.0' : '1.5';
  const path = join(folder, 'musetalk.json');
  await writeFile(`${path}.part`, `${JSON.stringify({ musetalk_version: version, ...config }, null, 2)}\n`);
  await rename(`${path}.part`, path);
}

function checkFit(config: UnetConfig, vae: VaeConfig, width: number): void {
  const fits =
    config.in_channels === 2 * vae.latent_channels &&
    config.out_channels === vae.latent_channels &&
    config.cross_attention_dim === width;
  if (fits) return;
  throw new MuseTalkError('BAD_WEIGHTS', 'the UNet, the autoencoder and Whisper do not belong together', {
    hint: 'Take all of them from the same model.',
    facts: { unet: config, vae, width },
  });
}
