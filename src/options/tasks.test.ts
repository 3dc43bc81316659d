import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTasks } from './tasks.ts';

test("upstream's task file is read in its order", () => {
  const tasks = parseTasks(`
task_0:
 video_path: "data/video/yongen.mp4"
 audio_path: "data/audio/yongen.wav"
 bbox_shift: -7

task_1:
  video_path: data/video/sun.mp4
  audio_path: data/audio/sun.wav
  result_name: sun.mp4
`);
  assert.deepEqual(tasks, [
    {
      name: 'task_0',
      video: 'data/video/yongen.mp4',
      sound: 'data/audio/yongen.wav',
      bboxShift: -7,
      resultName: undefined,
    },
    {
      name: 'task_1',
      video: 'data/video/sun.mp4',
      sound: 'data/audio/sun.wav',
      bboxShift: undefined,
      resultName: 'sun.mp4',
    },
  ]);
});

const files = 'video_path: a, audio_path: b';
const bomb = [
  'a: &a ["x","x","x","x","x","x","x","x","x","x"]',
  ...['b', 'c', 'd', 'e', 'f'].map(
    (name, i) => `${name}: &${name} [${Array(10).fill(`*${'abcde'[i]}`).join(',')}]`,
  ),
].join('\n');

const refused: [string, string, RegExp][] = [
  ['a list', '- 1', /not a mapping/],
  ['nothing', '', /not a mapping|no task/],
  ['an unknown key', `t: {${files}, evil: 1}`, /evil/],
  ['a missing key', 't: {video_path: a}', /audio_path/],
  ['a shift that is no number', `t: {${files}, bbox_shift: "7"}`, /bbox_shift/],
  ['a merge key', `base: &base {${files}}\nt: {<<: *base}`, /video_path/],
  ['a key twice', `t: {${files}}\nt: {${files}}`, /unique/i],
  ['a tag that makes an object', `t: !!js/function "x"`, /tag/i],
  ['aliases that grow without end', bomb, /alias/i],
  ['broken syntax', 't: {', /YAML/],
];

for (const [what, text, message] of refused) {
  test(`${what} is refused`, () => assert.throws(() => parseTasks(text), message));
}

test('a name from the prototype is a name like any other', () => {
  const tasks = parseTasks(`"__proto__": {${files}}\nconstructor: {${files}}`);
  assert.ok(tasks.some(({ name }) => name === 'constructor'));
  assert.equal(({} as Record<string, unknown>).video_path, undefined);
});

test('text nested ten thousand deep is refused and ends nothing', () => {
  assert.throws(() => parseTasks(`t: ${'['.repeat(10_000)}${']'.repeat(10_000)}`));
});
