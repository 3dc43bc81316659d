/** The service behind the routes: its folder, its queue, its workers, and what a dub needs to come and go. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';
import type { MediaLimits } from '../media/limits.ts';
import type { ServeOptions } from '../options/serve.ts';
import { Events } from './events.ts';
import { type Files, inputName, isId, newId, workName } from './files.ts';
import type { SoundFacts, VideoFacts } from './inspect.ts';
import { Looks } from './looks.ts';
import { Metrics } from './metrics.ts';
import type { InputFetcher } from './net/fetch-input.ts';
import type { DubRequest, DubView } from './protocol.ts';
import { FINAL, type Job } from './queue/job.ts';
import type { Queue } from './queue/queue.ts';
import { type DubPlan, planOf, type Source } from './request.ts';
import type { FileRequest, Store, StoredFile } from './store/store.ts';
import { sweepJobs } from './store/sweep-jobs.ts';
import { Uploads } from './uploads.ts';
import { type DubJob, type DubJobRequest, dubView, type PartJob } from './view.ts';
import { withoutPaths } from './work/attempt.ts';
import type { WorkerPool } from './work/pool.ts';

/** What a service is made of. */
export interface ServiceParts {
  readonly options: ServeOptions;
  readonly files: Files;
  readonly store: Store;
  readonly queue: Queue;
  readonly pool: WorkerPool;
  /** Fetches inputs by address, where that is allowed. */
  readonly fetchInput: InputFetcher | undefined;
  /** Resolves when no attempt at a job runs in this process. */
  readonly settled: (id: string) => Promise<void>;
}

/** How a dub is asked for. */
export interface NewDub {
  readonly owner: string;
  readonly request: DubRequest;
  readonly key?: string | undefined;
  readonly batch?: string | undefined;
}

/** A file that came by an address, and is not an upload of its own. */
interface Input {
  readonly path: string;
  readonly upload: string | undefined;
}

const HOUR_MS = 3_600_000;

/** Uploads, dubs and what belongs to them, for all routes. */
export class Service {
  readonly options: ServeOptions;
  readonly files: Files;
  readonly store: Store;
  readonly queue: Queue;
  readonly pool: WorkerPool;
  readonly uploads: Uploads;
  readonly looks: Looks;
  readonly events: Events;
  readonly metrics: Metrics;
  readonly #fetchInput: InputFetcher | undefined;
  readonly #settled: (id: string) => Promise<void>;

  constructor({ options, files, store, queue, pool, fetchInput, settled }: ServiceParts) {
    this.options = options;
    this.files = files;
    this.store = store;
    this.queue = queue;
    this.pool = pool;
    this.#fetchInput = fetchInput;
    this.#settled = settled;
    const { maxUpload: bytes, maxStorage: perOwner, minFree: free } = options;
    this.looks = new Looks(this.limits);
    this.uploads = new Uploads(files, this.looks, { bytes, perOwner, free });
    const view = (job: Job) => this.view(job as DubJob);
    this.events = new Events(queue, { perOwner: 600, total: 2000, heartbeat: 15_000, view });
    this.metrics = new Metrics(queue, {
      event_streams: ['Open streams of events', () => this.events.open],
      worker_processes: ['Worker processes', () => pool.pids.length],
    });
  }

  get limits(): Partial<MediaLimits> {
    const { maxUpload: bytes, maxDuration: duration, maxPixels: pixels } = this.options;
    return {
      bytes,
      duration,
      pixels,
      frames: Math.ceil(duration * 240),
      totalPixels: pixels * 60 * duration,
    };
  }

  /** A job of the owner. @throws MuseTalkError NOT_FOUND, also where it is another's. */
  async dub(id: string, owner: string): Promise<DubJob> {
    const job = (await this.queue.get(id)) as DubJob | undefined;
    if (job?.owner === owner) return job;
    throw new MuseTalkError('NOT_FOUND', `there is no dub ${id}`, {
      hint: 'See GET /v1/dubs for those there are.',
    });
  }

