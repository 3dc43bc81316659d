import { Command } from 'commander';
import { checkOptions } from '../../options/check.ts';
import { serveOptions, workerOptions } from '../../options/serve.ts';
import { addFlags, readFlags } from '../flags.ts';
import { examples } from '../help.ts';
import { addMessageFlags } from '../messages.ts';
import { perform } from '../perform.ts';

/** `musetalk serve` */
export function serveCommand(): Command {
  const command = new Command('serve')
    .summary('start a service with a queue of jobs, a page and an API')
    .description(
      'Serve a page and an HTTP API on this machine. Everything is kept in one folder; jobs that were running when the service ended continue at its next start.',
    );
  addMessageFlags(addFlags(command, serveOptions));
  examples(command, [
    ['musetalk serve', 'for this machine alone: http://127.0.0.1:8080'],
    ['MUSETALK_TOKEN=… musetalk serve --host 0.0.0.0', 'for others, who need the token'],
    ['musetalk serve --queue redis://host:6379 --workers 0', 'with the work done elsewhere: musetalk worker'],
  ]);
  return command.action(() =>
    perform(command, async ({ messages, signal }) => {
      const { startServer } = await import('../../server/server.ts');
      const options = checkOptions(serveOptions, readFlags(command, serveOptions));
      const server = await startServer(options, {
        onError: (error, where) => messages.warning(`${where}: ${(error as Error)?.stack ?? error}`),
      });
      messages.result({ url: server.url }, `Listening on ${server.url}`);
      await aborted(signal);
      await server.close();
    }),
  );
}

/** `musetalk worker` */
export function workerCommand(): Command {
  const command = new Command('worker')
    .summary('work on the jobs of services on other machines')
    .description(
      'Take jobs from a queue on Redis or Valkey that one or more services fill. They share the data folder with it, or an S3-compatible store.',
    );
  addMessageFlags(addFlags(command, workerOptions));
  examples(command, [['musetalk worker --queue redis://host:6379 --data /mnt/shared --workers 2', '']]);
  return command.action(() =>
    perform(command, async ({ messages, signal }) => {
      const { startWorker } = await import('../../server/worker.ts');
      const worker = await startWorker(checkOptions(workerOptions, readFlags(command, workerOptions)));
      messages.note('waiting for jobs');
      await aborted(signal);
      await worker.close();
    }),
  );
}

/** Ctrl-C is how both commands end: no error. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}
