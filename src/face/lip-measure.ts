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

/** The share of the widest openings that count as the one before them: a yawn is no speech. */
const YAWNS = 0.02;

/** How widely lips move: the standard deviation of their openings, those that are not known (NaN) left out. */
export function lipSpread(openings: Iterable<number>): number {
  const known = [...openings].filter((opening) => !Number.isNaN(opening)).sort((a, b) => a - b);
  if (known.length === 0) return 0;
  const widest = known[Math.floor((1 - YAWNS) * (known.length - 1))]!;
  const believed = known.map((opening) => Math.min(opening, widest));
  const mean = believed.reduce((a, b) => a + b, 0) / believed.length;
  return Math.sqrt(believed.reduce((sum, x) => sum + (x - mean) ** 2, 0) / believed.length);
}
