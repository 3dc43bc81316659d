/** Help for people who have not read anything yet: examples come first. */
import type { Command } from 'commander';

/** Puts examples above the usage: each a command, and what is special about it. */
export function examples(command: Command, list: readonly (readonly [line: string, note: string])[]): void {
  const width = Math.max(...list.map(([line]) => line.length));
  const lines = list.map(([line, note]) => (note ? `  ${line.padEnd(width)}   # ${note}` : `  ${line}`));
  command.addHelpText('before', `Examples:\n${lines.join('\n')}\n`);
}
