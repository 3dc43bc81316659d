/**
 * What goes over the wire, declared once: requests are checked by it, the API description is printed from it, and
 * pages share its types. Nothing here knows of files or processes.
 */
import { z } from 'zod';
import { dubSettings } from '../options/dub.ts';

/** Ids of uploads, dubs and batches. */
export const id = z
  .string()
  .regex(/^[0-9a-z]{26}$/, 'is no id of this service')
  .meta({ description: 'Id that the service gave', examples: ['00mgx3k2abd4f6gh8jkl1n3p5q'] });

/** Text for people: kept and shown, never read as a path. */
const displayName = z.string().min(1).max(200);

const httpsUrl = z
  .string()
  .max(2000)
  .regex(/^https:\/\//, 'must begin with https://');

/** An upload by its id, or an address on a host that the service's owner allowed. */
const source = z
  .union([id, z.strictObject({ upload: id }), z.strictObject({ url: httpsUrl })])
  .meta({ description: 'Id of an upload; or an https address, where this service allows its host' });

const assetFields = {
  upload: id.optional(),
  assetId: id.optional().meta({ description: 'The same as upload' }),
  url: httpsUrl.optional(),
};

const inputItem = z.discriminatedUnion('type', [
  z.strictObject({ type: z.enum(['video', 'image']), ...assetFields }),
  z.strictObject({
    type: z.literal('audio'),
    refId: z.string().min(1).max(100).optional().meta({ description: 'Name by which segments mean it' }),
    ...assetFields,
  }),
]);

const box = z.tuple([z.number(), z.number(), z.number(), z.number()]);
const pixel = z.number().min(0).max(65535);

const activeSpeaker = z
  .union([
    z.strictObject({
      auto_detect: z.boolean().meta({ description: 'The one whose mouth moves most: face = speaking' }),
    }),
    z.strictObject({
      frame_number: z.int().min(0).max(10_000_000).default(0),
      coordinates: z.tuple([pixel, pixel]),
    }),
    z.strictObject({ bounding_boxes: z.array(box.nullable()).min(1).max(200_000) }),
  ])
  .meta({
    description:
      'Which face speaks: the one whose mouth moves, the one at a point of a frame, or a box (x1, y1, x2, y2) for each frame',
  });

/** Options that name files of this machine, or belong to the one who runs it, are not for clients. */
const {
  models: _models,
  version: _version,
  coords: _coords,
  saveCoords: _saveCoords,
  parsing: _parsing,
  frames: _frames,
  overwrite: _overwrite,
  threads: _threads,
  resume: _resume,
  model: _model,
  ...clientSettings
} = dubSettings.shape;

const modelName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{0,63}$/, 'is no name of a model')
  .meta({ description: 'auto, mini, musetalk-1.5, musetalk-1.0, or another name in the list of models' });

/** The settings of a dub that a client may choose, as `musetalk dub` knows them. */
export const clientOptions = z.strictObject({ model: modelName.default('auto'), ...clientSettings });

/** Words of other services for the same things. */
const aliases = {
  sync_mode: clientSettings.syncMode.unwrap().optional().meta({ description: 'The same as syncMode' }),
  active_speaker_detection: activeSpeaker.optional(),
  output_format: z.enum(['mp4', 'mov', 'mkv', 'webm']).optional().meta({ description: 'mp4 by default' }),
  temperature: z.number().min(0).max(1).optional().meta({ description: 'Taken and without effect' }),
  occlusion_detection_enabled: z.boolean().optional().meta({ description: 'Taken and without effect' }),
};

const segment = z.strictObject({
  startTime: z.number().min(0).max(86_400).meta({ description: 'Second of the video at which it begins' }),
  endTime: z.number().positive().max(86_400),
  audioInput: z.strictObject({
    refId: z.string().min(1).max(100),
    startTime: z.number().min(0).max(86_400).optional(),
    endTime: z.number().positive().max(86_400).optional(),
  }),
});

