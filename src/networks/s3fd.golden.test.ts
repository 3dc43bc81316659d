// Recorded from upstream's own S3FD and its decoding (manifest: faces/s3fd_*).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { readFloats, readNpy } from '../../test/npy.ts';
import { readPng } from '../../test/png.ts';
import { namedShapes, readJson, seededWeights } from '../../test/seeded-network.ts';
import { golden } from '../../test/shared.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { runGraph } from '../nn/session.ts';
import { input } from '../nn/value.ts';
import { expectedWeights } from '../nn/weights.ts';
import type { S3fdMaps } from './s3fd.ts';
import { s3fd, s3fdInput } from './s3fd.ts';
import type { DetectedFace } from './s3fd-decode.ts';
import { decodeS3fd, s3fdCandidates, suppressOverlaps, wholePixels } from './s3fd-decode.ts';

const data = golden('faces');
const read = (file: string | string[] | undefined) => readFloats(join(data.folder, String(file)));

/** Rows of x1, y1, x2, y2, score. */
const rowsOf = (faces: readonly DetectedFace[]) => ({
  data: faces.flatMap(({ x1, y1, x2, y2, score }) => [x1, y1, x2, y2, score]),
});

for (const { name, what, params, inputs, outputs, tolerance } of data.cases.filter((recorded) =>
  recorded.name.startsWith('s3fd_decode'),
)) {
  test(`${name}: ${what}`, () => {
    const maps = Object.fromEntries(
      Object.entries(inputs).map(([map, file]) => [map, read(file)]),
    ) as S3fdMaps<FloatTensor>;
    const candidates = s3fdCandidates(maps);
    // Upstream puts a row of zeros where there is no candidate at all.
    if (candidates.length > 0) {
      expectClose(rowsOf(candidates), { data: read(outputs.candidates).data }, tolerance, 'candidates');
      const kept = suppressOverlaps(candidates).map((face) => candidates.indexOf(face));
      assert.deepEqual(kept, Array.from(readNpy(join(data.folder, String(outputs.kept))).data, Number));
    }
    const faces = decodeS3fd(maps);
    expectClose(rowsOf(faces), { data: read(outputs.faces).data }, tolerance, 'faces');
    const best = faces.map(wholePixels).map(({ x1, y1, x2, y2 }) => [x1, y1, x2, y2])[0];
    assert.deepEqual(best ?? null, params.face);
  });
}

for (const recorded of data.cases.filter(({ name }) => name === 's3fd_full')) {
  const { name, what, inputs, outputs, tolerance } = recorded;
  const shapes = readJson<Record<string, number[]>>(data, inputs.names);

  test(`${name}: ${what}`, async () => {
    const { width, height, data: bytes } = await readPng(join(data.folder, String(inputs.frame)));
    const picture = input('picture', ['B', height, width, 3], 'uint8');
    const maps = s3fd(seededWeights(recorded, shapes), s3fdInput(picture));
    const results = await runGraph(maps, {
      picture: { dtype: 'uint8', shape: [1, height, width, 3], data: bytes },
    });
    for (const [map, file] of Object.entries(outputs)) expectClose(results[map]!, read(file), tolerance, map);
  });

  test(`${name}: the network asks for exactly the tensors of the checkpoint`, () => {
    const asked = expectedWeights((w) => s3fd(w, input('x', ['B', 3, 96, 128])));
    assert.deepEqual(new Map([...asked].sort()), new Map([...namedShapes(shapes)].sort()));
  });
}
