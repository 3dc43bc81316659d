import { Command } from 'commander';
import { MuseTalkError } from '../../core/errors.ts';
import { modelsFolder } from '../../nn/folders.ts';
import type { Finding } from '../doctor.ts';
import { addFlags, readFlags } from '../flags.ts';
import { addMessageFlags } from '../messages.ts';
import { perform } from '../perform.ts';
import { table } from '../words.ts';
import { modelsOptions } from './models.ts';

const MARKS = { good: 'ok  ', advice: 'note', bad: 'BAD ' } as const;

/** `musetalk doctor` */
export function doctorCommand(): Command {
  const command = new Command('doctor')
    .summary('say what works on this machine, and what is missing')
    .description(
      'Look at everything that dubbing needs, and try it. The exit code is 0 as long as a dub can work, whatever could be better.',
    );
  addMessageFlags(addFlags(command, modelsOptions));
  return command.action(() =>
    perform(command, async ({ messages, signal }) => {
      const { examine } = await import('../doctor.ts');
      const { models } = readFlags(command, modelsOptions) as { models?: string };
      messages.note('trying what this machine can do …');
      const { findings, facts } = await examine(modelsFolder(models), signal);
      const bad = findings.filter(({ state }) => state === 'bad');
      messages.result({ works: bad.length === 0, findings, ...facts }, textOf(findings));
      // Told as an error too, so that the reason stands last, and programs see its code.
      if (bad[0])
        throw new MuseTalkError(bad[0].code ?? 'MEDIA_TOOL', `dubbing cannot work here: ${bad[0].text}`, {
          hint: bad[0].remedy,
        });
    }),
  );
}

function textOf(findings: readonly Finding[]): string {
  return table(
    findings.flatMap(({ state, topic, text, remedy }) => [
      [MARKS[state], topic, text],
      ...(remedy && state !== 'good' ? [['', '', `→ ${remedy}`]] : []),
    ]),
  );
}
