/**
 * Phones of recordings whose words are known: the sequence from flite's lexicon, the times by forced alignment with
 * the sound encoder's own phone scores.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PHONES } from '../../src/networks/mini-sound.ts';

const run = promisify(execFile);

const GRID_WORDS: readonly Readonly<Record<string, string>>[] = [
  { b: 'bin', l: 'lay', p: 'place', s: 'set' },
  { b: 'blue', g: 'green', r: 'red', w: 'white' },
  { a: 'at', b: 'by', i: 'in', w: 'with' },
  {},
  Object.fromEntries(
    'zero one two three four five six seven eight nine'
      .split(' ')
      .flatMap((word, i) => [[i === 0 ? 'z' : String(i), word]]),
  ),
  { a: 'again', n: 'now', p: 'please', s: 'soon' },
];

/** The words of a GRID sentence from its six-letter code, or `undefined` for other names. */
export function gridText(code: string): string | undefined {
  if (!/^[blps][bgrw][abiw][a-z][z1-9][anps]$/.test(code)) return undefined;
  return [...code].map((letter, i) => GRID_WORDS[i]![letter] ?? letter).join(' ');
}

/** The phones of a text as flite reads it, without pauses, as numbers in {@link PHONES}. */
export async function phonesOf(text: string): Promise<number[]> {
  const { stdout } = await run('flite', ['-voice', 'slt', '-t', text, '-o', 'none', '-psdur']);
  return stdout
    .trim()
    .split(/\s+/)
    .map((part) => PHONES.indexOf(part.split(':')[0]!))
    .filter((phone) => phone > 0);
}

/**
 * The phone of each row when the sequence is said once, with a pause possible before, between and after: the path of
 * the greatest total score (Viterbi).
 *
 * @param scores log-probabilities, [rows, phones]
 */
export function align(scores: Float32Array, sequence: readonly number[]): Int16Array {
  const count = PHONES.length;
  const rows = scores.length / count;
  const states = [0, ...sequence.flatMap((phone) => [phone, 0])];
  const n = states.length;
  let best = new Float64Array(n).fill(-Infinity);
  best[0] = scores[0]!;
  best[1] = scores[states[1]!]!;
  const from = new Int8Array(rows * n);
  for (let t = 1; t < rows; t++) {
    const next = new Float64Array(n).fill(-Infinity);
    for (let s = 0; s < n; s++) {
      // Stay, come from the state before, or skip the pause between two phones.
      let step = 0;
      let value = best[s]!;
      if (s > 0 && best[s - 1]! > value) [step, value] = [1, best[s - 1]!];
      if (s > 1 && states[s] !== 0 && best[s - 2]! > value) [step, value] = [2, best[s - 2]!];
      next[s] = value + scores[t * count + states[s]!]!;
      from[t * n + s] = step;
    }
    best = next;
  }
  const phones = new Int16Array(rows);
  let s = best[n - 1]! > best[n - 2]! ? n - 1 : n - 2;
  for (let t = rows - 1; t >= 0; t--) {
    phones[t] = states[s]!;
    s -= from[t * n + s]!;
  }
  return phones;
}

/** Offsets, in rows of 20 ms, at which a phone's effect on the lips is told apart, and their reach. */
const OFFSETS = [-10, -7, -4.5, -2, 0, 2, 4.5, 7, 10];
const REACH = 2.2;

/** For each row, how much of each phone lies at each offset: [rows, phones × offsets + 1]. */
export function articulation(phones: Int16Array): { features: Float32Array; width: number } {
  const width = PHONES.length * OFFSETS.length + 1;
  const features = new Float32Array(phones.length * width);
  for (let t = 0; t < phones.length; t++) {
    for (const [o, offset] of OFFSETS.entries()) {
      let total = 0;
      for (let d = -5; d <= 5; d++) total += Math.exp(-((d / REACH) ** 2) / 2);
      for (let d = -5; d <= 5; d++) {
        const at = Math.min(phones.length - 1, Math.max(0, Math.round(t + offset) + d));
        const phone = phones[at]!;
        if (phone < 0) continue;
        const weight = Math.exp(-((d / REACH) ** 2) / 2) / total;
        features[t * width + phone * OFFSETS.length + o]! += weight;
      }
    }
    features[t * width + width - 1] = 1;
  }
  return { features, width };
}

/** Ridge regression: weights [width, outputs] that take features to targets, each row counting by its weight. */
export function ridge(
  samples: Iterable<{ features: Float32Array; targets: Float32Array; weight: number }>,
  width: number,
  outputs: number,
  lambda: number,
): Float64Array {
  const gram = new Float64Array(width * width);
  const moment = new Float64Array(width * outputs);
  for (const { features, targets, weight } of samples) {
    const rows = features.length / width;
    const used = new Int32Array(width);
    for (let t = 0; t < rows; t++) {
      let n = 0;
      const row = t * width;
      for (let i = 0; i < width; i++) if (features[row + i] !== 0) used[n++] = i;
      for (let a = 0; a < n; a++) {
        const i = used[a]!;
        const value = features[row + i]! * weight;
        for (let b = 0; b < n; b++) gram[i * width + used[b]!]! += value * features[row + used[b]!]!;
        for (let c = 0; c < outputs; c++) moment[i * outputs + c]! += value * targets[t * outputs + c]!;
      }
    }
  }
  for (let i = 0; i < width; i++) gram[i * width + i]! += lambda;
  return solve(gram, moment, width, outputs);
}

/** Cholesky: the matrix is symmetric and positive. */
function solve(matrix: Float64Array, right: Float64Array, n: number, outputs: number): Float64Array {
  for (let j = 0; j < n; j++) {
    for (let k = 0; k < j; k++) {
      const l = matrix[j * n + k]!;
      for (let i = j; i < n; i++) matrix[i * n + j]! -= matrix[i * n + k]! * l;
    }
    const root = Math.sqrt(matrix[j * n + j]!);
    for (let i = j; i < n; i++) matrix[i * n + j]! /= root;
  }
  const x = Float64Array.from(right);
  for (let c = 0; c < outputs; c++) {
    for (let i = 0; i < n; i++) {
      let sum = x[i * outputs + c]!;
      for (let k = 0; k < i; k++) sum -= matrix[i * n + k]! * x[k * outputs + c]!;
      x[i * outputs + c] = sum / matrix[i * n + i]!;
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = x[i * outputs + c]!;
      for (let k = i + 1; k < n; k++) sum -= matrix[k * n + i]! * x[k * outputs + c]!;
      x[i * outputs + c] = sum / matrix[i * n + i]!;
    }
  }
  return x;
}

/** Features times weights: [rows, outputs]. */
export function predict(features: Float32Array, weights: Float64Array, outputs: number): Float32Array {
  const width = weights.length / outputs;
  const rows = features.length / width;
  const result = new Float32Array(rows * outputs);
  for (let t = 0; t < rows; t++) {
    for (let i = 0; i < width; i++) {
      const value = features[t * width + i]!;
      if (value === 0) continue;
      for (let c = 0; c < outputs; c++) result[t * outputs + c]! += value * weights[i * outputs + c]!;
    }
  }
  return result;
}
