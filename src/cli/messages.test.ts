import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MuseTalkError } from '../core/errors.ts';
import { type MessageOptions, Messages } from './messages.ts';
import { bytes, clock, duration, rate, table } from './words.ts';

function spoken(options: MessageOptions, { isTTY = false, columns = 40 } = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const messages = new Messages(options, {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => err.push(text), isTTY, columns },
  });
  return { messages, out, err };
}

const draw = (done: number) => ({ stage: 'draw', title: 'drawing', done, total: 100 });

test('where there is no terminal, a stage is one line and not one for each frame', () => {
  const { messages, out, err } = spoken({});
  for (let i = 1; i <= 100; i++) messages.progress(draw(i));
  messages.progress({ stage: 'write', done: 0 });
  assert.deepEqual(err, ['drawing  1 of 100  1 %\n', 'write\n']);
  assert.deepEqual(out, []);
});

test('on a terminal one line is kept up to date, never wraps, and gives way to warnings', () => {
  const { messages, err } = spoken({}, { isTTY: true, columns: 30 });
  messages.progress({ ...draw(1), title: 'a title that is far longer than the terminal is wide' });
  messages.progress(draw(100));
  messages.warning('look');
  assert.equal(err[0], '\r\x1b[Ka title that is far longer th');
  assert.ok(err[1]!.startsWith('\r\x1b[Kdrawing  100 of 100  100 %'), err[1]);
  assert.deepEqual(err.slice(2), ['\r\x1b[K', 'warning: look\n']);
});

test('programs get everything as JSON lines on stdout, and nothing on stderr', () => {
  const { messages, out, err } = spoken({ json: true });
  messages.progress(draw(1));
  messages.progress(draw(100));
  messages.warning('look');
  messages.note('for people');
  messages.result({ output: 'a.mp4' }, 'for people');
  messages.error(new MuseTalkError('NO_FACE', 'nobody', { hint: 'look', facts: { frames: 3 } }));
  messages.error(new Error('a fault'));
  messages.interrupted('SIGINT', 130);
  const events = out.map((line) => JSON.parse(line));
  assert.deepEqual(events, [
    { event: 'progress', stage: 'draw', done: 1, total: 100 },
    { event: 'progress', stage: 'draw', done: 100, total: 100 },
    { event: 'warning', message: 'look' },
    { event: 'result', output: 'a.mp4' },
    { event: 'error', code: 'NO_FACE', message: 'nobody', hint: 'look', facts: { frames: 3 }, exit: 4 },
    { event: 'error', code: 'INTERNAL', message: 'a fault', hint: events[5].hint, exit: 70 },
    { event: 'interrupted', signal: 'SIGINT', exit: 130 },
  ]);
  assert.deepEqual(err, []);
});

test('--quiet leaves the result and errors', () => {
  const { messages, out, err } = spoken({ quiet: true }, { isTTY: true });
  messages.progress(draw(1));
  messages.warning('look');
  messages.note('by the way');
  messages.result({}, 'done');
  messages.error(new MuseTalkError('NO_FACE', 'nobody', { hint: 'look elsewhere' }));
  assert.deepEqual(out, ['done\n']);
  assert.deepEqual(err, ['error: nobody\n', 'hint: look elsewhere\n']);
});

test('--debug adds the trace and the cause', () => {
  const { messages, err } = spoken({ debug: true });
  messages.error(new MuseTalkError('NO_FACE', 'nobody', { cause: new Error('deeper') }));
  assert.match(err.join(''), /messages\.test\.ts:\d+/);
  assert.match(err.join(''), /deeper/);
});

test('numbers read as people say them', () => {
  assert.deepEqual([0, 999, 1000, 151_095_027, 999_900_000, 3_400_074_924].map(bytes), [
    '0 bytes',
    '999 bytes',
    '1.00 kB',
    '151 MB',
    '1.00 GB',
    '3.40 GB',
  ]);
  assert.deepEqual([0, 5.2, 59.5, 3599.2, 3600, 36_061].map(clock), [
    '0:00',
    '0:06',
    '1:00',
    '1:00:00',
    '1:00:00',
    '10:01:01',
  ]);
  assert.deepEqual([0.123, 12.34, 300].map(duration), ['0.12 s', '12.3 s', '5:00']);
  assert.deepEqual([rate(12.345, 'frames'), rate(2_500_000, 'bytes')], ['12.3 fps', '2.50 MB/s']);
  assert.equal(
    table([
      ['a', 'bb'],
      ['ccc', 'd'],
    ]),
    'a    bb\nccc  d',
  );
});