  async view(job: DubJob): Promise<DubView> {
    const parts = job.state === 'split' ? ((await this.queue.parts(job.id)) as PartJob[]) : [];
    return dubView(job, await this.queue.position(job), parts);
  }

  /**
   * Checks a dub and puts it in the queue.
   *
   * @throws MuseTalkError what is wrong with its options or its files; QUEUE_FULL; CONFLICT.
   */
  async createDub({ owner, request, key, batch }: NewDub): Promise<{ job: DubJob; created: boolean }> {
    const plan = planOf(request);
    const keyed =
      key === undefined ? undefined : createHash('sha256').update(JSON.stringify(request)).digest('hex');
    if (key !== undefined && (await this.queue.byKey(owner, key)))
      return this.#add({ id: newId(), owner, key, keyed }, plan, { uploads: [], batch });
    await this.#checkDisk();
    const id = newId();
    try {
      const uploads = await this.#bringInputs(id, owner, plan);
      const added = await this.#add({ id, owner, key, keyed }, plan, { uploads, batch });
      if (!added.created) await this.store.remove(id);
      return added;
    } catch (error) {
      await this.store.remove(id).catch(() => {}); // the sweep finds what is left
      throw error;
    }
  }

  async #add(
    job: { id: string; owner: string; key: string | undefined; keyed: string | undefined },
    plan: DubPlan,
    { uploads, batch }: { uploads: string[]; batch: string | undefined },
  ): Promise<{ job: DubJob; created: boolean }> {
    const { settings, format, boxes, segments, sounds, name, warnings, webhook } = plan;
    const request: DubJobRequest = {
      ...{ kind: 'dub', name, settings, format, boxes: boxes !== undefined, segments },
      ...{ sounds: sounds.length, uploads, warnings, batch },
    };
    return (await this.queue.add({ ...job, request, webhook })) as { job: DubJob; created: boolean };
  }

  /** Gives the job's folder the inputs under names of our own, once their headers are known to be in order. */
  async #bringInputs(id: string, owner: string, plan: DubPlan): Promise<string[]> {
    const folder = this.files.job(id);
    await mkdir(folder, { mode: 0o700 });
    const inputs = await Promise.all(
      [plan.video, ...plan.sounds].map((source, i) =>
        this.#input(source, owner, join(folder, `fetched-${i}`)),
      ),
    );
    await this.look(
      inputs.map(({ path }) => path),
      plan,
    );
    const names = inputs.map((_, i) => inputName(i));
    for (const [i, { path }] of inputs.entries()) await this.files.share(path, join(folder, names[i]!));
    if (plan.boxes) await writeFile(join(folder, 'boxes.json'), JSON.stringify(plan.boxes));
    await this.store.save(id, plan.boxes ? [...names, 'boxes.json'] : names);
    await this.store.release(id);
    return inputs.flatMap(({ upload }) => upload ?? []);
  }

  /** The facts of a dub's inputs. Paths of this machine do not leave it in errors. */
  async look(
    [video, ...sounds]: readonly string[],
    { settings }: Pick<DubPlan, 'settings'>,
  ): Promise<{ video: VideoFacts; sounds: SoundFacts[] }> {
    try {
      const [seen, ...heard] = await allOrFirst([
        this.looks.video(video!, settings.fps),
        ...sounds.map((path) => this.looks.sound(path)),
      ]);
      return { video: seen as VideoFacts, sounds: heard as SoundFacts[] };
    } catch (error) {
      if (!(error instanceof MuseTalkError)) throw error;
      const names = new Map([[video!, 'the video'], ...sounds.map((path) => [path, 'the sound'] as const)]);
      const message = [...names].reduce((text, [path, name]) => text.replaceAll(path, name), error.message);
      const { path: _, ...facts } = error.facts;
      throw new MuseTalkError(error.code, withoutPaths(message, this.files), {
        hint: error.hint,
        facts,
        cause: error,
      });
    }
  }

  /** The files that sources name, and a folder, for as long as `use` runs. */
  async withInputs<T>(
    sources: readonly Source[],
    owner: string,
    use: (paths: string[], folder: string) => Promise<T>,
  ): Promise<T> {
    const id = newId();
    const folder = this.files.job(id);
    await mkdir(folder, { mode: 0o700 });
    try {
      const inputs = await Promise.all(
        sources.map((source, i) => this.#input(source, owner, join(folder, `fetched-${i}`))),
      );
      return await use(
        inputs.map(({ path }) => path),
        folder,
      );
    } finally {
      await this.files.removeJob(id);
    }
  }

  async #input(source: Source, owner: string, place: string): Promise<Input> {
    if ('upload' in source)
      return { path: await this.uploads.file(source.upload, owner), upload: source.upload };
    if (!this.#fetchInput)
      throw new MuseTalkError('ADDRESS_REFUSED', 'this service takes no addresses as inputs', {
        hint: 'Upload the file with POST /v1/uploads and give its id.',
      });
    await this.#fetchInput(source.url, place, this.options.maxUpload);
    return { path: place, upload: undefined };
  }

  /** Ends a dub and removes every trace of it, its uploads too unless another dub was made of them. */
  async removeDub(job: DubJob): Promise<void> {
    await this.queue.cancel(job.id);
    await this.#settled(job.id);
    await this.store.remove(job.id);
    const rest = (await this.queue.list(job.owner, { limit: 100_000 })) as DubJob[];
    const used = new Set(rest.flatMap(({ id, request }) => (id === job.id ? [] : request.uploads)));
    for (const id of new Set(job.request.uploads)) if (!used.has(id)) await this.uploads.discard(id);
    await this.queue.remove(job.id);
  }

  /** The name in its job of what lies beside the finished video. @throws MuseTalkError CONFLICT while there is none. */
  besideResult(job: DubJob, name: string): string {
    if (job.state === 'done') return `${workName(job.fence)}/${name}`;
    throw noResult(job);
  }

  /** The finished video, or a part of it. @throws MuseTalkError CONFLICT while there is none. */
  async result(job: DubJob, request: FileRequest): Promise<StoredFile> {
    const name = job.result?.file;
    const file = name && (await this.store.file(job.id, this.besideResult(job, name), request));
    if (file) return file;
    throw noResult(job);
  }

  /** @throws MuseTalkError CANNOT_WRITE when nothing more fits on the disk. */
  async #checkDisk(): Promise<void> {
    if (await this.hasRoom()) return;
    throw new MuseTalkError('CANNOT_WRITE', 'the disk of this service is nearly full', {
      hint: 'Try again later.',
    });
  }

  async hasRoom(): Promise<boolean> {
    const { bavail, bsize } = await statfs(this.files.root);
    return bavail * bsize >= this.options.minFree;
  }

  /** Removes what is older than is kept, and folders that belong to no job. */
  async sweep(): Promise<void> {
    const before = Date.now() - this.options.keep * HOUR_MS;
    for (const job of await this.queue.finishedBefore(before, 100)) await this.removeDub(job as DubJob);
    await this.uploads.sweep(before);
    await sweepJobs(this.store, this.queue, (await readdir(this.files.jobs)).filter(isId));
    await sweepJobs(this.store, this.queue, this.store.jobs());
  }

  async close(): Promise<void> {
    this.events.close();
    this.metrics.close();
    await this.looks.close();
  }
}

function noResult({ id, state }: DubJob): MuseTalkError {
  return new MuseTalkError('CONFLICT', `the dub ${id} has no result`, {
    hint: FINAL.has(state) ? 'See its error.' : 'Wait until its status is COMPLETED.',
    facts: { state },
  });
}

/** What all of them give; where some fail, the first of these in order, once none goes on. */
async function allOrFirst<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** A key that stays the same over restarts, made at the first start; nobody else may read it. */
export async function readKey(path: string): Promise<Buffer> {
  const known = await readFile(path).catch(() => undefined);
  if (known?.length === 32) return known;
  const key = randomBytes(32);
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(key);
    await file.sync();
  } finally {
    await file.close();
  }
  return key;
}
