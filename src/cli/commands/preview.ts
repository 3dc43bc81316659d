import { Command } from 'commander';
import { checkFree } from '../../media/output.ts';
import { checkOptions } from '../../options/check.ts';
import { previewSettings } from '../../options/preview.ts';
import { addFlags, readFlags } from '../flags.ts';
import { examples } from '../help.ts';
import { addMessageFlags } from '../messages.ts';
import { perform } from '../perform.ts';

/** `musetalk preview VIDEO -o OUT.png` */
export function previewCommand(): Command {
  const command = new Command('preview')
    .summary('show on one frame what a dub would do')
    .description(
      'Write one frame as a picture, with what a dub would do there: red what may change, green the box that is cut out, yellow the line below which it is drawn anew, blue the landmarks. No lip model is needed.',
    )
    .argument('<video>', 'video, picture or folder of pictures that shows the face')
    .requiredOption('-o, --output <file>', 'picture to write (PNG)');
  addFlags(command, previewSettings);
  addMessageFlags(command);
  examples(command, [
    ['musetalk preview face.mp4 -o preview.png', ''],
    ['musetalk preview face.mp4 -o preview.png --time 12.5 --bbox-shift -7', ''],
    ['musetalk preview face.mp4 -o sheet.png --sweep', 'which values of --bbox-shift make sense'],
  ]);
  return command.action((video: string) =>
    perform(command, async ({ messages, signal }) => {
      const { preview } = await import('../../dub/preview.ts');
      const { writeImage } = await import('../../media/write-frames.ts');
      const { output } = command.opts<{ output: string }>();
      const settings = checkOptions(previewSettings, readFlags(command, previewSettings));
      await checkFree(output, settings.overwrite);
      const onProgress = ({ done, total }: { done: number; total: number }) =>
        messages.progress({ stage: 'faces', title: 'finding faces', done, total, unit: 'frames' });
      const { picture, ...facts } = await preview(video, settings, { signal, onProgress });
      for (const warning of facts.warnings) messages.warning(warning);
      await writeImage(output, picture);
      const { box, range, framesSeen, frame, mask, drawnBy } = facts;
      const lines = [
        `${output}: frame ${frame}, box ${box.x1},${box.y1} … ${box.x2},${box.y2}, mask from ${mask}`,
        ...(drawnBy === 'mini' && settings.bboxShift !== 0 ? ['mini has no use for --bbox-shift'] : []),
        `Total frame: ${framesSeen}  Manually adjust range: [ ${range.lowest} ~ ${range.highest} ], the current value: ${settings.bboxShift}`,
      ];
      messages.result({ output, bboxShift: settings.bboxShift, ...facts }, lines.join('\n'));
    }),
  );
}
