import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { doctorCommand } from './commands/doctor.ts';
import { dubCommand } from './commands/dub.ts';
import { modelsCommand } from './commands/models.ts';
import { previewCommand } from './commands/preview.ts';
import { reportCommand } from './commands/report.ts';
import { runCommand } from './commands/run.ts';
import { serveCommand, workerCommand } from './commands/serve.ts';
import { trainCommand } from './commands/train.ts';
import { examples } from './help.ts';

/** The whole command line, for running and for printing its help. */
export function musetalk(): Command {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const program = new Command('musetalk')
    .description('Makes a face say any recording.')
    .version(version)
    .enablePositionalOptions()
    .showHelpAfterError(false)
    .configureHelp({ optionDescription: (option) => option.description })
    .configureOutput({ outputError: () => {} }) // told in our own way, below
    .exitOverride();
  examples(program, [
    ['musetalk dub face.mp4 speech.wav -o out.mp4', 'the face says the speech'],
    ['musetalk preview face.mp4 -o preview.png', 'one frame: face found, what will change'],
    ['musetalk models pull musetalk-1.5', 'fetches the published weights'],
    ['musetalk doctor', 'what works on this machine, and what is missing'],
    ['musetalk help dub', 'all options of a command'],
  ]);
  for (const command of [
    dubCommand(),
    previewCommand(),
    runCommand(),
    reportCommand(),
    serveCommand(),
    workerCommand(),
    trainCommand(),
    modelsCommand(),
    doctorCommand(),
  ]) {
    program.addCommand(command.copyInheritedSettings(program));
    for (const inner of command.commands) inner.copyInheritedSettings(program);
  }
  return program;
}
