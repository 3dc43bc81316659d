import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { readNpy } from '../../test/npy.ts';
import { readPng } from '../../test/png.ts';
import { type GoldenCase, golden } from '../../test/shared.ts';
import { gaussianBlur, gaussianKernel } from './blur.ts';
import { toGrey } from './color.ts';
import { type Image, image } from './image.ts';
import { dilate, ellipse, erode } from './morphology.ts';
import { crop, paste, pasteMasked } from './paste.ts';
import { type PillowFilter, resizePillow } from './pillow-resize.ts';
import { resizeLanczos4, resizeLinear } from './resize.ts';
import { type Affine, warpAffine } from './warp.ts';

// Recorded from OpenCV 4.14 and Pillow 12.3 on random pictures; every case must be met byte by byte.
const { folder, cases } = golden('imageops');

type Operation = (
  inputs: Record<string, Image>,
  params: GoldenCase['params'],
) => Image | Record<string, Image>;

const operations: Record<string, Operation> = {
  'cv2.resize': ({ src }, { interpolation, dst_width, dst_height }) =>
    (interpolation === 'LANCZOS4' ? resizeLanczos4 : resizeLinear)(src!, dst_width, dst_height),
  'cv2.GaussianBlur': ({ src }, { ksize, kernel_256 }) => {
    assert.deepEqual([...gaussianKernel(ksize)], kernel_256);
    return gaussianBlur(src!, ksize);
  },
  'cv2.dilate': ({ src, kernel }) => dilate(src!, kernel!),
  'cv2.erode': ({ src, kernel }, { iterations }) => erode(src!, kernel!, iterations),
  'PIL.resize': ({ src }, { filter, dst_width, dst_height }) =>
    resizePillow(src!, dst_width, dst_height, filter.toLowerCase() as PillowFilter),
  'PIL.crop': ({ src }, { box: [x1, y1, x2, y2] }) => crop(src!, { x1, y1, x2, y2 }),
  'PIL.paste': ({ dst, src, mask }, { x, y }) => {
    if (mask) pasteMasked(dst!, src!, mask, x, y);
    else paste(dst!, src!, x, y);
    return dst!;
  },
  'PIL.convert L': ({ src }) => toGrey(src!),
};

/** Cases that name no operation, by the beginning of their name. */
const named: Record<string, Operation> = {
  jaw_kernels: () => ({ cheek_kernel: ellipse(35, 3) }),
  pil_blend_table: (_, { masks, sources }) => blendTable(masks, sources),
  // The result was written as BGR, so its PNG has red and blue exchanged.
  warp_rtmpose: ({ src }, { matrix, dst_width, dst_height }) =>
    exchangeRedAndBlue(warpAffine(src!, matrix.flat() as unknown as Affine, dst_width, dst_height)),
};

function operationOf(c: GoldenCase): Operation | undefined {
  if (c.params.op) return operations[c.params.op];
  return Object.entries(named).find(([name]) => c.name.startsWith(name))?.[1];
}

/** One row of 256 destinations for each mask and source, as `pil_blend_table` lists them. */
function blendTable(masks: number[], sources: number[]): Image {
  const rows = masks.flatMap((mask) =>
    sources.map((source) => {
      const target = image(
        256,
        1,
        1,
        Uint8Array.from({ length: 256 }, (_, i) => i),
      );
      const fill = (value: number) => image(256, 1, 1, new Uint8Array(256).fill(value));
      pasteMasked(target, fill(source), fill(mask), 0, 0);
      return [...target.data];
    }),
  );
  return image(256, rows.length, 1, Uint8Array.from(rows.flat()));
}

function exchangeRedAndBlue({ width, height, channels, data }: Image): Image {
  const order = data.map((_, i) => data[i + 2 - 2 * (i % 3)]!);
  return image(width, height, channels, order);
}

async function readImage(file: string): Promise<Image> {
  if (file.endsWith('.png')) return readPng(join(folder, file));
  const { shape, data } = readNpy(join(folder, file));
  const [height, width, channels = 1] = shape as [number, number, 1 | 3 | undefined];
  return image(width, height, channels, data as Uint8Array);
}

for (const c of cases) {
  const operation = operationOf(c);
  if (!operation) continue;
  test(`${c.name}: ${c.what}`, async () => {
    const inputs: Record<string, Image> = {};
    for (const [name, file] of Object.entries(c.inputs)) inputs[name] = await readImage(file as string);
    const result = operation(inputs, c.params);
    const outputs = 'data' in result ? { [Object.keys(c.outputs)[0]!]: result as Image } : result;
    for (const [name, actual] of Object.entries(outputs)) {
      const file = c.outputs[name] as string;
      const { data } = file.endsWith('.png')
        ? await readPng(join(folder, file))
        : readNpy(join(folder, file));
      // A kernel is stored as 0 and 1.
      const expected = name.endsWith('kernel')
        ? { data: (data as Uint8Array).map((v) => v * 255) }
        : { data };
      expectClose({ data: actual.data }, expected, c.tolerance, c.name);
    }
  });
}

test('the recorded cases are there', () => {
  assert.ok(cases.length > 30, `${cases.length} cases`);
});
