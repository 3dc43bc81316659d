import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { readNpy } from '../../test/npy.ts';
import { golden } from '../../test/shared.ts';
import type { Box, Point } from '../core/box.ts';
import { literalCropBox, shiftRange } from './crop-box.ts';
import { landmarks68 } from './landmarks68.ts';

// Recorded from upstream's get_landmark_and_bbox of both versions, detector and landmarks given.
const { folder, cases } = golden('faces');
const read = (file: unknown) => readNpy(join(folder, file as string));
const boxCases = cases.filter((c) => c.name.startsWith('cropbox'));

/** Face points 23 … 90 of each of the recorded sets of 133 body points. */
function facesOf(file: unknown): Point[][] {
  const { shape, data } = read(file);
  const point = (set: number, i: number): Point => {
    const at = (set * shape[1]! + 23 + i) * 2;
    return { x: Number(data[at]), y: Number(data[at + 1]) };
  };
  return Array.from({ length: shape[0]! }, (_, set) => Array.from({ length: 68 }, (_, i) => point(set, i)));
}

function detectorBoxes(file: unknown): (Box | null)[] {
  const { shape, data } = read(file);
  return Array.from({ length: shape[0]! }, (_, i) => {
    const [x1, y1, x2, y2] = Array.from(data.subarray(4 * i, 4 * i + 4), Number) as [
      number,
      number,
      number,
      number,
    ];
    return x1 === -1 ? null : { x1, y1, x2, y2 };
  });
}

const rows = ({ x1, y1, x2, y2 }: Box) => [x1, y1, x2, y2];

for (const c of boxCases) {
  test(`${c.name}: ${c.what}`, () => {
    const { version, bbox_shift: bboxShift, placeholder, printed_range, fallback_count } = c.params;
    const detected = detectorBoxes(c.inputs.detector);
    const found = facesOf(c.inputs.keypoints).map((face, i) =>
      literalCropBox(face, detected[i]!, { version, bboxShift }),
    );
    assert.deepEqual(
      found.map((result) => result === null),
      placeholder,
    );
    const boxes = found.flatMap((result) => (result ? rows(result.box) : [0, 0, 0, 0]));
    expectClose({ data: boxes }, { data: read(c.outputs.boxes).data as never }, 'exact', c.name);

    const seen = found.filter((result) => result !== null);
    assert.equal(seen.filter((result) => result.from === 'detector').length, fallback_count);
    const range = shiftRange(seen.map((result) => result.room));
    assert.deepEqual(range, { lowest: 0 - printed_range[0], highest: printed_range[1] });
  });
}

for (const c of cases.filter((c) => c.name === 'facemesh_68')) {
  test(`${c.name}: ${c.what}`, () => {
    const mesh = read(c.inputs.mesh_xy).data as Float32Array;
    const literal = landmarks68(mesh, { bridge: 'vertices', size: 2 });
    const flat = literal.flatMap(({ x, y }) => [x, y]);
    expectClose({ data: flat }, { data: read(c.outputs.points68).data as never }, c.tolerance, 'points');

    const boxOf = (points: Point[]) => {
      const found = literalCropBox(points, { x1: 0, y1: 0, x2: 1, y2: 1 }, { version: '1.5' });
      return rows(found!.box);
    };
    assert.deepEqual(boxOf(literal), c.params.box_list);
    assert.deepEqual(boxOf(landmarks68(mesh, { size: 2 })), c.params.box_even);
  });
}

test('the recorded cases are there', () => {
  assert.ok(boxCases.length >= 8, `${boxCases.length} cases`);
});
