/** The options of the service and of its workers, declared once, as those of a dub. */
import { z } from 'zod';

const GIGABYTE = 2 ** 30;

const about = <S extends z.ZodType>(schema: S, group: string, description: string, meta = {}): S =>
  schema.meta({ group, description, ...meta });

const shared = {
  data: about(
    z.string().min(1).optional(),
    'Store',
    "Folder of uploads, jobs and results; else MUSETALK_DATA, else the user's data folder",
    { value: 'DIR' },
  ),
  store: about(
    z
      .string()
      .regex(
        /^(folder|s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[\w-][\w.-]*)*\/?)$/,
        'is neither folder nor s3://bucket/prefix',
      )
      .default('folder'),
    'Store',
    'Where inputs and results of jobs lie: folder (the data folder), or s3://bucket/prefix, with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY from the environment',
    { value: 'WHERE' },
  ),
  storeEndpoint: about(
    z
      .string()
      .regex(/^https?:\/\/[^\s/@?#]+\/?$/, 'is not an address such as https://host:9000')
      .optional(),
    'Store',
    "Address of the S3-compatible store; else AWS_ENDPOINT_URL, else Amazon's",
    { value: 'URL' },
  ),
  storeRegion: about(
    z
      .string()
      .regex(/^[\w-]{1,64}$/, 'is not the name of a region')
      .optional(),
    'Store',
    'Region of the store; else AWS_REGION, else us-east-1',
  ),
  models: about(z.string().min(1).optional(), 'Store', 'Folder with the models', { value: 'DIR' }),
  queue: about(
    z
      .string()
      .regex(/^(embedded|rediss?:\/\/\S+)$/, 'is neither embedded nor a redis:// address')
      .default('embedded'),
    'Queue',
    'Where jobs wait: embedded (in the data folder), or redis://… for several machines',
    { value: 'WHERE' },
  ),
  workers: about(z.int().min(0).max(64).default(1), 'Queue', 'Processes that dub, side by side'),
  threads: about(z.int().min(1).max(256).optional(), 'Queue', 'Threads of the networks in each worker'),
  lease: about(
    z.number().min(1).max(3600).default(60),
    'Queue',
    'Silence after which a worker is taken for lost',
    { unit: 's' },
  ),
  attempts: about(z.int().min(1).max(20).default(3), 'Queue', 'Failures after which a job is given up'),
  splitSeconds: about(
    z.number().min(0).max(3600).default(60),
    'Queue',
    'Length of the parts into which longer dubs are split, so that all workers share them; 0 splits none',
    { unit: 's' },
  ),
  report: about(
    z.enum(['on', 'off']).default('on'),
    'Queue',
    'Measure the quality of every finished dub: some time more for each',
  ),
};

/** `musetalk worker`: jobs of a queue that other machines fill. */
export const workerOptions = z.strictObject(shared);

/** `musetalk serve`. */
export const serveOptions = z.strictObject({
  host: about(
    z.string().min(1).default('127.0.0.1'),
    'Network',
    'Address to listen on; any but the loopback needs a token',
  ),
  port: about(z.int().min(0).max(65535).default(8080), 'Network', 'Port to listen on; 0 takes a free one'),
  token: about(
    z.string().min(8).max(512).optional(),
    'Network',
    'Token of a single user; else MUSETALK_TOKEN',
  ),
  tokens: about(z.string().min(1).optional(), 'Network', 'File with a line "user token" for each user', {
    value: 'FILE',
  }),
  allowHost: about(
    z.string().min(1).optional(),
    'Network',
    'Names, with commas, under which the service may be called beside its address',
    { value: 'NAMES' },
  ),
  ...shared,

  maxUpload: about(
    z
      .number()
      .positive()
      .default(4 * GIGABYTE),
    'Limits',
    'Size of one upload',
    { unit: 'bytes' },
  ),
  maxStorage: about(
    z
      .number()
      .positive()
      .default(64 * GIGABYTE),
    'Limits',
    'Uploads that one user may keep',
    { unit: 'bytes' },
  ),
  maxDuration: about(z.number().positive().default(3600), 'Limits', 'Length of a video or a sound', {
    unit: 's',
  }),
  maxPixels: about(
    z
      .int()
      .positive()
      .default(4096 * 2160),
    'Limits',
    'Pixels of a picture',
  ),
  maxQueued: about(z.int().positive().default(100), 'Limits', 'Unfinished jobs of one user'),
  maxJobs: about(z.int().positive().default(10_000), 'Limits', 'Unfinished jobs of all users'),
  createRate: about(
    z.number().positive().default(60),
    'Limits',
    'Requests of one user that change something',
    { unit: 'a minute' },
  ),
  readRate: about(z.number().positive().default(600), 'Limits', 'Other requests of one user', {
    unit: 'a minute',
  }),
  minFree: about(
    z.number().nonnegative().default(GIGABYTE),
    'Limits',
    'Room on the disk below which nothing new is taken',
    { unit: 'bytes' },
  ),
  keep: about(
    z.number().positive().default(168),
    'Limits',
    'How long finished jobs and unused uploads are kept',
    { unit: 'hours' },
  ),

  urlHosts: about(
    z.string().min(1).optional(),
    'Outside',
    'Hosts, with commas, whose https addresses may be given instead of uploads; none by default',
    { value: 'HOSTS' },
  ),
  webhookHosts: about(
    z.string().min(1).optional(),
    'Outside',
    'Hosts, with commas, to which webhooks may go; any public one by default',
    { value: 'HOSTS' },
  ),
  webhookSecret: about(
    z.string().min(16).max(512).optional(),
    'Outside',
    'Key that signs webhooks; else MUSETALK_WEBHOOK_SECRET, else one is made and kept',
  ),
});

/** What a caller of the service writes; everything has a default. */
export type ServeInput = z.input<typeof serveOptions>;
/** The options of a service, defaults filled in. */
export type ServeOptions = z.output<typeof serveOptions>;
/** The options of a worker, defaults filled in. */
export type WorkerOptions = z.output<typeof workerOptions>;
