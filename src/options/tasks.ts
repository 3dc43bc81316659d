/** Upstream's task file: names of tasks, and for each its files and settings. */
import { z } from 'zod';
import { MuseTalkError } from '../core/errors.ts';
import { plainYaml } from './plain-yaml.ts';

/** One task; `bbox_shift` and `result_name` are optional. */
const task = z.strictObject({
  video_path: z.string().min(1),
  audio_path: z.string().min(1),
  bbox_shift: z.int().min(-100).max(100).nullish(),
  /** File name of the result. */
  result_name: z.string().min(1).nullish(),
});

/** One task of a file of tasks. */
export interface Task {
  /** Its key in the file: `task_0`. */
  readonly name: string;
  readonly video: string;
  readonly sound: string;
  readonly bboxShift: number | undefined;
  readonly resultName: string | undefined;
}

const HINT =
  'Write for each task: name, then indented video_path and audio_path, and if wanted bbox_shift and result_name.';

/** Tasks of one file. */
const MOST = 10_000;

/**
 * The tasks in the text of a YAML file, in its order.
 *
 * @throws MuseTalkError BAD_FILE when it is no such YAML, BAD_OPTION when a task has unknown or missing keys.
 */
export function parseTasks(text: string, path = 'the task file'): Task[] {
  const tasks = z.record(z.string(), z.unknown()).safeParse(plainYaml(text, path, HINT));
  if (!tasks.success) throw bad('BAD_FILE', `${path} is not a mapping of task names to tasks`, tasks.error);
  const entries = Object.entries(tasks.data);
  if (entries.length === 0) throw bad('BAD_FILE', `${path} holds no task`);
  if (entries.length > MOST)
    throw bad('BAD_FILE', `${path} holds ${entries.length} tasks, more than ${MOST}`);
  return entries.map(([name, value]) => {
    const read = task.safeParse(value);
    if (!read.success) {
      const [first] = read.error.issues;
      throw bad(
        'BAD_OPTION',
        `${path}: ${name}: ${first!.path.join('.')} ${first!.message}`.trim(),
        read.error,
      );
    }
    const { video_path, audio_path, bbox_shift, result_name } = read.data;
    return {
      ...{ name, video: video_path, sound: audio_path },
      ...{ bboxShift: bbox_shift ?? undefined, resultName: result_name ?? undefined },
    };
  });
}

function bad(code: 'BAD_FILE' | 'BAD_OPTION', message: string, cause?: unknown): MuseTalkError {
  return new MuseTalkError(code, message, {
    hint: HINT,
    cause,
  });
}
