import { Command } from 'commander';
import { dub } from '../../dub/dub.ts';
import { type DubInput, dubSettings } from '../../options/dub.ts';
import { addFlags, readFlags } from '../flags.ts';
import { interruption, progressLine } from '../report.ts';

/** `musetalk dub VIDEO SOUND -o OUT` */
export function dubCommand(): Command {
  const command = new Command('dub')
    .description('Write a video whose mouth says a sound')
    .argument('<video>', 'video, picture or folder of pictures that shows the face')
    .argument('<sound>', 'sound, or video with the sound')
    .requiredOption('-o, --output <file>', 'video to write: .mp4, .mov, .mkv or .webm')
    .option('--json', 'print a report as JSON')
    .option('--debug', 'print everything that is known about an error');
  addFlags(command, dubSettings);
  return command.action(async (video: string, sound: string) => {
    const { output, json } = command.opts<{ output: string; json?: boolean }>();
    const line = progressLine();
    try {
      const report = await dub(
        { ...(readFlags(command, dubSettings) as Partial<DubInput>), video, sound, output },
        {
          signal: interruption(),
          onProgress: line.listen,
          onWarning: (warning) => {
            line.clear();
            console.error(`warning: ${warning}`);
          },
        },
      );
      line.clear();
      if (json) console.log(JSON.stringify(report, undefined, 2));
      else console.error(`${report.output}: ${report.frameCount} frames, ${report.duration.toFixed(2)} s`);
    } finally {
      line.clear();
    }
  });
}
