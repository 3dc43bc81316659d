/**
 * The service: one process that takes uploads and dubs over HTTP, keeps them in a folder, and lets worker processes do
 * the work. Nothing starts before `startServer` is called, and `close` leaves nothing running.
 */
import { createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkOptions } from '../options/check.ts';
import { type ServeInput, type ServeOptions, serveOptions } from '../options/serve.ts';
import { readUsers } from './auth.ts';
import { dataFolder, Files } from './files.ts';
import { lockFolder } from './folder-lock.ts';
import { allowedNames, PACE, type Pace } from './guard.ts';
import { httpServer } from './http.ts';
import { isLoopback } from './net/address.ts';
import { inputFetcher } from './net/fetch-input.ts';
import type { OutboundRules } from './net/outbound.ts';
import { openQueue } from './queue/open-queue.ts';
import { RETRY, type RetryRules } from './queue/retry.ts';
import { RateLimit } from './rate.ts';
import type { Route } from './route.ts';
import { batchRoutes } from './routes/batches.ts';
import { dubRoutes } from './routes/dubs.ts';
import { modelRoutes } from './routes/models.ts';
import { previewRoutes } from './routes/previews.ts';
import { systemRoutes } from './routes/system.ts';
import { uploadRoutes } from './routes/uploads.ts';
import { readKey, Service } from './service.ts';
import { openStore } from './store/store.ts';
import { Webhooks } from './webhooks.ts';
import { runnerSettings, startWorkers } from './work/workers.ts';

/** What stands around a service: for tests, and for programs that embed it. */
export interface ServeRun {
  /** Address of the module that exports `runJob`; that of dubs by default. */
  readonly runner?: string;
  readonly retry?: Partial<RetryRules>;
  readonly pace?: Pace;
  /** Seconds after which a silent connection is ended. */
  readonly idle?: number;
  /** How webhooks and inputs by address are called. */
  readonly outbound?: OutboundRules;
  readonly webhooks?: { readonly timeout?: number; readonly delays?: readonly number[] };
  /** Hears of faults of the service itself. */
  readonly onError?: (error: unknown, where: string) => void;
}

/** A running service. */
export interface RunningServer {
  /** Where it is reached. */
  readonly url: string;
  readonly service: Service;
  /** Ids of its worker processes. */
  readonly workers: () => readonly number[];
  /** Stops taking requests, lets go of running jobs (they continue at the next start), ends all processes. */
  close(): Promise<void>;
}

/** Minutes between two looks for what need not be kept. */
const SWEEP_MINUTES = 10;

/**
 * Starts the service.
 *
 * @throws MuseTalkError BAD_OPTION, CANNOT_WRITE, CONFLICT when another service works in the same folder or listens
 * on the same port.
 */
export async function startServer(input: ServeInput, run: ServeRun = {}): Promise<RunningServer> {
  const options = checkOptions(serveOptions, input);
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end();
  };
  try {
    const files = new Files(dataFolder(options.data));
    await files.make();
    if (options.queue === 'embedded') closers.push(await lockFolder(files.root));
    const store = await openStore(files, options);
    const key = await readKey(join(files.root, 'key'));
    const users = await readUsers(options, key);
    const retry = { ...RETRY, attempts: options.attempts, ...run.retry };
    const limits = { perOwner: options.maxQueued, total: options.maxJobs };
    const queue = await openQueue(options.queue, files, { limits, lease: options.lease, retry });
    closers.push(() => queue.close());

    const workers = startWorkers(
      { files, store, queue },
      {
        ...{ count: options.workers, lease: options.lease, runner: run.runner },
        settings: { ...runnerSettings(options), limits: mediaLimits(options) },
      },
    );
    closers.push(() => workers.close());
    const hosts = listOf(options.urlHosts);
    const fetchInput = hosts && inputFetcher({ ...run.outbound, hosts });
    const service = new Service({
      options,
      files,
      store,
      queue,
      pool: workers.pool,
      fetchInput,
      settled: workers.settled,
    });
    closers.push(() => service.close());

    const secretOf = webhookSecrets(options, key);
    const webhooks = new Webhooks(queue, {
      ...{ ...run.webhooks, ...run.outbound, hosts: listOf(options.webhookHosts), secretOf },
      view: (job) => service.view(job as Parameters<typeof service.view>[0]),
    });
    closers.push(() => webhooks.close());
    await webhooks.resume();

    const ended = new AbortController();
    closers.push(() => ended.abort());
    const routes: Route[] = [];
    const system = systemRoutes(service, { users, version: versionOf(), routes: () => routes, secretOf });
    routes.push(
      ...uploadRoutes(service),
      ...dubRoutes(service),
      ...previewRoutes(service),
      ...batchRoutes(service),
      ...modelRoutes(service, ended.signal),
    );
    routes.push(...system);
    const app = await httpServer(routes, {
      ...{ users, files, metrics: service.metrics, maxUpload: options.maxUpload },
      ...{ pace: run.pace ?? PACE, idle: run.idle ?? 120, page: pageFolder() },
      names: allowedNames(options.host, options.allowHost),
      creates: new RateLimit(options.createRate),
      reads: new RateLimit(options.readRate),
      onError: run.onError ?? (() => {}),
    });
    closers.push(() => app.close());
    closers.push(sweeping(service));
    await app.listen({ host: options.host, port: options.port });
    const { address, port, family } = app.server.address() as AddressInfo;
    const host =
      isLoopback(options.host) && family === 'IPv4'
        ? '127.0.0.1'
        : family === 'IPv6'
          ? `[${address}]`
          : address;
    return { url: `http://${host}:${port}`, service, workers: () => workers.pool.pids, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What inputs may ask for, by the service's options. */
function mediaLimits({ maxUpload, maxDuration, maxPixels }: ServeOptions) {
  return {
    ...{ bytes: maxUpload, duration: maxDuration, pixels: maxPixels },
    ...{ frames: Math.ceil(maxDuration * 240), totalPixels: maxPixels * 60 * maxDuration },
  };
}

/** Removes now and then what need not be kept; gives what ends that. */
function sweeping(service: Service): () => Promise<void> {
  let running = Promise.resolve();
  const sweep = () => {
    running = service.sweep().catch(() => {}); // the next one may go better
  };
  const timer = setInterval(sweep, SWEEP_MINUTES * 60_000);
  timer.unref();
  sweep();
  return async () => {
    clearInterval(timer);
    await running;
  };
}

/** One key that was given for all, or one of its own for each owner. */
function webhookSecrets({ webhookSecret }: ServeOptions, key: Buffer): (owner: string) => string {
  const given = webhookSecret ?? process.env.MUSETALK_WEBHOOK_SECRET;
  if (given) return () => given;
  return (owner) => createHmac('sha256', key).update(`webhook ${owner}`).digest('hex');
}

function listOf(text: string | undefined): string[] | undefined {
  return text
    ?.split(',')
    .map((one) => one.trim().toLowerCase())
    .filter(Boolean);
}

function versionOf(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** The page, built beside this code or in its own folder; a service without it has the API alone. */
function pageFolder(): string | undefined {
  return ['../web', '../../dist/web']
    .map((place) => fileURLToPath(new URL(place, import.meta.url)))
    .find((place) => existsSync(join(place, 'index.html')));
}
