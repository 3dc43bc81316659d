import { Worker } from 'node:worker_threads';

/**
 * Starts a worker thread from a module, given without its extension: `startWorker('./session-worker', import.meta.url)`.
 *
 * Sources also run unbuilt, by a loader for TypeScript that Node 20 does not hand down to threads.
 */
export function startWorker(module: string, from: string): Worker {
  if (!from.endsWith('.ts')) return new Worker(new URL(`${module}.js`, from));
  const loader = JSON.stringify(import.meta.resolve('tsx/esm/api'));
  const url = JSON.stringify(new URL(`${module}.ts`, from).href);
  return new Worker(`import(${loader}).then(({ register }) => { register(); return import(${url}); });`, {
    eval: true,
  });
}
