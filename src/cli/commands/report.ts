import { writeFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { cannotWrite, checkFree } from '../../media/output.ts';
import { checkOptions } from '../../options/check.ts';
import { reportSettings } from '../../options/report.ts';
import type { ReportStage } from '../../report/quality-report.ts';
import type { QualityReport } from '../../report/result.ts';
import { addFlags, readFlags } from '../flags.ts';
import { examples } from '../help.ts';
import { perform } from '../perform.ts';

const TITLES: Readonly<Record<ReportStage, string>> = {
  faces: 'finding faces',
  source: 'reading the source',
  sound: 'listening',
  pixels: 'comparing pixels',
};

/** `musetalk report VIDEO [--source VIDEO] [-o OUT.html] [--json OUT.json]` */
export function reportCommand(): Command {
  const command = new Command('report')
    .summary('measure how good a dub is')
    .description(
      'Measure a dub: lips against sound and, beside the video that was dubbed, frames left out or doubled, colours, seams, sharpness, flicker and changes elsewhere. The exit code is 0 whatever is found.',
    )
    .argument('<video>', 'the dub')
    .option('-o, --output <file>', 'page to write (HTML, all in one file)');
  addFlags(command, reportSettings);
  const flags: [string, string][] = [
    ['--json [file]', 'write the report as JSON; without a file tell everything as JSON, one object a line'],
    ['-q, --quiet', 'say nothing but errors and the result'],
    ['--debug', 'with an error, print all that is known about it'],
  ];
  for (const [flag, text] of flags) command.addOption(new Option(flag, text).helpGroup('Messages:'));
  examples(command, [
    ['musetalk report dub.mp4 --source face.mp4 -o report.html', ''],
    ['musetalk report dub.mp4 --json report.json', 'without the source, less can be told'],
  ]);
  return command.action((video: string) => {
    const { json, output } = command.opts<{ json?: string | boolean; output?: string }>();
    const file = typeof json === 'string' ? json : undefined;
    // With a file, messages stay what people read.
    if (file !== undefined) command.setOptionValue('json', undefined);
    return perform(command, async ({ messages, signal }) => {
      const { reportOn } = await import('../../report/quality-report.ts');
      const { reportPage } = await import('../../report/page/page.ts');
      const { faceChoice } = await import('../../dub/faces.ts');
      const settings = checkOptions(reportSettings, readFlags(command, reportSettings));
      for (const path of [output, file]) if (path !== undefined) await checkFree(path, settings.overwrite);
      const result = await reportOn(
        { video, source: settings.source, sound: settings.sound },
        {
          choice: faceChoice(settings.face),
          models: settings.models,
          signal,
          onProgress: ({ stage, ...progress }) =>
            messages.progress({ stage, title: TITLES[stage], ...progress, unit: 'frames' }),
        },
      );
      const { report } = result;
      if (output !== undefined) await write(output, reportPage(result));
      if (file !== undefined) await write(file, `${JSON.stringify(report)}\n`);
      messages.result(report, textOf(report));
    });
  });
}

async function write(path: string, text: string): Promise<void> {
  await writeFile(path, text).catch((cause) => {
    throw cannotWrite(path, cause);
  });
}

/** The report in a few lines. */
function textOf({ video, summary, findings, notes }: QualityReport): string {
  const lines = findings.map(({ severity, title, detail }) => `${severity}: ${title}. ${detail}`);
  return [`${video.name}: ${summary}`, ...lines, ...notes.map((note) => `not measured: ${note}`)].join('\n');
}
