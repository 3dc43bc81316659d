/**
 * BlazeFace: boxes and six key points of the faces in a picture.
 *
 * Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs" (2019). Weights of
 * MediaPipe: `face_detection_short_range.tflite` (128 × 128, faces larger than a fifth of the picture, 0.1 M
 * parameters) and `face_detection_full_range.tflite` (192 × 192, smaller ones too, 0.5 M).
 */
import type { Box, Point } from '../core/box.ts';
import { add, cast, mul, sigmoid } from '../nn/ops/arithmetic.ts';
import { reshape, transpose } from '../nn/ops/shape.ts';
import type { TfliteModel } from '../nn/tflite.ts';
import { tfliteGraph } from '../nn/tflite-graph.ts';
import type { Value } from '../nn/value.ts';
import { scalar } from '../nn/value.ts';

/** What tells the two detectors apart. */
export interface BlazeFaceConfig {
  /** Pixels along each side of the input. */
  readonly size: number;
  /** The maps that anchors lie on: one anchor layer for each stride that is repeated. */
  readonly maps: readonly { readonly stride: number; readonly anchors: number }[];
}

/** 16 × 16 × 2 + 8 × 8 × 6 = 896 anchors. */
export const SHORT_RANGE: BlazeFaceConfig = {
  size: 128,
  maps: [
    { stride: 8, anchors: 2 },
    { stride: 16, anchors: 6 },
  ],
};

/** 48 × 48 = 2304 anchors. */
export const FULL_RANGE: BlazeFaceConfig = { size: 192, maps: [{ stride: 4, anchors: 1 }] };

/**
 * images: [B, size, size, 3] bytes, RGB → regressors: [B, anchors, 16] (pixels, relative to the anchor),
 * scores: [B, anchors], 0 … 1.
 */
export function blazeFace(model: TfliteModel, images: Value): { regressors: Value; scores: Value } {
  const image = add(mul(cast(images, 'float32'), scalar(1 / 127.5)), scalar(-1));
  const [regressors, logits] = tfliteGraph(model, transpose(image, [0, 3, 1, 2]));
  return { regressors: regressors!, scores: sigmoid(reshape(logits!, logits!.shape.slice(0, 2))) };
}

/** The middles of the anchors in pixels of the input, in the order of the network's rows: x, y after one another. */
export function anchorCentres({ size, maps }: BlazeFaceConfig): Float32Array {
  const centres: number[] = [];
  for (const { stride, anchors } of maps) {
    const cells = size / stride;
    for (let row = 0; row < cells; row++) {
      for (let column = 0; column < cells; column++) {
        for (let i = 0; i < anchors; i++) centres.push((column + 0.5) * stride, (row + 0.5) * stride);
      }
    }
  }
  return Float32Array.from(centres);
}

/** A face as BlazeFace sees it. Names of sides are the picture's, not the person's. */
export interface BlazeFaceBox {
  readonly box: Box;
  /** 0 … 1. */
  readonly score: number;
  /** Left eye, right eye, tip of the nose, mouth, left ear, right ear (as seen in the picture). */
  readonly keypoints: readonly Point[];
}

/**
 * The candidates of one picture with a score of at least `minScore`, in pixels of the network's input; many for
 * each face.
 *
 * A row holds the box's middle, its width and height, then six points, all but the sizes relative to the anchor's
 * middle (anchors of fixed size: `fixed_anchor_size` in MediaPipe's options).
 */
export function decodeBlazeFace(
  regressors: Float32Array,
  scores: Float32Array,
  centres: Float32Array,
  minScore: number,
): BlazeFaceBox[] {
  const faces: BlazeFaceBox[] = [];
  for (let i = 0; i < scores.length; i++) {
    if (!(scores[i]! >= minScore)) continue;
    const [ax, ay] = [centres[2 * i]!, centres[2 * i + 1]!];
    const row = regressors.subarray(16 * i, 16 * i + 16);
    const [x, y, w, h] = [ax + row[0]!, ay + row[1]!, row[2]!, row[3]!];
    faces.push({
      box: { x1: x - w / 2, y1: y - h / 2, x2: x + w / 2, y2: y + h / 2 },
      score: scores[i]!,
      keypoints: Array.from({ length: 6 }, (_, k) => ({
        x: ax + row[4 + 2 * k]!,
        y: ay + row[5 + 2 * k]!,
      })),
    });
  }
  return faces;
}

/**
 * One face for each group of overlapping candidates: the mean of the group, weighted by score, with the score of
 * its best. Best first.
 *
 * MediaPipe's weighted non-maximum suppression: steadier than taking the best alone.
 */
export function mergeOverlapping(candidates: readonly BlazeFaceBox[], minOverlap = 0.3): BlazeFaceBox[] {
  let rest = [...candidates].sort((a, b) => b.score - a.score);
  const merged: BlazeFaceBox[] = [];
  while (rest.length > 0) {
    const best = rest[0]!;
    const group = rest.filter((face) => face === best || overlap(face.box, best.box) > minOverlap);
    rest = rest.filter((face) => !group.includes(face));
    merged.push(weightedMean(group, best.score));
  }
  return merged;
}

/** Common area over joint area of two boxes, 0 … 1. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1);
  const height = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1);
  if (width <= 0 || height <= 0) return 0;
  const common = width * height;
  return common / (area(a) + area(b) - common);
}

function area({ x1, y1, x2, y2 }: Box): number {
  return (x2 - x1) * (y2 - y1);
}

function weightedMean(group: readonly BlazeFaceBox[], score: number): BlazeFaceBox {
  const total = group.reduce((sum, face) => sum + face.score, 0);
  const mean = (pick: (face: BlazeFaceBox) => number) =>
    group.reduce((sum, face) => sum + face.score * pick(face), 0) / total;
  return {
    box: {
      x1: mean(({ box }) => box.x1),
      y1: mean(({ box }) => box.y1),
      x2: mean(({ box }) => box.x2),
      y2: mean(({ box }) => box.y2),
    },
    score,
    keypoints: group[0]!.keypoints.map((_, k) => ({
      x: mean(({ keypoints }) => keypoints[k]!.x),
      y: mean(({ keypoints }) => keypoints[k]!.y),
    })),
  };
}
