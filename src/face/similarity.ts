import type { Affine } from '../image/warp.ts';

/**
 * The scale, turn and shift that bring `from` nearest to `to` (least squares): `x' = a·x − b·y + c`,
 * `y' = b·x + a·y + d`. Points are x, y after one another.
 *
 * Formula: Umeyama 1991, in the plane, where it has this closed form.
 */
export function fitSimilarity(from: ArrayLike<number>, to: ArrayLike<number>): Affine {
  const count = from.length / 2;
  const [mx, my, nx, ny] = [mean(from, 0), mean(from, 1), mean(to, 0), mean(to, 1)];
  let [dot, cross, spread] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const [x, y] = [from[2 * i]! - mx, from[2 * i + 1]! - my];
    const [u, v] = [to[2 * i]! - nx, to[2 * i + 1]! - ny];
    dot += x * u + y * v;
    cross += x * v - y * u;
    spread += x * x + y * y;
  }
  // Points that all fall on one place have no turn or scale to be fitted.
  const a = spread > 0 ? dot / spread : 1;
  const b = spread > 0 ? cross / spread : 0;
  return [a, -b, nx - a * mx + b * my, b, a, ny - b * mx - a * my];
}

/** The factor by which a similarity makes lengths larger. */
export function scaleOf([a, , , d]: Affine): number {
  return Math.hypot(a, d);
}

function mean(points: ArrayLike<number>, offset: 0 | 1): number {
  let sum = 0;
  for (let i = offset; i < points.length; i += 2) sum += points[i]!;
  return (2 * sum) / points.length;
}
