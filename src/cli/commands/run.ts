import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { MuseTalkError } from '../../core/errors.ts';
import { runTasks } from '../../dub/run-tasks.ts';
import { checkOptions } from '../../options/check.ts';
import { dubSettings } from '../../options/dub.ts';
import { parseTasks } from '../../options/tasks.ts';
import { addFlags, readFlags } from '../flags.ts';
import { exitCodeOf, interruption, printError, progressLine } from '../report.ts';

/** `musetalk run TASKS` */
export function runCommand(): Command {
  const command = new Command('run')
    .description(
      "Dub all tasks of a file in upstream's format (task: video_path, audio_path, bbox_shift, result_name)",
    )
    .argument('<tasks>', 'YAML file')
    .option('--result-dir <dir>', 'folder of the results', './results')
    .option('--debug', 'print everything that is known about an error');
  addFlags(command, dubSettings);
  return command.action(async (path: string) => {
    const { resultDir, debug = false } = command.opts<{ resultDir: string; debug?: boolean }>();
    const settings = checkOptions(dubSettings, readFlags(command, dubSettings));
    const text = await readFile(path, 'utf8').catch((cause) => {
      throw new MuseTalkError('NOT_FOUND', `cannot read ${path}`, { facts: { path }, cause });
    });
    const line = progressLine();
    const run = { signal: interruption(), onProgress: line.listen };
    let failed = 0;
    for await (const { task, output, error } of runTasks(
      parseTasks(text, path),
      { results: resultDir, settings },
      run,
    )) {
      line.clear();
      if (error === undefined) console.error(`${task.name}: ${output}`);
      else {
        console.error(`${task.name} failed:`);
        printError(error, { debug });
        process.exitCode = exitCodeOf(error);
        failed++;
      }
    }
    if (failed > 0) console.error(`${failed} tasks failed`);
  });
}
