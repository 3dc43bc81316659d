/** A service as a program of its own, to be killed by tests: folder, port and runner as arguments. */
import { startServer } from '../src/server/server.ts';

const [, , data, port, runner] = process.argv;
const server = await startServer(
  { data: data!, port: Number(port), minFree: 0, workers: 2, lease: 5, createRate: 1e6, readRate: 1e6 },
  { runner: runner!, retry: { firstDelay: 0.02, longestDelay: 0.1 } },
);
console.log(server.url);
process.once('SIGTERM', () => void server.close());
