import type { Box } from '../core/box.ts';
import type { FloatTensor } from '../core/tensor.ts';
import type { S3fdMaps } from './s3fd.ts';

/** A face that the detector saw. The box may reach beyond the picture; its edges are not whole pixels. */
export interface DetectedFace extends Box {
  /** Probability, 0 … 1. */
  readonly score: number;
}

const LEVELS = [1, 2, 3, 4, 5, 6] as const;

/** Scales of offsets and of logarithms of sizes, as the network was trained. */
const VARIANCES = [0.1, 0.2] as const;

/**
 * The faces in the maps of one picture, best first: candidates above `threshold`, thinned where they overlap.
 *
 * @param threshold smallest score; upstream takes 0.5.
 */
export function decodeS3fd(maps: S3fdMaps<FloatTensor>, { threshold = 0.5 } = {}): DetectedFace[] {
  return suppressOverlaps(s3fdCandidates(maps)).filter(({ score }) => score > threshold);
}

/**
 * Every position whose face probability passes 0.05, in the order level, row, column. A level of stride s has
 * priors of 4 s × 4 s round the middles of its cells.
 *
 * Formula: `decode` in face-alignment's detection/sfd/bbox.py.
 */
export function s3fdCandidates(maps: S3fdMaps<FloatTensor>, { threshold = 0.05 } = {}): DetectedFace[] {
  const candidates: DetectedFace[] = [];
  for (const level of LEVELS) {
    const [conf, loc] = [maps[`conf${level}`], maps[`loc${level}`]];
    const [rows, columns] = conf.shape.slice(2) as [number, number];
    const stride = 2 ** (level + 1);
    for (let at = 0; at < rows * columns; at++) {
      const score = 1 / (1 + Math.exp(conf.data[at]! - conf.data[rows * columns + at]!));
      if (!(score > threshold)) continue;
      const prior = {
        x: stride / 2 + (at % columns) * stride,
        y: stride / 2 + Math.floor(at / columns) * stride,
        size: 4 * stride,
      };
      const offsets = [0, 1, 2, 3].map((channel) => loc.data[channel * rows * columns + at]!);
      candidates.push({ ...boxAt(prior, offsets), score });
    }
  }
  return candidates;
}

function boxAt({ x, y, size }: { x: number; y: number; size: number }, offsets: readonly number[]): Box {
  const [dx, dy, dw, dh] = offsets as [number, number, number, number];
  const width = size * Math.exp(dw * VARIANCES[1]);
  const height = size * Math.exp(dh * VARIANCES[1]);
  const x1 = x + dx * VARIANCES[0] * size - width / 2;
  const y1 = y + dy * VARIANCES[0] * size - height / 2;
  return { x1, y1, x2: x1 + width, y2: y1 + height };
}

/**
 * Greedy suppression: the best is kept and takes away what overlaps it by more than `overlap`, and so on. Of two
 * equal scores the earlier counts as better.
 */
export function suppressOverlaps(faces: readonly DetectedFace[], { overlap = 0.3 } = {}): DetectedFace[] {
  const kept: DetectedFace[] = [];
  for (const face of [...faces].sort((a, b) => b.score - a.score)) {
    if (kept.every((better) => intersectionOverUnion(better, face) <= overlap)) kept.push(face);
  }
  return kept;
}

/** Upstream: counts the far edges as pixels of the box, so a box from 0 to 0 has an area of 1. */
function intersectionOverUnion(a: Box, b: Box): number {
  const width = Math.max(0, Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1) + 1);
  const height = Math.max(0, Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1) + 1);
  const common = width * height;
  return common / (areaOf(a) + areaOf(b) - common);
}

function areaOf({ x1, y1, x2, y2 }: Box): number {
  return (x2 - x1 + 1) * (y2 - y1 + 1);
}

/** A face's box as upstream hands it on: nothing below 0, cut to whole pixels. */
export function wholePixels({ x1, y1, x2, y2 }: Box): Box {
  const whole = (edge: number) => Math.trunc(Math.max(0, edge));
  return { x1: whole(x1), y1: whole(y1), x2: whole(x2), y2: whole(y2) };
}
