/**
 * The lip code: eight numbers that say what the lips and the chin do, told apart from who the person is. It is the
 * link between sound and picture in mini: the sound encoder predicts it, the picture network draws it.
 *
 * Principal components of lip and chin landmarks relative to the same person's closed mouth, without a mean, so
 * that a closed mouth is zero; each divided by its deviation.
 */
import { MINI_CODE } from '../../networks/mini-face.ts';

/** Vertices of FaceMesh on the outer and the inner lip, from the left corner over the top, and on the chin. */
// biome-ignore format: one line a part
const LIP_POINTS: readonly number[] = [
  61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146,
  78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
  152, 148, 377, 176, 400, 149, 378,
];

/** The place in {@link LIP_POINTS} of each point's mirror image. */
// biome-ignore format: one line a part
const MIRROR: readonly number[] = [
  10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 19, 18, 17, 16, 15, 14, 13, 12, 11,
  30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 39, 38, 37, 36, 35, 34, 33, 32, 31,
  40, 42, 41, 44, 43, 46, 45,
];

/** Numbers of a lip shape: x and y of each point. */
export const LIP_NUMBERS = 2 * LIP_POINTS.length;

/** How far the lips are from the closed mouth: mesh − neutral at the lip points, in units of `size`. */
export function lipShape(
  mesh: ArrayLike<number>,
  neutral: ArrayLike<number>,
  { stride, size }: { stride: number; size: number },
): Float32Array {
  const shape = new Float32Array(LIP_NUMBERS);
  for (const [i, point] of LIP_POINTS.entries()) {
    for (let axis = 0; axis < 2; axis++) {
      const at = point * stride + axis;
      shape[2 * i + axis] = (mesh[at]! - neutral[at]!) / size;
    }
  }
  return shape;
}

/** The shape of the mirrored face. */
export function mirroredShape(shape: Float32Array): Float32Array {
  const mirrored = new Float32Array(LIP_NUMBERS);
  for (const [i, from] of MIRROR.entries()) {
    mirrored[2 * i] = -shape[2 * from]!;
    mirrored[2 * i + 1] = shape[2 * from + 1]!;
  }
  return mirrored;
}

/** A basis of lip shapes. */
export interface LipBasis {
  /** [8, 94]: a code is `components · shape`, deviations divided out. */
  readonly components: Float32Array;
  /** Share of the shapes' squares that the first n components hold, n = 1 … 8. */
  readonly held: readonly number[];
}

/** The code of a shape: eight numbers of deviation about one. */
export function lipCode({ components }: LipBasis, shape: Float32Array): Float32Array {
  return Float32Array.from({ length: MINI_CODE }, (_, c) => {
    let sum = 0;
    for (let i = 0; i < LIP_NUMBERS; i++) sum += components[c * LIP_NUMBERS + i]! * shape[i]!;
    return sum;
  });
}

/** The basis of a set of shapes, each with its weight. */
export function fitLipBasis(shapes: readonly { shape: Float32Array; weight: number }[]): LipBasis {
  const n = LIP_NUMBERS;
  const covariance = new Float64Array(n * n);
  let total = 0;
  for (const { shape, weight } of shapes) {
    total += weight;
    for (let i = 0; i < n; i++) {
      const scaled = weight * shape[i]!;
      for (let j = 0; j < n; j++) covariance[i * n + j]! += scaled * shape[j]!;
    }
  }
  for (let i = 0; i < n * n; i++) covariance[i]! /= total;
  const { values, vectors } = eigen(covariance, n);
  const order = [...values.keys()].sort((a, b) => values[b]! - values[a]!);
  const components = new Float32Array(MINI_CODE * n);
  for (let c = 0; c < MINI_CODE; c++) {
    const column = order[c]!;
    const scale = signOf(vectors, column, n) / Math.sqrt(values[column]!);
    for (let i = 0; i < n; i++) components[c * n + i] = vectors[i * n + column]! * scale;
  }
  const all = values.reduce((a, b) => a + b, 0);
  let sum = 0;
  const held = order.slice(0, MINI_CODE).map((column) => {
    sum += values[column]!;
    return sum / all;
  });
  return { components, held };
}

/** So that the first component is positive for an open mouth: the chin (point 152) goes down. */
function signOf(vectors: Float64Array, column: number, n: number): number {
  const chin = vectors[(2 * LIP_POINTS.indexOf(152) + 1) * n + column]!;
  return chin < 0 ? -1 : 1;
}

/** Eigenvalues and vectors (columns) of a symmetric matrix, by Jacobi's rotations. */
function eigen(matrix: Float64Array, n: number): { values: Float64Array; vectors: Float64Array } {
  const a = Float64Array.from(matrix);
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += a[p * n + q]! ** 2;
    if (off < 1e-22) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, v, n, p, q);
  }
  return { values: Float64Array.from({ length: n }, (_, i) => a[i * n + i]!), vectors: v };
}

function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q]!;
  if (Math.abs(apq) < 1e-18) return;
  const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * apq);
  const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let k = 0; k < n; k++) {
    const [kp, kq] = [a[k * n + p]!, a[k * n + q]!];
    a[k * n + p] = c * kp - s * kq;
    a[k * n + q] = s * kp + c * kq;
  }
  for (let k = 0; k < n; k++) {
    const [pk, qk] = [a[p * n + k]!, a[q * n + k]!];
    a[p * n + k] = c * pk - s * qk;
    a[q * n + k] = s * pk + c * qk;
    const [kp, kq] = [v[k * n + p]!, v[k * n + q]!];
    v[k * n + p] = c * kp - s * kq;
    v[k * n + q] = s * kp + c * kq;
  }
}