/** What `POST /v1/dubs` takes. */
export const dubRequest = z
  .strictObject({
    video: source.optional(),
    sound: source.optional(),
    input: z.array(inputItem).min(2).max(33).optional().meta({ description: 'Instead of video and sound' }),
    segments: z
      .array(segment)
      .min(1)
      .max(200)
      .optional()
      .meta({ description: 'Parts of the video that speak, each with its own sound' }),
    model: modelName.optional().meta({ description: 'The same as options.model' }),
    options: z.strictObject({ ...clientOptions.shape, ...aliases }).prefault({}),
    name: displayName.optional().meta({ description: 'For people; nothing but shown' }),
    outputFileName: displayName.optional().meta({ description: 'The same as name' }),
    webhookUrl: httpsUrl.optional().meta({ description: 'Called once when the job has ended' }),
  })
  .meta({ id: 'DubRequest' });

/** What `POST /v1/previews` takes. */
export const previewRequest = z
  .strictObject({
    video: source,
    time: z.number().min(0).max(86_400).default(0).meta({ description: 'Second of the video' }),
    sound: source.optional(),
    layers: z.boolean().default(false).meta({
      description: 'The frame without marks and what lies over it apart, for those who draw it by themselves',
    }),
    options: z.strictObject({ ...clientOptions.shape, ...aliases }).prefault({}),
  })
  .meta({ id: 'PreviewRequest' });

/** The word for how a dub stands. */
export const status = z
  .enum(['PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'REJECTED', 'CANCELED'])
  .meta({ description: 'REJECTED: the input is at fault; FAILED: it is not' });

/** What went wrong. */
export const problem = z
  .object({
    code: z.string(),
    message: z.string(),
    hint: z.string().optional(),
    facts: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'Problem' });

/** The body of every answer that is an error. */
export const errorAnswer = z.object({ error: problem }).meta({ id: 'Error' });

const time = z.iso.datetime();

/** A dub as it is told. */
export const dubView = z
  .object({
    id,
    object: z.literal('dub'),
    status,
    name: z.string().nullable(),
    model: z.string(),
    createdAt: time,
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
    position: z.int().nullable().meta({ description: 'Jobs that come before it' }),
    attempts: z.int().meta({ description: 'Attempts that failed' }),
    progress: z
      .object({
        stage: z.string().meta({ description: 'open, load, faces, prepare, draw, write, report' }),
        done: z.int(),
        total: z.int(),
        fps: z.number().nullable(),
        elapsed: z.number(),
        remaining: z.number().nullable().meta({ description: 'Seconds until the stage ends' }),
      })
      .nullable(),
    warnings: z.array(z.string()),
    error: problem.nullable(),
    result: z
      .object({
        ...{ url: z.string(), bytes: z.int(), frames: z.int(), fps: z.number(), duration: z.number() },
        quality: z
          .enum(['good', 'faults'])
          .optional()
          .meta({ description: 'What the report says in a word' }),
      })
      .catchall(z.unknown())
      .nullable(),
    outputUrl: z.string().nullable().meta({ description: 'The same as result.url' }),
    outputDuration: z.number().nullable(),
    webhook: z.object({ url: z.string(), state: z.string(), attempts: z.int() }).nullable(),
    options: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Dub' });

/** An upload as it is told. */
export const uploadView = z
  .object({
    id,
    object: z.literal('upload'),
    name: z.string().nullable(),
    bytes: z.number(),
    received: z.number(),
    complete: z.boolean(),
    kind: z.string().nullable().meta({ description: 'What it is by its first bytes' }),
    createdAt: time,
  })
  .meta({ id: 'Upload' });

/** What a dub would take. */
export const estimateView = z
  .object({
    frames: z.int(),
    duration: z.number().meta({ description: 'Seconds of the result' }),
    seconds: z.number().meta({ description: 'That the work will take, once begun' }),
    waiting: z.number().meta({ description: 'Seconds until it begins, about' }),
    memory: z.number().meta({ description: 'Bytes' }),
    disk: z.number().meta({ description: 'Bytes of the result, about' }),
    measured: z.boolean().meta({ description: 'Whether jobs on this machine were the measure' }),
  })
  .meta({ id: 'Estimate' });

/** A checked request for a dub. */
export type DubRequest = z.output<typeof dubRequest>;
/** A checked request for a preview. */
export type PreviewRequest = z.output<typeof previewRequest>;
/** Checked settings of a client. */
export type ClientOptions = z.output<typeof clientOptions>;
/** A dub as it is told. */
export type DubView = z.output<typeof dubView>;
/** An upload as it is told. */
export type UploadView = z.output<typeof uploadView>;
/** What a dub would take. */
export type EstimateView = z.output<typeof estimateView>;
/** The word for how a dub stands. */
export type Status = z.output<typeof status>;
