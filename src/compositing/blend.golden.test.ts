import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { readNpy } from '../../test/npy.ts';
import { readPng } from '../../test/png.ts';
import { type GoldenCase, golden } from '../../test/shared.ts';
import type { Image } from '../image/image.ts';
import { resizeLinear } from '../image/resize.ts';
import { composite, compositeInto } from './blend.ts';
import {
  blurSize,
  cheekMask,
  enlargedBox,
  jawKernel,
  MASK_STYLES,
  type MaskStyle,
  parsingMask,
  regionMask,
  trimMask,
} from './masks.ts';

// Recorded from upstream's own blending code of 1.0 and 1.5, the parsing network replaced by stored class maps.
const { folder, cases } = golden('blend');
const read = (file: unknown): Promise<Image> => readPng(join(folder, file as string));

function styleOf({ name, params }: GoldenCase): MaskStyle {
  const { version, mode, left_cheek_width, right_cheek_width } = params;
  const realtime = version === '1.5' && name.startsWith('realtime');
  const style = MASK_STYLES[realtime ? '1.5 realtime' : (version as '1.0' | '1.5')];
  return {
    ...style,
    region: mode ?? 'face',
    leftCheekWidth: left_cheek_width ?? 90,
    rightCheekWidth: right_cheek_width ?? 90,
  };
}

for (const c of cases.filter((c) => c.name.startsWith('mask512'))) {
  test(`${c.name}: ${c.what}`, async () => {
    const mask = regionMask(await read(c.inputs.classes), styleOf(c));
    expectClose(mask, await read(c.outputs.mask512), 'exact', c.name);
  });
}

for (const c of cases.filter((c) => c.params.crop_box)) {
  test(`${c.name}: ${c.what}`, async () => {
    const [x1, y1, x2, y2] = c.params.box;
    const box = { x1, y1, x2, y2 };
    const style = styleOf(c);
    const square = enlargedBox(box, style.expand);
    assert.deepEqual([square.x1, square.y1, square.x2, square.y2], c.params.crop_box);
    assert.equal(blurSize(square.x2 - square.x1, style.blur), c.params.kernel);

    const mask = parsingMask(await read(c.inputs.classes), box, style);
    expectClose(mask.mask, await read(c.outputs.mask), 'exact', 'mask');

    const face256 = await read(c.inputs.face256);
    const face = resizeLinear(face256, x2 - x1, y2 - y1);
    if (c.outputs.face) expectClose(face, await read(c.outputs.face), 'exact', 'face');

    const frame = await read(c.inputs.frame);
    const expected = await read(c.outputs.result);
    expectClose(composite(frame, face, box, mask), expected, 'exact', 'frame');
    compositeInto(frame, face256, box, trimMask(mask, box));
    expectClose(frame, expected, 'exact', 'frame blended in place with the trimmed mask');
  });
}

test('the shapes that mark jaw and cheeks are those of OpenCV', async () => {
  const shapes = golden('imageops');
  const kernel = readNpy(join(shapes.folder, 'jaw_kernel.npy')).data as Uint8Array;
  expectClose(jawKernel(), { data: kernel.map((v) => v * 255) }, 'exact', 'jaw kernel');
  for (const [left, right] of [
    [90, 90],
    [80, 100],
  ] as const) {
    const expected = await readPng(join(shapes.folder, `cheek_mask_${left}_${right}.png`));
    expectClose(cheekMask(512, 512, left, right), expected, 'exact', `cheeks ${left} ${right}`);
  }
});

test('the recorded cases are there', () => {
  assert.ok(cases.length > 20, `${cases.length} cases`);
});
