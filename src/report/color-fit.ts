/** Whether a dub shows the colours of its source, and if not, which mistake of conversion explains it. */

/** A map of colours: [3, 4] row by row, RGB and a constant → RGB, in levels 0 … 255. */
export type ColorMap = readonly number[];

/** Colours of the same places in source and dub, three numbers each. */
export interface ColorPairs {
  readonly source: readonly number[];
  readonly dub: readonly number[];
}

/** What the colours tell. */
export interface ColorFit {
  /** `same`; `matrix-601-as-709` and its reverse, `range-…`: a known mistake; `shifted`: another change. */
  readonly kind:
    | 'same'
    | 'matrix-601-as-709'
    | 'matrix-709-as-601'
    | 'range-tv-as-pc'
    | 'range-pc-as-tv'
    | 'shifted';
  /** Mean difference of the colours as they are, in levels. */
  readonly error: number;
  /** What of it is left after the change of `kind` is undone. */
  readonly left: number;
  /** Source → dub, fitted freely. */
  readonly map: ColorMap;
}

const IDENTITY: ColorMap = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0];

/** Luma weights of red and blue. */
const KR_KB = { 601: [0.299, 0.114], 709: [0.2126, 0.0722] } as const;

/** RGB → Y′CbCr (chroma −½ … ½) as [3, 3]. */
function toYcc([kr, kb]: readonly [number, number]): number[] {
  const kg = 1 - kr - kb;
  const [u, v] = [2 * (1 - kb), 2 * (1 - kr)];
  return [kr, kg, kb, -kr / u, -kg / u, (1 - kb) / u, (1 - kr) / v, -kg / v, -kb / v];
}

/** Y′CbCr → RGB as [3, 3]. */
function fromYcc([kr, kb]: readonly [number, number]): number[] {
  const kg = 1 - kr - kb;
  const [u, v] = [2 * (1 - kb), 2 * (1 - kr)];
  return [1, 0, v, 1, (-u * kb) / kg, (-v * kr) / kg, 1, u, 0];
}

function matrixSwap(made: 601 | 709, read: 601 | 709): ColorMap {
  const [a, b] = [fromYcc(KR_KB[read]), toYcc(KR_KB[made])];
  return [0, 1, 2].flatMap((row) => [
    ...[0, 1, 2].map((column) => [0, 1, 2].reduce((sum, k) => sum + a[3 * row + k]! * b[3 * k + column]!, 0)),
    0,
  ]);
}

function rangeSwap(gain: number, offset: number): ColorMap {
  return [gain, 0, 0, offset, 0, gain, 0, offset, 0, 0, gain, offset];
}

/** The mistakes that happen. */
const MISTAKES: readonly (readonly [ColorFit['kind'], ColorMap])[] = [
  ['matrix-601-as-709', matrixSwap(601, 709)],
  ['matrix-709-as-601', matrixSwap(709, 601)],
  ['range-tv-as-pc', rangeSwap(219 / 255, 16)],
  ['range-pc-as-tv', rangeSwap(255 / 219, (-16 * 255) / 219)],
];

/** Levels of difference that re-encoding alone makes, at most; see `limits.ts`. */
const LEAST_ERROR = 1.2;

/** A mistake is named when no more than this share of the difference is left without it; of noise all is left. */
const EXPLAINS = 0.7;

/** Compares colours; at least a few hundred pairs, of many colours. */
export function fitColors(pairs: ColorPairs): ColorFit {
  const error = errorOf(pairs, IDENTITY);
  const map = fittedMap(pairs);
  const [kind, known] = MISTAKES.map(([name, mistake]) => [name, errorOf(pairs, mistake)] as const).reduce(
    (best, next) => (next[1] < best[1] ? next : best),
  );
  if (error < LEAST_ERROR) return { kind: 'same', error, left: error, map: IDENTITY };
  if (known < EXPLAINS * error) return { kind, error, left: known, map };
  const left = errorOf(pairs, map);
  if (left < EXPLAINS * error) return { kind: 'shifted', error, left, map };
  return { kind: 'same', error, left: error, map: IDENTITY };
}

/** A colour after the map. */
export function mapColor(map: ColorMap, r: number, g: number, b: number): [number, number, number] {
  const channel = (row: number) =>
    map[4 * row]! * r + map[4 * row + 1]! * g + map[4 * row + 2]! * b + map[4 * row + 3]!;
  return [channel(0), channel(1), channel(2)];
}

/** Mean distance per channel between the dub and the mapped source, cut to what bytes can hold. */
function errorOf({ source, dub }: ColorPairs, map: ColorMap): number {
  let sum = 0;
  for (let i = 0; i < source.length; i += 3) {
    const mapped = mapColor(map, source[i]!, source[i + 1]!, source[i + 2]!);
    for (let c = 0; c < 3; c++) sum += Math.abs(Math.min(255, Math.max(0, mapped[c]!)) - dub[i + c]!);
  }
  return sum / source.length;
}

/** Least squares with a pull towards no change, so that a grey picture gives no wild map. */
function fittedMap({ source, dub }: ColorPairs): ColorMap {
  const n = 4;
  const normal = new Float64Array(n * n);
  const right = new Float64Array(n * 3);
  for (let i = 0; i < source.length; i += 3) {
    const row = [source[i]!, source[i + 1]!, source[i + 2]!, 1];
    for (let a = 0; a < n; a++) {
      for (let b = 0; b < n; b++) normal[a * n + b]! += row[a]! * row[b]!;
      for (let c = 0; c < 3; c++) right[a * 3 + c]! += row[a]! * dub[i + c]!;
    }
  }
  const pull = source.length / 3;
  for (let a = 0; a < n; a++) {
    normal[a * n + a]! += pull;
    if (a < 3) right[a * 3 + a]! += pull;
  }
  const solved = solve(normal, right, n);
  return [0, 1, 2].flatMap((c) => [0, 1, 2, 3].map((a) => solved[a * 3 + c]!));
}

/** Solves N X = R for a positive definite N by elimination; R and X are [n, 3]. */
function solve(normal: Float64Array, right: Float64Array, n: number): Float64Array {
  const a = Float64Array.from(normal);
  const x = Float64Array.from(right);
  for (let p = 0; p < n; p++) {
    for (let row = 0; row < n; row++) {
      if (row === p) continue;
      const factor = a[row * n + p]! / a[p * n + p]!;
      for (let c = p; c < n; c++) a[row * n + c]! -= factor * a[p * n + c]!;
      for (let c = 0; c < 3; c++) x[row * 3 + c]! -= factor * x[p * 3 + c]!;
    }
  }
  for (let p = 0; p < n; p++) for (let c = 0; c < 3; c++) x[p * 3 + c]! /= a[p * n + p]!;
  return x;
}
