import type { Point } from '../core/box.ts';

/**
 * The vertices of MediaPipe's FaceMesh that lie on the 68 points of iBUG's annotation, in its order: jaw 0–16
 * from the picture's left over the chin (8), brows 17–26, nose bridge 27–30, nostrils 31–35, eyes 36–47, outer
 * lip 48–59, inner lip 60–67. Symmetric under the left-right pairs of both schemes.
 */
// biome-ignore format: one line per part of the face
export const FACE_MESH_68: readonly number[] = [
  162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
  71, 63, 105, 66, 107, 336, 296, 334, 293, 301,
  168, 197, 5, 4,
  75, 97, 2, 326, 305,
  33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
  61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
  78, 82, 13, 312, 308, 317, 14, 87,
];

/**
 * The 68 points of a FaceMesh result: 468 or 478 points, `size` numbers each (x, y and z; any unit).
 *
 * Point 29 sets the upper edge of what is drawn anew. Annotators space 27 … 30 evenly; the nearest vertices lie
 * 2 % of the box height too low. So `bridge: 'even'` (default) puts 28 and 29 at thirds between 27 and 30, and
 * `'vertices'` takes the list as it is.
 */
export function landmarks68(
  mesh: ArrayLike<number>,
  { bridge = 'even', size = 3 }: { bridge?: 'even' | 'vertices'; size?: 2 | 3 } = {},
): Point[] {
  const points = FACE_MESH_68.map((vertex) => ({ x: mesh[vertex * size]!, y: mesh[vertex * size + 1]! }));
  if (bridge === 'even') {
    points[28] = between(points[27]!, points[30]!, 1 / 3);
    points[29] = between(points[27]!, points[30]!, 2 / 3);
  }
  return points;
}

function between(a: Point, b: Point, share: number): Point {
  return { x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share };
}
