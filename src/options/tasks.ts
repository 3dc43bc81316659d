/** Upstream's task file: names of tasks, and for each its files and settings. */
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { MuseTalkError } from '../core/errors.ts';

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

/** Characters of a task file; ten thousand tasks fit. */
const LONGEST = 4 * 2 ** 20;

/** Tasks of one file. */
const MOST = 10_000;

/**
 * The tasks in the text of a YAML file, in its order. YAML's core schema alone is read: no tags that make objects,
 * no merge keys, at most a hundred uses of aliases, no key twice.
 *
 * @throws MuseTalkError BAD_FILE when it is no such YAML, BAD_OPTION when a task has unknown or missing keys.
 */
export function parseTasks(text: string, path = 'the task file'): Task[] {
  const tasks = z.record(z.string(), z.unknown()).safeParse(plainYaml(text, path));
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

function plainYaml(text: string, path: string): unknown {
  if (text.length > LONGEST) throw bad('BAD_FILE', `${path} is longer than ${LONGEST} characters`);
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { schema: 'core', merge: false, uniqueKeys: true, lineCounter });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) throw bad('BAD_FILE', `${path} is not YAML: ${problem.message.split('\n')[0]}`, problem);
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw bad('BAD_FILE', `${path} is not YAML that is read here: ${(cause as Error).message}`, cause);
  }
}

function bad(code: 'BAD_FILE' | 'BAD_OPTION', message: string, cause?: unknown): MuseTalkError {
  return new MuseTalkError(code, message, {
    hint: 'Write for each task: name, then indented video_path and audio_path, and if wanted bbox_shift and result_name.',
    cause,
  });
}
