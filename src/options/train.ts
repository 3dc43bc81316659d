/**
 * The options of training: the flags of `musetalk train` and of `train prepare`, and the configuration file in our
 * own form. Upstream's files are translated into it by `upstream-train.ts`.
 */
import { z } from 'zod';
import { checkOptions } from './check.ts';
import { plainYaml } from './plain-yaml.ts';
import { isUpstreamTraining, translateUpstream } from './upstream-train.ts';

/** What becomes of a folder of videos. */
export const prepareSettings = z.strictObject({
  minSeconds: z.number().min(0.2).max(600).default(1).meta({
    group: 'Face',
    unit: 's',
    description: 'Shorter stretches with a face and without a cut are left out',
  }),
  maxSeconds: z.number().min(1).max(3600).default(30).meta({
    group: 'Face',
    unit: 's',
    description: 'Longer stretches become several clips',
  }),
  minFace: z.int().min(16).max(4096).default(64).meta({
    group: 'Face',
    unit: 'px',
    description: 'Narrower faces are left out',
  }),
  maxOffset: z.number().min(0.04).max(0.48).default(0.12).meta({
    group: 'Sound',
    unit: 's',
    description: 'Clips whose sound is clearly farther off the lips are left out',
  }),
  shiftSound: z.boolean().default(false).meta({
    group: 'Sound',
    description: 'Move the sound of such clips to the lips instead',
  }),
  retry: z.boolean().default(false).meta({
    group: 'Run',
    description: 'Try again the videos that were skipped before',
  }),
});

/** Settings of preparation with their defaults filled in. */
export type PrepareSettings = z.output<typeof prepareSettings>;

/** What can be trained. */
export const TRAININGS = [
  'mini',
  'musetalk-1.0',
  'musetalk-1.5-first',
  'musetalk-1.5-second',
  'sync',
] as const;

/** A key of {@link TRAININGS}. */
export type Training = (typeof TRAININGS)[number];

/** What the command line may say; each of them wins over the configuration file. */
export const trainFlags = z.strictObject({
  train: z.enum(TRAININGS).optional().meta({
    group: 'Model',
    description: 'What is trained, without a configuration file; mini by default',
  }),
  from: z.string().min(1).optional().meta({
    group: 'Model',
    value: 'NAME|DIR|FILE',
    description:
      'Weights to begin with: mini, musetalk-1.5, musetalk-1.0, a model folder, or a file of a UNet',
  }),
  models: z.string().min(1).optional().meta({
    group: 'Model',
    value: 'DIR',
    description: 'Folder with the frozen networks; else MUSETALK_MODELS, else the user’s data folder',
  }),
  data: z.string().min(1).optional().meta({
    group: 'Data',
    value: 'DIR',
    description: 'Folder that "train prepare" made',
  }),
  clip: z.string().min(1).optional().meta({
    group: 'Data',
    value: 'FILE|DIR',
    description: 'Videos of one person to fine-tune on; they are prepared first',
  }),
  updates: z.int().min(1).max(100_000_000).optional().meta({
    group: 'Time',
    description: 'Updates of the weights in all; of each part, for mini',
  }),
  batch: z.int().min(1).max(4096).optional().meta({ group: 'Time', description: 'Samples of a batch' }),
  maxMinutes: z.number().min(0.01).max(1_000_000).optional().meta({
    group: 'Time',
    unit: 'minutes',
    description: 'Save and stop after so long; the same command goes on later',
  }),
  seed: z.int().min(0).max(0xffffffff).optional().meta({
    group: 'Run',
    description: 'The same seed and data give the same curve',
  }),
  threads: z.int().min(1).max(256).optional().meta({
    group: 'Run',
    description: 'Processor cores to use; all of them by default',
  }),
});

/** What the command line said. */
export type TrainFlags = z.output<typeof trainFlags>;

const share = z.number().min(0).max(1);
const weight = z.number().min(0).max(1000);
const count = z.int().min(0).max(100_000_000);

