// Upstream's face networks read from files with weights of the rule wr1, against results recorded from upstream's own
// code (manifest: faces/s3fd_full, rtmpose_full, bisenet_full). Runs with the shared material only: the files are large.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { readFloats } from '../../test/npy.ts';
import { readPng } from '../../test/png.ts';
import { readJson } from '../../test/seeded-network.ts';
import { type GoldenCase, golden } from '../../test/shared.ts';
import type { FloatTensor } from '../core/tensor.ts';
import { frameRegion } from '../networks/rtmpose-decode.ts';
import type { S3fdMaps } from '../networks/s3fd.ts';
import { decodeS3fd } from '../networks/s3fd-decode.ts';
import { seededTensors } from '../nn/seeded-weights.ts';
import { writeSafetensors } from '../nn/weights/write-safetensors.ts';
import { loadOfficialFaces } from './official-models.ts';
import { loadFaceParser } from './parse.ts';

const data = golden('faces');
const caseOf = (name: string) => data.cases.find((recorded) => recorded.name === name);
const folder = await mkdtemp(join(tmpdir(), 'official-faces-'));
after(() => rm(folder, { recursive: true }));

/** A file with the weights of a case. */
async function weightsFile(recorded: GoldenCase): Promise<string> {
  const { params, inputs, ...rest } = recorded;
  const shapes = readJson<Record<string, number[]>>(data, inputs.names);
  // biome-ignore lint/suspicious/noExplicitAny: some manifests put the exceptions beside the parameters
  const overrides = params.wr1_override ?? (rest as any).wr1_override;
  const path = join(folder, `${recorded.name}.safetensors`);
  const tensors = seededTensors(Object.entries(shapes), { seed: params.wr1_seed ?? 0, overrides });
  await writeSafetensors(
    path,
    Array.from(tensors, ([name, tensor]) => ({ name, tensor })),
  );
  return path;
}

const [s3fd, rtmpose, bisenet] = [caseOf('s3fd_full'), caseOf('rtmpose_full'), caseOf('bisenet_full')];
const picture = (file: string | string[] | undefined) => readPng(join(data.folder, String(file)));
const numbers = (file: string | string[] | undefined) => readFloats(join(data.folder, String(file)));

test('S3FD and RTMPose from files give upstream’s faces and landmarks', {
  skip: !s3fd || !rtmpose,
}, async () => {
  const files = { s3fd: await weightsFile(s3fd!), rtmpose: await weightsFile(rtmpose!) };
  const models = await loadOfficialFaces(files, { cacheFolder: join(folder, 'cache') });
  try {
    const maps = Object.entries(s3fd!.outputs).map(([map, file]) => {
      const { shape, data: values } = numbers(file);
      return [map, { dtype: 'float32', shape: [1, ...shape.slice(-3)], data: values }];
    });
    const expected = decodeS3fd(Object.fromEntries(maps) as S3fdMaps<FloatTensor>);
    const found = await models.detect(await picture(s3fd!.inputs.frame));
    assert.equal(found.length, expected.length);
    const flat = (faces: typeof found) => ({ data: faces.flatMap((f) => [f.x1, f.y1, f.x2, f.y2, f.score]) });
    expectClose(flat(found), flat(expected), { abs: 0.05, rel: 1e-3 });

    const frame = await picture(rtmpose!.inputs.frame);
    const points = await models.landmarks(frame, frameRegion(frame.width, frame.height));
    const keypoints = numbers(rtmpose!.outputs.keypoints).data;
    const moved = points.filter(
      ({ x, y }, i) => Math.hypot(x - keypoints[2 * (23 + i)]!, y - keypoints[2 * (23 + i) + 1]!) > 0.01,
    );
    // The largest entry may be another one where two are nearly equal.
    assert.ok(points.length === 68 && moved.length <= 1, `${moved.length} of ${points.length} points moved`);
  } finally {
    await models.close();
  }
});

test('BiSeNet from a file gives upstream’s class map', { skip: !bisenet }, async () => {
  const parser = await loadFaceParser(await weightsFile(bisenet!), { cacheFolder: join(folder, 'cache') });
  try {
    const face = await picture(bisenet!.inputs.crop);
    const classes = await parser.parse(face, { x1: 0, y1: 0, x2: face.width, y2: face.height });
    const expected = await picture(bisenet!.outputs.classes);
    assert.deepEqual([classes.width, classes.height, classes.channels], [512, 512, 1]);
    const other = classes.data.filter((value, i) => value !== expected.data[i * expected.channels]);
    assert.ok(other.length <= 0.002 * classes.data.length, `${other.length} pixels differ`);
  } finally {
    await parser.close();
  }
});
