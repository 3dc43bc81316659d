import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goldenSignal } from '../../test/sound.ts';
import { LogMelStream, logMel, logMelOfBlock, MEL_BANDS } from './mel.ts';

test('there is one column for each whole 10 ms', () => {
  for (const [samples, columns] of [
    [201, 1],
    [319, 1],
    [320, 2],
    [16077, 100],
  ] as const) {
    assert.deepEqual(logMel(new Float32Array(samples)).shape, [MEL_BANDS, columns]);
  }
});

test('a sound too short to be mirrored is refused with its length', () => {
  assert.throws(() => logMel(new Float32Array(200)), { code: 'NO_SOUND', message: /200 samples/ });
});

test('a block of more than 30 seconds is refused', () => {
  assert.throws(() => logMelOfBlock(new Float32Array(480001)), /480000 samples, not 480001/);
});

test('the pieces in which a sound arrives do not matter', () => {
  const samples = goldenSignal(5000);
  const whole = new LogMelStream();
  const expected = [...whole.push(samples), ...whole.end()];
  for (const piece of [1, 7, 160, 199, 201, 1024]) {
    const stream = new LogMelStream();
    const columns: number[] = [];
    for (let i = 0; i < samples.length; i += piece)
      columns.push(...stream.push(samples.subarray(i, i + piece)));
    columns.push(...stream.end());
    assert.deepEqual(columns, expected, `pieces of ${piece}`);
    assert.equal(stream.maximum, whole.maximum);
  }
});

test('a tone of 1000 Hz is loudest in the band about 1000 Hz', () => {
  const tone = Float32Array.from({ length: 4000 }, (_, i) => Math.sin((2 * Math.PI * i * 1000) / 16000));
  const { data, shape } = logMel(tone);
  const values = Array.from({ length: MEL_BANDS }, (_, band) => data[band * shape[1]! + 12]!);
  const loudest = values.indexOf(Math.max(...values));
  // The bands' centres lie 45.245 / 81 mel apart, and 1000 Hz are 15 mel: between centres 26 and 27.
  assert.ok(loudest === 25 || loudest === 26, `band ${loudest}`);
});
