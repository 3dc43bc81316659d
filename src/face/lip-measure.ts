/** Pairs of vertices, upper and lower edge of the inner lips: middle, left and right of it. */
const INNER_LIPS = [
  [13, 14],
  [82, 87],
  [312, 317],
] as const;

/**
 * How far the lips are apart: the mean of three distances between their inner edges, in the unit of the mesh.
 * Divide it by the box height to compare faces: closed 0.004 … 0.01, speech up to some 0.1.
 *
 * mesh: 468 points, `size` numbers each.
 */
export function lipOpening(mesh: ArrayLike<number>, size: 2 | 3 = 3): number {
  const distances = INNER_LIPS.map(([upper, lower]) =>
    Math.hypot(mesh[upper * size]! - mesh[lower * size]!, mesh[upper * size + 1]! - mesh[lower * size + 1]!),
  );
  return distances.reduce((sum, distance) => sum + distance, 0) / distances.length;
}
