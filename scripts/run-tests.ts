// Runs tests, a process for each file, as many at once as there are processors.
//
//   npm test                    everything that passes on a clean clone
//   npm test -- sound/          only files whose paths hold "sound/"
//   npm run golden              the comparisons with recorded numbers, with all that ../shared holds
//   npm run test:full           all of it, with networks at full size: minutes, and 6 GB of memory
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { filesUnder, ROOT } from '../test/sources.ts';

/** The first to run: it touches every main promise. */
const FIRST = 'test/tiny.test.ts';
const FOLDERS = ['src', 'test', 'bench', 'examples', 'scripts', 'web'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { golden: { type: 'boolean' }, full: { type: 'boolean' } },
});

const files = FOLDERS.flatMap(filesUnder)
  .filter((file) => (values.golden ? /\.golden\.test\.ts$/ : /\.test\.ts$/).test(file))
  .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)))
  .sort((a, b) => Number(b === FIRST) - Number(a === FIRST));

if (files.length === 0) {
  console.error(`There are no tests at ${positionals.join(', ')}.`);
  process.exit(1);
}

const child = spawn(
  process.execPath,
  [
    ...['--import', 'tsx', '--test', '--test-reporter=spec'],
    `--test-concurrency=${values.full ? 1 : availableParallelism()}`,
    `--test-timeout=${(values.full ? 60 : 10) * 60_000}`,
    ...files,
  ],
  {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      ...((values.golden || values.full) && { MUSETALK_GOLDEN: 'full' }),
      ...(values.full && { MUSETALK_FULL: '1' }),
    },
  },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
child.on('close', (code) => {
  process.exitCode = code ?? 1;
});
