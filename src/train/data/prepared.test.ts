import assert from 'node:assert/strict';
import { appendFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratch } from '../../../test/media-fixtures.ts';
import { image } from '../../image/image.ts';
import { Random } from '../random.ts';
import { PackedPictures, writePictures } from './packed-pictures.ts';
import { appendToIndex, readClips, readIndex, splitClips } from './prepared.ts';
import { changedSound } from './sound-changes.ts';
import { readWav, writeWav } from './wav.ts';

async function* given<T>(...items: T[]): AsyncGenerator<T> {
  yield* items;
}

test('pictures of one file are read one at a time, and a file that was cut off says so', async (t) => {
  const path = join(await scratch(t), 'faces.pictures');
  const pictures = [10, 120, 250].map((value, i) => {
    const picture = image(20 + i, 16, 3);
    picture.data.fill(value);
    return picture;
  });
  assert.equal(await writePictures(path, given(...pictures)), 3);
  for (const i of [2, 0, 1]) {
    const { width, height, data } = await new PackedPictures(path).read(i);
    assert.deepEqual([width, height], [20 + i, 16]);
    assert.ok(data.every((value) => Math.abs(value - pictures[i]!.data[0]!) <= 2));
  }
  await assert.rejects(new PackedPictures(path).read(3), { code: 'BAD_FILE' });
  await truncate(path, 100);
  await assert.rejects(new PackedPictures(path).read(0), { code: 'BAD_FILE' });
});

test('sounds come back as they were, cut or filled up to their length', async (t) => {
  const path = join(await scratch(t), 'a.wav');
  await writeWav(path, given(Float32Array.of(0, 0.5, -0.25), Float32Array.of(2, -2)), 7);
  const back = await readWav(path);
  assert.deepEqual([...back], [0, 0.5, -0.25, 32767 / 32768, -1, 0, 0]);
});

test('an index survives a line that was cut off, and a later line replaces an earlier one', async (t) => {
  const data = await scratch(t);
  const clip = { clip: 'a', speaker: 's', video: 'a.mp4', first: 0, frames: 30 };
  const whole = { ...clip, width: 64, height: 48, faceWidth: 20, sound: true };
  await appendToIndex(data, [{ video: 'a.mp4', size: 1, modified: 1, skipped: 'no face', code: 'NO_FACE' }]);
  await appendFile(join(data, 'index.jsonl'), '{"clip":"b","vid');
  // Its clips were written, but not the line that says that all of them were.
  await appendToIndex(data, [{ ...whole, clip: 'c', video: 'c.mp4' }]);
  await assert.rejects(readClips(data), { code: 'NOT_FOUND' });
  await appendToIndex(data, [whole, { video: 'a.mp4', size: 1, modified: 1, clips: ['a'] }]);
  assert.deepEqual(await readClips(data), [whole]);
  assert.equal((await readIndex(data)).videos.get('a.mp4')!.skipped, undefined);
});

test('the same clips are held back whatever lies beside them, at least one and not all', () => {
  const clips = Array.from({ length: 200 }, (_, i) => ({ clip: `clip-${i}` }));
  const { learned, heldBack } = splitClips(clips, 0.1);
  assert.equal(learned.length + heldBack.length, 200);
  assert.ok(heldBack.length > 8 && heldBack.length < 35, `${heldBack.length}`);
  const fewer = splitClips(clips.slice(0, 100), 0.1).heldBack;
  assert.deepEqual(
    fewer,
    heldBack.filter((clip) => clips.indexOf(clip) < 100),
  );
  assert.equal(splitClips(clips.slice(0, 2), 0.01).heldBack.length, 1);
  assert.equal(splitClips(clips.slice(0, 2), 0.99).heldBack.length, 1);
  assert.equal(splitClips(clips.slice(0, 1), 0.5).heldBack.length, 0);
});

test('a changed sound is another one each time, finite, and says how fast it is spoken', () => {
  const samples = Float32Array.from({ length: 16000 }, (_, i) => 0.3 * Math.sin(i / 10));
  const [a, b] = [changedSound(samples, new Random(1)), changedSound(samples, new Random(2))];
  assert.notEqual(a.speed, b.speed);
  for (const { samples: changed, speed } of [a, b]) {
    assert.ok(changed.every(Number.isFinite));
    assert.ok(Math.abs(changed.length * speed - 16000) < 2);
  }
  assert.deepEqual(changedSound(samples, new Random(1)), a);
});
