import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { MuseTalkError } from '../../core/errors.ts';
import {
  type PrepareSettings,
  parseTrainConfig,
  prepareSettings,
  type TrainFlags,
  trainFlags,
} from '../../options/train.ts';
import type { TrainProgress, TrainReport } from '../../train/run.ts';
import { addFlags, readFlags } from '../flags.ts';
import { examples } from '../help.ts';
import { addMessageFlags, type Messages, type Progress } from '../messages.ts';
import { type Context, perform } from '../perform.ts';
import { clock } from '../words.ts';

/** `musetalk train CONFIG`, `musetalk train prepare FOLDER`, `musetalk train sync` */
export function trainCommand(): Command {
  const command = new Command('train')
    .summary('train a model, or tune mini on one person')
    .description(
      'Train mini, the UNet of MuseTalk 1.0 or 1.5, or a sync net, as a YAML file says: in our own form, or upstream’s stage1.yaml and stage2.yaml. The output folder becomes a model for "dub --model". A run that was stopped goes on with the same command.',
    )
    .argument('[config]', 'YAML file')
    // Not required for commander, which would ask the commands inside for it too.
    .option('-o, --output <dir>', 'folder of the model, its checkpoints and its report; must be given')
    .enablePositionalOptions();
  addFlags(command, trainFlags);
  addMessageFlags(command);
  examples(command, [
    ['musetalk train prepare videos -o data', 'any videos to training data'],
    ['musetalk train config.yaml --data data -o model', ''],
    ['musetalk train --from mini --clip me.mp4 -o me', 'tunes mini on one person, in minutes'],
    ['musetalk dub face.mp4 speech.wav -o out.mp4 --model me', 'uses what was trained'],
  ]);
  command.addCommand(prepareCommand());
  command.addCommand(syncCommand());
  return command.action((config: string | undefined) =>
    perform(command, async (context) => {
      const flags = readFlags(command, trainFlags) as TrainFlags;
      const { output } = command.opts<{ output?: string }>();
      if (output === undefined) {
        throw new MuseTalkError('BAD_OPTION', "required option '-o, --output <dir>' not specified", {
          hint: 'See: musetalk help train',
        });
      }
      await runTraining(config, flags, output, context);
    }),
  );
}

function prepareCommand(): Command {
  const command = new Command('prepare')
    .summary('make training data of videos')
    .description(
      'Make training data of every video under a folder: 25 frames a second, the face cut out by landmarks, with its sound. Videos that cannot be used are named and skipped. Run it again to go on, or after adding videos.',
    )
    .argument('<folder>', 'folder with videos, or one video')
    .requiredOption('-o, --output <dir>', 'folder of the data');
  addFlags(command, prepareSettings);
  addMessageFlags(command);
  examples(command, [['musetalk train prepare videos -o data', '']]);
  return command.action((folder: string) =>
    perform(command, async ({ messages, signal }) => {
      const { prepareData } = await import('../../train/data/prepare.ts');
      const { output } = command.opts<{ output: string }>();
      const settings = prepareSettings.parse(readFlags(command, prepareSettings)) as PrepareSettings;
      const report = await prepareData(folder, output, settings, {
        signal,
        onProgress: (progress) => messages.progress(preparing(progress)),
        onSkipped: (video, reason) =>
          messages.warning(reason.includes(video) ? reason : `${video}: ${reason}`),
      });
      const { clips, seconds, speakers, skipped } = report;
      const left = skipped.length > 0 ? `, ${skipped.length} videos skipped` : '';
      messages.result(
        report,
        `${output}: ${clips} clips of ${speakers} speakers, ${clock(seconds)} in all${left}`,
      );
    }),
  );
}

function syncCommand(): Command {
  const command = new Command('sync')
    .summary('train a sync net on the same data')
    .description(
      'Train a small sync net of our own, which tells whether lips and sound agree. It stands in for upstream’s in the second stage of 1.5: name its folder as "syncNet" in the configuration.',
    )
    .argument('[config]', 'YAML file with "train: sync"')
    .requiredOption('-o, --output <dir>', 'folder of the sync net');
  const flags = trainFlags.omit({ train: true, from: true, clip: true });
  addFlags(command, flags);
  addMessageFlags(command);
  examples(command, [['musetalk train sync --data data -o sync', '']]);
  return command.action((config: string | undefined) =>
    perform(command, async (context) => {
      const given = { ...readFlags(command, flags), train: 'sync' } as TrainFlags;
      await runTraining(config, given, command.opts<{ output: string }>().output, context);
    }),
  );
}

async function runTraining(
  path: string | undefined,
  flags: TrainFlags,
  output: string,
  { messages, signal }: Context,
): Promise<void> {
  const { config, notes } = path === undefined ? NOTHING : parseTrainConfig(await readText(path), path);
  for (const note of notes) messages.warning(note);
  const { train } = await import('../../train/train.ts');
  const report = await train(
    { config, flags, output },
    {
      signal,
      ...{ maxMinutes: flags.maxMinutes, threads: flags.threads },
      onProgress: (progress) => messages.progress(training(progress)),
      onPrepare: (progress) => messages.progress(preparing(progress)),
      onNote: (note) => messages.note(note),
    },
  );
  tell(report, messages);
}

const NOTHING = { config: {}, notes: [] };

function preparing({ done, total, video }: { done: number; total: number; video: string }): Progress {
  return { stage: 'prepare', title: 'preparing videos', done, total, details: video ? [video] : [] };
}

/** Step, losses, samples a second and time left. */
function training({ part, update, updates, values, samplesPerSecond, secondsLeft }: TrainProgress): Progress {
  const losses = Object.entries(values).map(([name, value]) => `${name} ${value.toPrecision(3)}`);
  return {
    ...{ stage: part, title: `training ${part}`, done: update, total: updates },
    details: [...losses, `${samplesPerSecond.toPrecision(3)} samples/s`, `${clock(secondsLeft)} left`],
    values: { ...values, samplesPerSecond, secondsLeft },
  };
}

function tell(report: TrainReport, messages: Messages): void {
  const made = Object.entries(report.updates).map(([part, count]) => `${part} ${count}`);
  const lines = [
    `${report.output}: ${report.train}, updates: ${made.join(', ')}`,
    `curves and pictures: ${report.report}`,
    ...(report.finished ? [] : ['not finished: run the same command again to go on']),
  ];
  messages.result(report, lines.join('\n'));
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause) => {
    throw new MuseTalkError('NOT_FOUND', `cannot read ${path}`, {
      hint: 'Name a YAML file with the settings of a training.',
      facts: { path },
      cause,
    });
  });
}
