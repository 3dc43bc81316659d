// Recorded from upstream's data set code (manifest: train, sampling/*).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { readFloats, readNpy } from '../../test/npy.ts';
import { type GoldenCase, golden } from '../../test/shared.ts';
import type { Box, Point } from '../core/box.ts';
import { syncMel, syncMelFilters, syncMelRows } from '../sound/sync-mel.ts';
import { Random } from './random.ts';
import {
  alikePoses,
  chooseAnyReference,
  chooseReference,
  clipInCrops,
  unionBox,
  unlikeMouths,
} from './reference-choice.ts';
import { drawMargin, mouthMaskBox, withMarginBelow } from './training-crop.ts';
import { soundPiece, trainingConditions } from './training-sound.ts';

const { folder, cases } = golden('train');

function check(name: string, title: string, run: (recorded: GoldenCase) => void): void {
  const recorded = cases.find((one) => one.name === name);
  test(title, { skip: recorded ? false : `${name} is not in the committed data` }, () => run(recorded!));
}

const read = (file: unknown) => readNpy(join(folder, file as string));
const rowsOf = (file: unknown) => {
  const { shape, data } = read(file);
  return Array.from({ length: shape[0]! }, (_, i) =>
    Array.from({ length: shape[1]! }, (_, k) => Number(data[i * shape[1]! + k])),
  );
};

function facesOf({ inputs }: GoldenCase): { boxes: Box[]; landmarks: Point[][] } {
  const boxes = rowsOf(inputs.boxes).map(([x1, y1, x2, y2]) => ({ x1, y1, x2, y2 }) as Box);
  const { data } = read(inputs.landmarks);
  const landmarks = boxes.map((_, i) =>
    Array.from({ length: 68 }, (_, k) => ({
      x: Number(data[i * 136 + 2 * k]),
      y: Number(data[i * 136 + 2 * k + 1]),
    })),
  );
  return { boxes, landmarks };
}

for (const clip of ['clip_a', 'clip_b']) {
  check(
    `sampling/${clip}`,
    `frames are ranked by pose and by mouth as upstream ranks them (${clip})`,
    (recorded) => {
      const faces = facesOf(recorded);
      const union = faces.boxes.map((box, i) => unionBox(box, faces.landmarks[i]!));
      assert.deepEqual(
        union.map(({ x1, y1, x2, y2 }) => [x1, y1, x2, y2]),
        rowsOf(recorded.outputs.union_boxes),
      );
      const crops = clipInCrops(faces);
      for (const target of recorded.params.drives as number[]) {
        for (const ratio of recorded.params.top_k_ratios as number[]) {
          const wanted = (kind: string) =>
            Array.from(read(recorded.outputs[`d${target}_r${ratio}_${kind}`]).data, Number);
          const [poses, mouths] = [alikePoses(crops, target, ratio), unlikeMouths(crops, target, ratio)];
          assert.deepEqual(poses, wanted('pose'));
          assert.deepEqual(mouths, wanted('mouth'));
          const both = poses.filter((frame) => mouths.includes(frame)).sort((a, b) => a - b);
          assert.deepEqual(both, wanted('common'));
          const picked = chooseReference(crops, target, new Random(1), { ratio });
          const near = [target - 5, target + 5].map((frame) =>
            Math.min(Math.max(frame, 0), crops.length - 1),
          );
          assert.ok(both.includes(picked) || near.includes(picked), `${picked}`);
        }
      }
    },
  );
}

check('sampling/mouth_mask', 'the mouth lies where upstream masks it', (recorded) => {
  const { boxes, landmarks } = facesOf(recorded);
  const [pictureWidth, pictureHeight] = recorded.params.image_wh as [number, number];
  for (const [frame, margin, dynamic, ...wanted] of rowsOf(recorded.outputs.rows) as [
    number,
    number,
    number,
  ][]) {
    const box = unionBox(boxes[frame]!, landmarks[frame]!);
    const crop = dynamic ? withMarginBelow(box, margin, pictureHeight) : box;
    const mask = mouthMaskBox(landmarks[frame]!, box, {
      margin,
      pictureWidth: dynamic ? pictureWidth : undefined,
    });
    const share = dynamic ? (box.x2 - box.x1) / pictureWidth : 1;
    const found = [crop.x1, crop.y1, crop.x2, crop.y2, share, mask.x1, mask.y1, mask.x2, mask.y2];
    expectClose({ data: found }, { data: wanted }, recorded.tolerance, `frame ${frame}, margin ${margin}`);
  }
});

check('sampling/sync_mel', 'the sync net hears what upstream lets it hear', (recorded) => {
  const mel = syncMel(readFloats(join(folder, recorded.inputs.wav as string)).data);
  expectClose(mel, read(recorded.outputs.mel), recorded.tolerance, 'mel');
  expectClose(syncMelFilters(), read(recorded.outputs.mel_basis), { abs: 1e-8, rel: 1e-5 }, 'mel_basis');
});

check('sampling/mel_window', 'mel rows begin where a frame begins', (recorded) => {
  for (const [frame, start, end] of rowsOf(recorded.outputs.rows)) {
    assert.deepEqual(syncMelRows(frame!), { start, end });
  }
});

check('sampling/audio_piece', 'late frames are heard in a later piece', (recorded) => {
  for (const [at, frame, firstSample, lastSample] of rowsOf(recorded.outputs.rows)) {
    assert.deepEqual(soundPiece(at!), { frame, firstSample, lastSample });
  }
});

check('sampling/audio_window', 'each frame hears ten rows of features', (recorded) => {
  const { shape, data } = readFloats(join(folder, recorded.inputs.hidden_states as string));
  const [layers, batch, rows, width] = shape as [number, number, number, number];
  const found: number[] = [];
  for (let b = 0; b < batch; b++) {
    const features = new Float32Array(rows * layers * width);
    for (let t = 0; t < rows; t++) {
      for (let layer = 0; layer < layers; layer++) {
        const from = ((layer * batch + b) * rows + t) * width;
        features.set(data.subarray(from, from + width), (t * layers + layer) * width);
      }
    }
    const states = { dtype: 'float32' as const, shape: [rows, layers, width], data: features };
    found.push(...trainingConditions(states, recorded.params.start_frames[b], recorded.params.frames).data);
  }
  expectClose({ data: found }, read(recorded.outputs.tokens), recorded.tolerance, 'tokens');
});

test('a sixth of the margins is 0 and a sixth is the largest', () => {
  const random = new Random(3);
  const margins = Array.from({ length: 6000 }, () => drawMargin(random));
  const share = (value: number) => margins.filter((margin) => margin === value).length / margins.length;
  assert.ok(margins.every((margin) => margin >= 0 && margin <= 20));
  for (const limit of [0, 20]) assert.ok(Math.abs(share(limit) - 0.159) < 0.02, `${limit}: ${share(limit)}`);
});

test('a margin ends at the edge of the picture', () => {
  assert.equal(withMarginBelow({ x1: 0, y1: 0, x2: 10, y2: 95 }, 9.9, 100).y2, 100);
  assert.equal(withMarginBelow({ x1: 0, y1: 0, x2: 10, y2: 50 }, 9.9, 100).y2, 59);
});

test("1.0's references lie more than five frames away, and short clips have none", () => {
  const random = new Random(4);
  for (let i = 0; i < 200; i++) assert.ok(Math.abs(chooseAnyReference(14, 6, random)! - 6) > 5);
  assert.equal(chooseAnyReference(11, 5, random), undefined);
});