/** A configuration in our own form. What is left out depends on what is trained: see {@link resolveTraining}. */
export const trainConfig = z.strictObject({
  train: z.enum(TRAININGS).optional(),
  data: z.string().min(1).optional(),
  from: z.string().min(1).optional(),
  models: z.string().min(1).optional(),
  seed: z.int().min(0).max(0xffffffff).optional(),

  /** Updates of the weights in all. mini: of the picture network before it is sharpened. */
  updates: count.optional(),
  batch: z.int().min(1).max(4096).optional(),
  /** Batches whose gradients are averaged before an update. */
  accumulate: z.int().min(1).max(4096).optional(),
  rate: z.number().positive().max(1).optional(),
  warmUp: count.optional(),
  schedule: z.enum(['linear', 'cosine']).optional(),
  betas: z.tuple([share, share]).optional(),
  weightDecay: z.number().min(0).max(1).optional(),
  clipNorm: z.number().positive().optional(),
  /** Decay of an average of the weights over time, which then is the result; 0 for none. */
  average: z.number().min(0).max(0.99999).optional(),

  /** Share of the clips that is only looked at. */
  heldBack: z.number().min(0).max(0.9).optional(),
  saveEvery: z.int().min(1).optional(),
  keep: z.int().min(1).max(1000).optional(),
  logEvery: z.int().min(1).optional(),
  validateEvery: z.int().min(1).optional(),

  /** MuseTalk and sync: how faces are cut out. */
  crop: z
    .strictObject({
      /** `half`: the box of inference. `union`: upstream's in training, up to the forehead. */
      box: z.enum(['half', 'union']).optional(),
      /** Side of the crops in pixels; another one than 256 for trials only. */
      size: z.int().min(32).max(512).optional(),
      /** Pixels of the video below the chin: fixed, or drawn at random from a normal distribution. */
      margin: z
        .union([z.number().min(0).max(200), z.strictObject({ mean: weight, deviation: weight })])
        .optional(),
    })
    .optional(),
  reference: z.enum(['random', 'pose', 'pose-and-mouth']).optional(),
  /** Share of a clip's frames that count as alike in pose, and as unlike in mouth. */
  referenceRatio: share.optional(),
  /** Narrower faces are not learned from, in pixels of the video. */
  minFace: z.int().min(0).max(4096).optional(),
  /** MuseTalk and sync: how much samples are changed at random. mini always has all of it but the sound's. */
  augment: z
    .strictObject({
      /** How often a face is mirrored. */
      mirror: share.optional(),
      /** Reach of gain, gamma and tint; 0.2 is a lot. */
      colour: share.optional(),
      /** Reach of shifts and scales of the box, as a part of its side. */
      shift: z.number().min(0).max(0.1).optional(),
      scale: z.number().min(0).max(0.1).optional(),
      /** Further hearings of each clip's sound, with another level, room, noise, speed and pitch each. */
      sound: z.int().min(0).max(16).optional(),
    })
    .optional(),
  /** MuseTalk: weights of the terms; a term of weight 0 is left out. */
  losses: z
    .strictObject({
      latents: weight.optional(),
      pixels: weight.optional(),
      perceptual: weight.optional(),
      gan: weight.optional(),
      mouthGan: weight.optional(),
      featureMatching: weight.optional(),
      sync: weight.optional(),
      /** The update from which the discriminators are heard. */
      ganStart: count.optional(),
    })
    .optional(),
  /** MuseTalk: a sync net that `train: sync` made, instead of upstream's. */
  syncNet: z.string().min(1).optional(),
  /** mini: updates of its other parts; 0 leaves one as it is. */
  sharpen: count.optional(),
  sound: count.optional(),
});

/** A configuration as it is written. */
export type TrainConfig = z.output<typeof trainConfig>;

/** A configuration with nothing left open. */
export interface TrainSettings {
  readonly train: Training;
  readonly data: string;
  readonly from: string | undefined;
  readonly models: string | undefined;
  readonly seed: number;
  readonly updates: number;
  readonly batch: number;
  readonly accumulate: number;
  readonly rate: number;
  readonly warmUp: number;
  readonly schedule: 'linear' | 'cosine';
  readonly betas: readonly [number, number];
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly average: number;
  readonly heldBack: number;
  readonly saveEvery: number;
  readonly keep: number;
  readonly logEvery: number;
  readonly validateEvery: number;
  readonly crop: {
    readonly box: 'half' | 'union';
    readonly size: number;
    readonly margin: number | { readonly mean: number; readonly deviation: number };
  };
  readonly reference: 'random' | 'pose' | 'pose-and-mouth';
  readonly referenceRatio: number;
  readonly minFace: number;
  readonly augment: Readonly<Record<'mirror' | 'colour' | 'shift' | 'scale' | 'sound', number>>;
  readonly losses: Readonly<
    Record<
      'latents' | 'pixels' | 'perceptual' | 'gan' | 'mouthGan' | 'featureMatching' | 'sync' | 'ganStart',
      number
    >
  >;
  readonly syncNet: string | undefined;
  readonly sharpen: number;
  readonly sound: number;
}

type Defaults = Omit<TrainSettings, 'train' | 'data' | 'from' | 'models' | 'syncNet'>;

const NO_LOSSES = {
  ...{ latents: 0, pixels: 0, perceptual: 0, gan: 0, mouthGan: 0, featureMatching: 0, sync: 0 },
  ganStart: 1000,
};

const MUSETALK: Defaults = {
  ...{ seed: 41, updates: 250_000, batch: 32, accumulate: 1, rate: 2e-5, warmUp: 1000, schedule: 'linear' },
  ...{ betas: [0.5, 0.999], weightDecay: 0.01, clipNorm: 1, average: 0, heldBack: 0.05 },
  ...{ saveEvery: 2000, keep: 3, logEvery: 10, validateEvery: 2000 },
  crop: { box: 'half', size: 256, margin: 10 },
  ...{ reference: 'pose-and-mouth', referenceRatio: 0.51, minFace: 150 },
  augment: { mirror: 0, colour: 0, shift: 0, scale: 0, sound: 0 },
  losses: { ...NO_LOSSES, pixels: 1, perceptual: 0.01 },
  ...{ sharpen: 0, sound: 0 },
};

