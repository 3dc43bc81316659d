/** Upstream's batch: the tasks of a file, one after another. */
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DubSettings } from '../options/dub.ts';
import type { Task } from '../options/tasks.ts';
import { type DubReport, type DubRun, dub } from './dub.ts';

/** What became of one task: a report or an error. */
export interface TaskResult {
  readonly task: Task;
  readonly output: string;
  readonly report?: DubReport;
  readonly error?: unknown;
}

/** Where the results of tasks go, and what holds for all of them. */
export interface RunTasksOptions {
  /** Folder of the results; made if needed. */
  readonly results: string;
  /** Settings of all tasks; a task's own come first. */
  readonly settings: Partial<DubSettings>;
}

/**
 * Runs tasks in order. A task that fails is told and does not stop the others; an abort stops all.
 *
 * @throws the signal's reason after an abort.
 */
export async function* runTasks(
  tasks: readonly Task[],
  { results, settings }: RunTasksOptions,
  run: DubRun = {},
): AsyncGenerator<TaskResult, void, undefined> {
  await mkdir(results, { recursive: true });
  const used = new Set<string>();
  for (const task of tasks) {
    const output = join(results, resultName(task, used));
    const { bboxShift = settings.bboxShift } = task;
    try {
      const files = { video: task.video, sound: task.sound, output };
      const report = await dub({ ...settings, ...(bboxShift !== undefined && { bboxShift }), ...files }, run);
      yield { task, output, report };
    } catch (error) {
      run.signal?.throwIfAborted();
      yield { task, output, error };
    }
  }
}

/** Upstream's name, VIDEO_SOUND.mp4, or the task's own; a name that another task has gets the task's name too. */
function resultName({ name, video, sound, resultName }: Task, used: Set<string>): string {
  const stem = (path: string) => basename(path).replace(/\.[^.]+$/, '');
  const wanted = resultName === undefined ? `${stem(video)}_${stem(sound)}.mp4` : basename(resultName);
  const free = used.has(wanted) ? wanted.replace(/(\.[^.]+)?$/, `_${basename(name)}$1`) : wanted;
  used.add(free);
  return free;
}
