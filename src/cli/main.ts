#!/usr/bin/env node
/** The command line. Only this folder reads arguments, prints, and ends the process. */
import { CommanderError } from 'commander';
import { MuseTalkError } from '../core/errors.ts';
import { withHyphens } from './flags.ts';
import { Messages } from './messages.ts';
import { musetalk } from './program.ts';
import { UPSTREAM_OPTIONS } from './upstream-options.ts';

async function main(args: readonly string[]): Promise<void> {
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 6));
  const program = musetalk();
  if (args.length === 0) return program.outputHelp();
  try {
    await program.parseAsync(withHyphens(args), { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    const usage = error instanceof CommanderError ? usageError(error, args) : error;
    new Messages({ json: args.includes('--json'), debug: args.includes('--debug') }).error(usage);
    process.exitCode = 2;
  }
}

/** What is wrong with the arguments: commander's sentence, and its guess at what was meant as the hint. */
function usageError({ message }: CommanderError, args: readonly string[]): MuseTalkError {
  const [sentence = message, guess] = message.replace(/^error: /, '').split('\n');
  const option = /^unknown option '([^'=]+)/.exec(sentence)?.[1];
  const command = args.find((arg) => !arg.startsWith('-'));
  const hint = (option && UPSTREAM_OPTIONS[option]) ?? guess?.replace(/^\((.*)\)$/, '$1');
  return new MuseTalkError('BAD_OPTION', sentence, {
    hint: hint ?? `See: musetalk help${command ? ` ${command}` : ''}`,
    facts: { arguments: args },
  });
}

await main(process.argv.slice(2));
