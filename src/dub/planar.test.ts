// A dub by a model that draws on frames as they are stored.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect, make, moving, scratch, wav, x264 } from '../../test/media-fixtures.ts';
import { plainModel } from '../../test/plain-model.ts';
import { image } from '../image/image.ts';
import { resamplePlanar } from '../image/planar.ts';
import type { LipModel } from '../lips/lip-model.ts';
import { openVideo } from '../media/open-video.ts';
import { dub } from './dub.ts';

const BOX = { x1: 20, y1: 10, x2: 44, y2: 34 };

/** The plain model, drawing grey faces, with masks that show the lower half of the box. */
function planarModel(): LipModel {
  const model = plainModel();
  const mask = () => {
    const crop = { ...BOX, y1: 22 };
    return { crop, mask: image(24, 12, 1, new Uint8Array(24 * 12).fill(255)) };
  };
  return {
    ...model,
    keeps: 'place',
    planar: {
      crop: (frame, { x1, y1 }) =>
        resamplePlanar(frame, { start: x1, step: 3 }, { start: y1, step: 3 }, 8, 8),
      mask,
    },
    mask: async () => mask(),
    generate: async ({ conditions }) =>
      Array.from(conditions.data, () => image(8, 8, 3, new Uint8Array(8 * 8 * 3).fill(200))),
  };
}

for (const matrix of ['bt709', 'smpte170m'])
  for (const range of ['tv', 'pc'])
    test(`outside the mask no number of a frame changes, inside the colour is right: ${matrix}, ${range}`, async (t) => {
      const root = await scratch(t);
      const convert = `scale=out_color_matrix=${matrix}:out_range=${range}`;
      const format = range === 'pc' ? 'yuvj420p' : 'yuv420p';
      const video = await make(
        join(root, 'video.mp4'),
        ...moving({ seconds: 0.4 }),
        ...['-vf', `${convert},format=${format}`, '-colorspace', matrix, '-color_range', range],
        ...x264.slice(0, 4),
      );
      const sound = join(root, 'sound.wav');
      await writeFile(sound, wav(Buffer.alloc(2 * 16000 * 0.4, 77)));
      const coords = join(root, 'coords.json');
      await writeFile(coords, JSON.stringify(Array(10).fill(Object.values(BOX))));
      const output = join(root, 'out.mp4');
      const options = {
        video,
        sound,
        coords,
        output,
        silence: 'model',
        crf: 0,
        preset: 'ultrafast',
      } as const;
      const report = await dub(options, { model: planarModel() });
      assert.equal(report.frameCount, 10);

      const [before, after] = [await openVideo(video), await openVideo(output)];
      assert.deepEqual(after.color, before.color);
      const frames = await collect(before.planes!());
      const grey = range === 'pc' ? 200 : Math.round(16 + (200 * 219) / 255);
      for await (const { index, data } of after.planes!()) {
        for (let y = 0; y < 48; y++) {
          for (let x = 0; x < 64; x++) {
            const inside = x >= 20 && x < 44 && y >= 22 && y < 34;
            const expected = inside ? grey : frames[index]!.data[y * 64 + x];
            assert.equal(data[y * 64 + x], expected, `frame ${index}, ${x}, ${y}`);
          }
        }
        for (let at = 64 * 48; at < data.length; at++) {
          const [x, y] = [(at - 64 * 48) % 32, Math.floor((at - 64 * 48) / 32) % 24];
          const inside = x >= 10 && x < 22 && y >= 11 && y < 17;
          assert.equal(
            data[at],
            inside ? 128 : frames[index]!.data[at],
            `colour of frame ${index}, ${x}, ${y}`,
          );
        }
      }
    });
