import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { colours, make, scratch, tone } from '../../test/media-fixtures.ts';
import { plainModel } from '../../test/plain-model.ts';
import { writeImage } from '../media/write-frames.ts';
import type { Task } from '../options/tasks.ts';
import { runTasks, type TaskResult } from './run-tasks.ts';

test('tasks run in order, each under its own name, and one that fails does not stop the others', async (t) => {
  const root = await scratch(t);
  const video = join(root, 'talk.v1');
  await mkdir(video);
  let index = 0;
  for await (const picture of colours(2)) await writeImage(join(video, `${index++}.png`), picture);
  const sound = await make(join(root, 'speech.wav'), ...tone({ seconds: 0.2 }));
  const coords = join(root, 'coords.json');
  await writeFile(coords, '[[8,8,40,40],[8,8,40,40]]');
  const task = (name: string, change: Partial<Task> = {}): Task => ({
    ...{ name, video, sound, bboxShift: undefined, resultName: undefined },
    ...change,
  });
  const tasks = [
    task('task_0'),
    task('task_1', { sound: join(root, 'missing.wav') }),
    task('task_2', { resultName: '../named.mp4' }),
    task('task_3'),
  ];
  const results: TaskResult[] = [];
  const options = { results: join(root, 'results'), settings: { coords } };
  for await (const result of runTasks(tasks, options, { model: plainModel() })) results.push(result);

  assert.deepEqual(
    results.map(({ task, error }) => [task.name, (error as { code?: string } | undefined)?.code]),
    [
      ['task_0', undefined],
      ['task_1', 'NOT_FOUND'],
      ['task_2', undefined],
      ['task_3', undefined],
    ],
  );
  const written = await readdir(join(root, 'results'));
  assert.deepEqual(written.sort(), ['named.mp4', 'talk_speech.mp4', 'talk_speech_task_3.mp4']);
});

test('an abort stops all tasks', async (t) => {
  const root = await scratch(t);
  const tasks = ['a', 'b'].map((name) => ({
    ...{ name, video: 'x', sound: 'y' },
    bboxShift: undefined,
    resultName: undefined,
  }));
  const signal = AbortSignal.abort(new Error('enough'));
  const run = runTasks(tasks, { results: root, settings: {} }, { signal });
  await assert.rejects(run.next(), /enough/);
});
