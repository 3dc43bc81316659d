/** A worker as a program of its own, to be stopped and killed by tests: address, folder and runner as arguments. */
import { workerOptions } from '../src/options/serve.ts';
import { startWorker } from '../src/server/worker.ts';

const [, , queue, data, runner] = process.argv;
const options = workerOptions.parse({ queue, data, workers: 1, lease: 2, attempts: 20 });
const worker = await startWorker(options, {
  runner: runner!,
  retry: { firstDelay: 0.02, longestDelay: 0.1 },
});
console.log('ready');
process.once('SIGTERM', () => void worker.close());
