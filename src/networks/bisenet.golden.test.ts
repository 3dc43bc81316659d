// Recorded from upstream's FaceParsing (manifest: faces/bisenet_full).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { readFloats } from '../../test/npy.ts';
import { readPng } from '../../test/png.ts';
import { namedShapes, readJson, seededWeights } from '../../test/seeded-network.ts';
import { golden } from '../../test/shared.ts';
import { resizePillow } from '../image/pillow-resize.ts';
import { slice } from '../nn/ops/shape.ts';
import { runGraph } from '../nn/session.ts';
import { input } from '../nn/value.ts';
import { expectedWeights } from '../nn/weights.ts';
import { bisenet, bisenetInput, faceClasses, PARSING_SIZE } from './bisenet.ts';

const data = golden('faces');
const read = (file: string | string[] | undefined) => readFloats(join(data.folder, String(file)));

for (const recorded of data.cases.filter(({ name }) => name === 'bisenet_full')) {
  const { name, what, inputs, outputs, tolerance } = recorded;
  const shapes = readJson<Record<string, number[]>>(data, inputs.names);

  test(`${name}: ${what}`, async () => {
    const crop = await readPng(join(data.folder, String(inputs.crop)));
    const resized = resizePillow(crop, PARSING_SIZE, PARSING_SIZE, 'bilinear');
    const shape = [PARSING_SIZE, PARSING_SIZE, 3];
    const bytes = input('picture', ['B', ...shape], 'uint8');
    const w = seededWeights(recorded, shapes);
    const pixels = bisenetInput(bytes);
    const every32 = slice(slice(pixels, 2, 0, PARSING_SIZE, 32), 3, 0, PARSING_SIZE, 32);
    const results = await runGraph(
      { every32, logits: bisenet(w, pixels), classes: faceClasses(w, bytes) },
      { picture: { dtype: 'uint8', shape: [1, ...shape], data: resized.data } },
    );
    expectClose({ data: results.every32!.data }, { data: read(outputs.input).data }, tolerance, 'input');
    expectClose({ data: results.logits!.data }, { data: read(outputs.logits_64).data }, tolerance, 'logits');

    const expected = await readPng(join(data.folder, String(outputs.classes)));
    assert.equal(results.classes!.data.length, expected.data.length);
    const different = expected.data.filter((part, i) => part !== results.classes!.data[i]).length;
    assert.ok(different <= 0.002 * expected.data.length, `${different} pixels have another class`);
  });

  test(`${name}: the network asks for the tensors of the checkpoint, without its heads for training`, () => {
    const asked = expectedWeights((w) => bisenet(w, input('x', ['B', 3, PARSING_SIZE, PARSING_SIZE])));
    const needed = [...namedShapes(shapes)].filter(([tensor]) => !/^conv_out(16|32)\./.test(tensor));
    assert.deepEqual(new Map([...asked].sort()), new Map(needed.sort()));
  });
}
