import { Command } from 'commander';
import type { DubReport } from '../../dub/dub.ts';
import type { DubProgress, DubStage } from '../../dub/progress.ts';
import { type DubInput, dubSettings } from '../../options/dub.ts';
import { addFlags, readFlags } from '../flags.ts';
import { examples } from '../help.ts';
import { addMessageFlags, type Progress } from '../messages.ts';
import { perform } from '../perform.ts';
import { duration, rate } from '../words.ts';

/** `musetalk dub VIDEO SOUND -o OUT` */
export function dubCommand(): Command {
  const command = new Command('dub')
    .summary('write a video whose mouth says a sound')
    .description('Write a video whose mouth says a sound.')
    .argument('<video>', 'video, picture or folder of pictures that shows the face')
    .argument('<sound>', 'sound, or video with the sound')
    .requiredOption('-o, --output <file>', 'video to write: .mp4, .mov, .mkv or .webm');
  addFlags(command, dubSettings);
  addMessageFlags(command);
  examples(command, [
    ['musetalk dub face.mp4 speech.wav -o out.mp4', ''],
    ['musetalk dub portrait.png speech.mp3 -o out.mp4 --fps 30', 'a picture speaks'],
    ['musetalk dub two.mp4 speech.wav -o out.mp4 --face left', 'the left one of several faces'],
    ['musetalk dub long.mp4 long.wav -o out.mp4 --resume', 'can be interrupted and continued'],
  ]);
  return command.action((video: string, sound: string) =>
    perform(command, async ({ messages, signal }) => {
      const { dub } = await import('../../dub/dub.ts'); // heavy, and not needed for help
      const { output } = command.opts<{ output: string }>();
      const settings = readFlags(command, dubSettings) as Partial<DubInput>;
      const report = await dub(
        { ...settings, video, sound, output },
        {
          signal,
          onProgress: (progress) => messages.progress(dubProgress(progress)),
          onWarning: (warning) => messages.warning(warning),
        },
      );
      messages.result(report, summaryOf(report));
    }),
  );
}

const TITLES: Readonly<Record<DubStage, string>> = {
  open: 'reading',
  load: 'loading networks',
  faces: 'finding faces',
  prepare: 'preparing faces',
  draw: 'drawing',
  write: 'writing',
};

/** The progress of a dub as the command line tells it. */
export function dubProgress({ stage, done, total }: DubProgress): Progress {
  return { stage, title: TITLES[stage], done, total, unit: 'frames' };
}

/** One line: what was written, how long it is, and how long each stage took. */
export function summaryOf({ output, frameCount, duration: length, seconds, withoutFace }: DubReport): string {
  const stages = Object.entries(seconds);
  const whole = stages.reduce((sum, [, spent]) => sum + spent, 0);
  const each = stages.map(([stage, spent]) => `${stage} ${duration(spent)}`).join(', ');
  const missed = withoutFace > 0 ? `, ${withoutFace} source frames without a face` : '';
  return [
    `${output}: ${frameCount} frames, ${duration(length)}${missed}`,
    `took ${duration(whole)}, ${rate(frameCount / whole, 'frames')} in all (${each})`,
  ].join('\n');
}
