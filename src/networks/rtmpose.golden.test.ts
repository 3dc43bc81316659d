// Recorded from RTMPose-l as mmpose 1.3.2 defines it, and from mmpose's own decoding (manifest: faces/rtmpose_full,
// faces/simcc_decode_*).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { readFloats } from '../../test/npy.ts';
import { readPng } from '../../test/png.ts';
import { namedShapes, readJson, seededWeights } from '../../test/seeded-network.ts';
import { golden } from '../../test/shared.ts';
import { warpAffine } from '../image/warp.ts';
import { flip, gather } from '../nn/ops/shape.ts';
import { runGraph } from '../nn/session.ts';
import { input } from '../nn/value.ts';
import { expectedWeights } from '../nn/weights.ts';
import { flipAverage, rtmpose, rtmposeInput, rtmposeWithFlip } from './rtmpose.ts';
import {
  decodeSimcc,
  FLIP_ORDER,
  frameRegion,
  INPUT_HEIGHT,
  INPUT_WIDTH,
  rtmposeAffine,
} from './rtmpose-decode.ts';

const data = golden('faces');
const read = (file: string | string[] | undefined) => readFloats(join(data.folder, String(file)));

test('the order of mirrored points is upstream’s', { skip: !data.manifest.flip_indices }, () => {
  assert.deepEqual(FLIP_ORDER, data.manifest.flip_indices);
});

for (const { name, what, params, inputs, outputs, tolerance } of data.cases.filter((recorded) =>
  recorded.name.startsWith('simcc_decode'),
)) {
  test(`${name}: ${what}`, async () => {
    const region = frameRegion(params.frame_width, params.frame_height);
    assert.deepEqual([region.centre.x, region.centre.y], params.center);
    assert.deepEqual([region.width, region.height], params.scale);
    expectClose({ data: rtmposeAffine(region) }, { data: params.matrix.flat() }, { abs: 1e-12, rel: 0 });

    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([vector, file]) => {
        const { shape, data: numbers } = read(file);
        return [vector, { dtype: 'float32', shape: [1, ...shape.slice(-2)], data: numbers } as const];
      }),
    );
    const value = (vector: string) => input(vector, ['B', ...feeds[vector]!.shape.slice(1)]);
    const average = flipAverage({ x: value('x'), y: value('y') }, { x: value('x_flip'), y: value('y_flip') });
    const results = await runGraph({ xMean: average.x, yMean: average.y }, feeds);
    const points = decodeSimcc(
      results.xMean!.data as Float32Array,
      results.yMean!.data as Float32Array,
      region,
    );
    expectClose(
      { data: points.flatMap((p) => [p.x, p.y]) },
      { data: read(outputs.keypoints).data },
      tolerance,
    );
    expectClose({ data: points.map(({ score }) => score) }, { data: read(outputs.scores).data }, tolerance);
  });
}

for (const recorded of data.cases.filter(({ name }) => name === 'rtmpose_full')) {
  const { name, what, inputs, outputs, tolerance } = recorded;
  const shapes = readJson<Record<string, number[]>>(data, inputs.names);

  test(`${name}: ${what}`, async () => {
    const frame = await readPng(join(data.folder, String(inputs.frame)));
    const region = frameRegion(frame.width, frame.height);
    const warped = warpAffine(frame, rtmposeAffine(region), INPUT_WIDTH, INPUT_HEIGHT);
    const shape = [INPUT_HEIGHT, INPUT_WIDTH, 3];
    const bytes = input('picture', ['B', ...shape], 'uint8');
    const w = seededWeights(recorded, shapes);
    const plain = rtmpose(w, rtmposeInput(bytes));
    const mirrored = rtmpose(w, flip(rtmposeInput(bytes), 3));
    const averaged = rtmposeWithFlip(w, bytes);
    const tokens = Array.from({ length: 7 }, (_, i) => i * 19);
    const results = await runGraph(
      {
        x: plain.x,
        y: plain.y,
        xFlip: gather(mirrored.x, tokens, 1),
        xMean: averaged.x,
        yMean: averaged.y,
      },
      { picture: { dtype: 'uint8', shape: [1, ...shape], data: warped.data } },
    );
    const numbers = (part: string) => ({ data: results[part]!.data as Float32Array });
    expectClose(numbers('x'), { data: read(outputs.simcc_x).data }, tolerance, 'x');
    expectClose(numbers('y'), { data: read(outputs.simcc_y).data }, tolerance, 'y');
    expectClose(numbers('xFlip'), { data: read(outputs.simcc_x_flip).data }, tolerance, 'x of the mirror');

    const points = decodeSimcc(numbers('xMean').data, numbers('yMean').data, region);
    expectClose({ data: points.map(({ score }) => score) }, { data: read(outputs.scores).data }, tolerance);
    const expected = read(outputs.keypoints).data;
    const moved = points.filter(
      ({ x, y }, i) => Math.abs(x - expected[2 * i]!) > 0.01 || Math.abs(y - expected[2 * i + 1]!) > 0.01,
    );
    // The largest entry may be another one where two are nearly equal.
    assert.ok(moved.length <= 1, `${moved.length} of 133 points moved`);
  });

  test(`${name}: the network asks for exactly the tensors of the checkpoint`, () => {
    const asked = expectedWeights((w) => rtmpose(w, input('x', ['B', 3, INPUT_HEIGHT, INPUT_WIDTH])));
    assert.deepEqual(new Map([...asked].sort()), new Map([...namedShapes(shapes)].sort()));
  });
}