/** What is taken where a configuration says nothing: upstream's numbers where there are any. */
const DEFAULTS: Readonly<Record<Training, Defaults>> = {
  'musetalk-1.0': {
    ...MUSETALK,
    ...{ updates: 100_000, batch: 256, accumulate: 16, rate: 5e-5, warmUp: 0, schedule: 'cosine' },
    betas: [0.9, 0.999],
    crop: { box: 'half', size: 256, margin: 0 },
    reference: 'random',
    losses: { ...NO_LOSSES, latents: 1, pixels: 2 },
  },
  'musetalk-1.5-first': MUSETALK,
  'musetalk-1.5-second': {
    ...MUSETALK,
    ...{
      updates: 31_250,
      batch: 2,
      accumulate: 8,
      rate: 5e-6,
      saveEvery: 250,
      validateEvery: 250,
      minFace: 200,
    },
    crop: { box: 'half', size: 256, margin: { mean: 10, deviation: 10 } },
    losses: {
      ...NO_LOSSES,
      ...{ pixels: 1, perceptual: 0.01, gan: 0.01, mouthGan: 0.01, featureMatching: 1, sync: 0.05 },
    },
  },
  mini: {
    ...MUSETALK,
    ...{ seed: 7, updates: 2500, batch: 8, rate: 5e-4, warmUp: 100, schedule: 'cosine', betas: [0.9, 0.99] },
    ...{ average: 0.999, heldBack: 0.1, saveEvery: 100, logEvery: 10, validateEvery: 250, minFace: 0 },
    ...{ sharpen: 4500, sound: 3000 },
  },
  sync: {
    ...MUSETALK,
    ...{
      seed: 7,
      updates: 20_000,
      batch: 16,
      rate: 1e-4,
      warmUp: 200,
      schedule: 'cosine',
      betas: [0.9, 0.999],
    },
    ...{ heldBack: 0.1, saveEvery: 500, validateEvery: 500, minFace: 0 },
    crop: { box: 'half', size: 128, margin: 10 },
  },
};

/** mini on one person: only the picture network, with the discriminator from the start and small steps. */
const FINE_TUNE: Partial<Defaults> = { updates: 0, sharpen: 600, sound: 0, rate: 1e-4, warmUp: 30 };

const HINT =
  'Write options such as "train: mini" and "data: data", or give upstream’s stage1.yaml or stage2.yaml.';

/**
 * The configuration in the text of a YAML file, in our own form or in upstream's.
 *
 * @returns the configuration, and a sentence for each of upstream's settings that means nothing here
 * @throws MuseTalkError BAD_FILE when it is no YAML, BAD_OPTION for what is unknown or out of range.
 */
export function parseTrainConfig(text: string, path: string): { config: TrainConfig; notes: string[] } {
  const value = plainYaml(text, path, HINT);
  const { config, notes } = isUpstreamTraining(value)
    ? translateUpstream(value, path)
    : { config: value ?? {}, notes: [] };
  return { config: checkOptions(trainConfig, config), notes };
}

/** Everything that a training needs to know: what was said, and for the rest what its kind is used to. */
export function resolveTraining(config: TrainConfig, flags: TrainFlags, data: string): TrainSettings {
  const { clip, maxMinutes, threads, updates, ...said } = flags;
  const all = { ...config, ...given(said) };
  const train = all.train ?? trainingOf(all.from);
  const tuned = train === 'mini' && all.from !== undefined;
  const usual = { ...DEFAULTS[train], ...(tuned && FINE_TUNE) };
  const parts = updates === undefined ? {} : partsOf(train, tuned, updates);
  const { crop, augment, losses, ...flat } = all;
  return {
    ...usual,
    ...{ from: undefined, models: undefined, syncNet: undefined },
    ...given(flat),
    ...parts,
    train,
    data,
    crop: { ...usual.crop, ...given(crop ?? {}) },
    augment: { ...usual.augment, ...given(augment ?? {}) },
    losses: { ...usual.losses, ...given(losses ?? {}) },
  };
}

/** A kind that goes with the name of weights to begin with. */
function trainingOf(from: string | undefined): Training {
  const version = /^(?:musetalk-?)?v?(1\.?0|1|1\.?5)$/i.exec(from ?? '')?.[1];
  if (version) return version.endsWith('5') ? 'musetalk-1.5-first' : 'musetalk-1.0';
  return /\.(?:pth|bin|safetensors)$/i.test(from ?? '') ? 'musetalk-1.5-first' : 'mini';
}

function partsOf(train: Training, tuned: boolean, updates: number): Partial<Defaults> {
  if (train !== 'mini') return { updates };
  return tuned ? { sharpen: updates } : { updates, sharpen: updates, sound: updates };
}

/** Only what has a value, so that it can be laid over defaults. */
function given<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const known = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known) as { [K in keyof T]: Exclude<T[K], undefined> };
}
