import type { Box, Point } from '../core/box.ts';
import type { Image } from '../image/image.ts';
import { FACE_MESH_POINTS, FACE_MESH_SIZE } from '../networks/face-mesh.ts';
import type { Face } from './detect.ts';
import type { FaceModels } from './models.ts';
import type { Square } from './square.ts';
import { cutSquare, squareToPicture } from './square.ts';

/** 468 points, x, y, z after one another, in pixels of the picture (z smaller when nearer). */
export type Mesh = Float32Array;

/** Vertices at the outer corners of the eyes, as seen in the picture. */
const LEFT_EYE_CORNER = 33;

/** Vertex of the outer corner of the right eye of the picture. */
const RIGHT_EYE_CORNER = 263;

/** FaceMesh was trained on faces that fill two thirds of the square. */
const SQUARE_OF_FACE = 1.5;

/** The mesh of the face in each square of a picture (RGB), and how sure it is that one is there (0 … 1). */
export async function landmarksOf(
  models: Pick<FaceModels, 'mesh'>,
  picture: Image,
  squares: readonly Square[],
  signal?: AbortSignal,
): Promise<{ mesh: Mesh; presence: number }[]> {
  const bytes = FACE_MESH_SIZE * FACE_MESH_SIZE * 3;
  const data = new Uint8Array(squares.length * bytes);
  for (const [i, square] of squares.entries()) {
    data.set(cutSquare(picture, square, FACE_MESH_SIZE).data, i * bytes);
  }
  const images = {
    dtype: 'uint8',
    shape: [squares.length, FACE_MESH_SIZE, FACE_MESH_SIZE, 3],
    data,
  } as const;
  const { points, presence } = await models.mesh.run({ images }, { signal });
  return squares.map((square, i) => {
    const length = FACE_MESH_POINTS * 3;
    const cut = (points!.data as Float32Array).subarray(i * length, (i + 1) * length);
    return { mesh: meshInPicture(cut, square), presence: (presence!.data as Float32Array)[i]! };
  });
}

function meshInPicture(cut: Float32Array, square: Square): Mesh {
  const [a, b, c, d, e, f] = squareToPicture(square, FACE_MESH_SIZE);
  const depth = square.side / FACE_MESH_SIZE;
  const mesh = new Float32Array(cut.length);
  for (let i = 0; i < cut.length; i += 3) {
    const [x, y, z] = [cut[i]!, cut[i + 1]!, cut[i + 2]!];
    mesh[i] = a * x + b * y + c;
    mesh[i + 1] = d * x + e * y + f;
    mesh[i + 2] = z * depth;
  }
  return mesh;
}

/** Where to look for the mesh of a face that was detected: upright by the eyes, half as large again. */
export function squareOfFace({ box, keypoints }: Face): Square {
  const [left, right] = keypoints as [Point, Point];
  return {
    centre: { x: (box.x1 + box.x2) / 2, y: (box.y1 + box.y2) / 2 },
    side: SQUARE_OF_FACE * Math.max(box.x2 - box.x1, box.y2 - box.y1),
    angle: Math.atan2(right.y - left.y, right.x - left.x),
  };
}

/** Where to look for the mesh in the next frame: round its points, upright by the corners of the eyes. */
export function squareOfMesh(mesh: Mesh): Square {
  const left = vertex(mesh, LEFT_EYE_CORNER);
  const right = vertex(mesh, RIGHT_EYE_CORNER);
  const angle = Math.atan2(right.y - left.y, right.x - left.x);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  // Bounds along the turned axes, then back: the bounds of a tilted face in the picture would be too wide.
  const box = boundsOf(mesh, (x, y) => ({ x: cos * x + sin * y, y: cos * y - sin * x }));
  const [u, v] = [(box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2];
  return {
    centre: { x: cos * u - sin * v, y: sin * u + cos * v },
    side: SQUARE_OF_FACE * Math.max(box.x2 - box.x1, box.y2 - box.y1),
    angle,
  };
}

/** The upright box round all points. */
export function boxOfMesh(mesh: Mesh): Box {
  return boundsOf(mesh, (x, y) => ({ x, y }));
}

/** A vertex of the mesh in the plane of the picture. */
function vertex(mesh: Mesh, index: number): Point {
  return { x: mesh[3 * index]!, y: mesh[3 * index + 1]! };
}

function boundsOf(mesh: Mesh, turn: (x: number, y: number) => Point): Box {
  let [x1, y1, x2, y2] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < mesh.length; i += 3) {
    const { x, y } = turn(mesh[i]!, mesh[i + 1]!);
    x1 = Math.min(x1, x);
    y1 = Math.min(y1, y);
    x2 = Math.max(x2, x);
    y2 = Math.max(y2, y);
  }
  return { x1, y1, x2, y2 };
}
