/**
 * FaceMesh: 468 points of a face's surface from a crop of it.
 *
 * Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs" (2019). Weights:
 * `face_landmark.tflite` of MediaPipe, 0.6 M parameters.
 */
import { cast, mul, sigmoid } from '../nn/ops/arithmetic.ts';
import { reshape, transpose } from '../nn/ops/shape.ts';
import type { TfliteModel } from '../nn/tflite.ts';
import { tfliteGraph } from '../nn/tflite-graph.ts';
import type { Value } from '../nn/value.ts';
import { scalar } from '../nn/value.ts';

/** Pixels along each side of the crop that FaceMesh looks at. */
export const FACE_MESH_SIZE = 192;

/** Vertices of the mesh. Vertex 0 lies in the middle of the upper lip, 1 on the nose, 152 on the chin. */
export const FACE_MESH_POINTS = 468;

/**
 * crops: [B, 192, 192, 3] bytes, RGB; the face upright, its box filling two thirds of the side →
 * points: [B, 468, 3] (x, y, z in pixels of the crop, z smaller when nearer), presence: [B], 0 … 1.
 */
export function faceMesh(model: TfliteModel, crops: Value): { points: Value; presence: Value } {
  const image = transpose(mul(cast(crops, 'float32'), scalar(1 / 255)), [0, 3, 1, 2]);
  const [points, presence] = tfliteGraph(model, image);
  const batch = crops.shape[0]!;
  return {
    points: reshape(points!, [batch, FACE_MESH_POINTS, 3]),
    presence: sigmoid(reshape(presence!, [batch])),
  };
}
