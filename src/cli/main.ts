#!/usr/bin/env node
/** The command line. Only this folder reads arguments, prints, and ends the process. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { dubCommand } from './commands/dub.ts';
import { runCommand } from './commands/run.ts';
import { withHyphens } from './flags.ts';
import { exitCodeOf, printError } from './report.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

const program = new Command('musetalk')
  .description('Makes a face say any recording')
  .version(version)
  .enablePositionalOptions()
  .configureHelp({ showGlobalOptions: false })
  .exitOverride();
for (const command of [dubCommand(), runCommand()]) program.addCommand(command);

try {
  await program.parseAsync(withHyphens(process.argv.slice(2)), { from: 'user' });
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    printError(error, { debug: process.argv.includes('--debug') });
    process.exitCode = exitCodeOf(error);
  }
}
