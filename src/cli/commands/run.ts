import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { MuseTalkError } from '../../core/errors.ts';
import { checkOptions } from '../../options/check.ts';
import { dubSettings } from '../../options/dub.ts';
import { addFlags, readFlags } from '../flags.ts';
import { examples } from '../help.ts';
import { addMessageFlags } from '../messages.ts';
import { exitCodeOf, perform } from '../perform.ts';
import { dubProgress, summaryOf } from './dub.ts';

/** `musetalk run TASKS` */
export function runCommand(): Command {
  const command = new Command('run')
    .summary("dub all tasks of a file in upstream's format")
    .description(
      "Dub all tasks of a YAML file in upstream's format, one after another:\n\n" +
        '  task_0:\n    video_path: face.mp4\n    audio_path: speech.wav\n    bbox_shift: 0         # optional\n    result_name: out.mp4  # optional\n\n' +
        'A task that fails does not stop the others; the exit code is then that of the last failure.',
    )
    .argument('<tasks>', 'YAML file')
    .option('--result-dir <dir>', 'folder of the results', './results');
  addFlags(command, dubSettings);
  addMessageFlags(command);
  examples(command, [['musetalk run tasks.yaml --result-dir results --batch-size 16', '']]);
  return command.action((path: string) =>
    perform(command, async ({ messages, signal }) => {
      const { parseTasks } = await import('../../options/tasks.ts');
      const { runTasks } = await import('../../dub/run-tasks.ts');
      const { resultDir } = command.opts<{ resultDir: string }>();
      const settings = checkOptions(dubSettings, readFlags(command, dubSettings));
      const tasks = parseTasks(await readTasks(path), path);
      let current = 0;
      const run = {
        signal,
        onProgress: (progress: Parameters<typeof dubProgress>[0]) => {
          const { title, ...rest } = dubProgress(progress);
          messages.progress({ ...rest, title: `task ${current + 1} of ${tasks.length}: ${title}` });
        },
        onWarning: (warning: string) => messages.warning(`${tasks[current]!.name}: ${warning}`),
      };
      for await (const { task, report, error } of runTasks(tasks, { results: resultDir, settings }, run)) {
        current++;
        if (report) messages.result({ task: task.name, ...report }, `${task.name}: ${summaryOf(report)}`);
        else {
          messages.warning(`${task.name} failed`);
          messages.error(error);
          process.exitCode = exitCodeOf(error);
        }
      }
    }),
  );
}

async function readTasks(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause) => {
    throw new MuseTalkError('NOT_FOUND', `cannot read ${path}`, {
      hint: 'Name a YAML file with tasks.',
      facts: { path },
      cause,
    });
  });
}
