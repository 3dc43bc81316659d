/**
 * The service: `startServer` takes uploads and dubs over HTTP; `startWorker` lends a further machine to one that
 * keeps its jobs in Redis.
 *
 * @module
 */
export type { ServeInput, ServeOptions, WorkerOptions } from '../options/serve.ts';
export { type RunningServer, type ServeRun, startServer } from './server.ts';
export { type RunningWorker, startWorker, type WorkerRun } from './worker.ts';
