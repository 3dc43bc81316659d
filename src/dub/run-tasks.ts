/** Upstream's batch: the tasks of a file, one after another. */
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { LipModel } from '../lips/lip-model.ts';
import { checkOptions } from '../options/check.ts';
import { type DubSettings, dubSettings } from '../options/dub.ts';
import type { Task } from '../options/tasks.ts';
import { type DubReport, dub } from './dub.ts';
import { openDubModel } from './models.ts';
import type { DubRun } from './prepare-dub.ts';

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
  const models = new SharedModel(run.model);
  try {
    for (const task of tasks) {
      const output = join(results, resultName(task, used));
      const { bboxShift = settings.bboxShift } = task;
      try {
        const own = { ...settings, ...(bboxShift !== undefined && { bboxShift }) };
        const model = await models.open(own);
        const files = { video: task.video, sound: task.sound, output };
        const report = await dub({ ...own, ...files }, { ...run, model });
        yield { task, output, report };
      } catch (error) {
        run.signal?.throwIfAborted();
        yield { task, output, error };
      }
    }
  } finally {
    await models.close();
  }
}

/** Loads a model for a task, and keeps it for the next ones as long as they have the same settings. */
export class SharedModel {
  readonly #given: LipModel | undefined;
  #loaded: { settings: string; model: LipModel } | undefined;

  constructor(given: LipModel | undefined) {
    this.#given = given;
  }

  async open(settings: Partial<DubSettings>): Promise<LipModel> {
    if (this.#given) return this.#given;
    const text = JSON.stringify(settings);
    if (this.#loaded?.settings !== text) {
      await this.close();
      this.#loaded = { settings: text, model: await openDubModel(checkOptions(dubSettings, settings)) };
    }
    return this.#loaded!.model;
  }

  async close(): Promise<void> {
    await this.#loaded?.model.close();
    this.#loaded = undefined;
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
