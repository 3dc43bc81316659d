/**
 * A Fourier transform for signals of any even length.
 *
 * Whisper's spectrogram is a DFT of 400 samples, which no power-of-two transform can give: padding to 512 would
 * move the bins. So: a mixed-radix transform (400 real = 200 complex = 4 · 2 · 5 · 5).
 */

/** |DFT|² of `input` (its length is the plan's size) into `power`, bins 0 … size/2. Nothing is scaled. */
export type PowerSpectrum = (input: Float64Array, power: Float64Array) => void;

/**
 * Plans the power spectrum of real signals of `size` samples.
 *
 * The even samples become the real parts and the odd ones the imaginary parts of a complex signal of half the
 * length. With its transform Z, and conj(Z) read backwards as Z', the result is (Z + Z')/2 + w (Z − Z')/2i,
 * w = exp(−2πi k / size).
 *
 * The returned function keeps its work space: it is fast, and not to be called from inside itself.
 *
 * @throws RangeError when `size` is not a positive even number.
 */
export function powerSpectrum(size: number): PowerSpectrum {
  if (!Number.isInteger(size) || size < 2 || size % 2 !== 0)
    throw new RangeError(`a real transform needs an even length, not ${size}`);
  const half = size / 2;
  const transform = complexFft(half);
  const zRe = new Float64Array(half);
  const zIm = new Float64Array(half);
  const cos = Float64Array.from({ length: half + 1 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
  const sin = Float64Array.from({ length: half + 1 }, (_, k) => Math.sin((2 * Math.PI * k) / size));

  return (input, power) => {
    for (let k = 0; k < half; k++) {
      zRe[k] = input[2 * k]!;
      zIm[k] = input[2 * k + 1]!;
    }
    const { re, im } = transform(zRe, zIm);
    for (let k = 0; k <= half; k++) {
      const a = k === half ? 0 : k;
      const b = k === 0 ? 0 : half - k;
      const evenRe = (re[a]! + re[b]!) / 2;
      const evenIm = (im[a]! - im[b]!) / 2;
      const oddRe = (im[a]! + im[b]!) / 2;
      const oddIm = (re[b]! - re[a]!) / 2;
      const x = evenRe + cos[k]! * oddRe + sin[k]! * oddIm;
      const y = evenIm + cos[k]! * oddIm - sin[k]! * oddRe;
      power[k] = x * x + y * y;
    }
  };
}

interface Complex {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** One pass of the transform: `groups` butterflies of `radix` points, each done for `stride` signals. */
interface Pass {
  readonly radix: number;
  readonly groups: number;
  readonly stride: number;
  /** [groups, radix out, radix in]: the roots of unity of the small DFT times the twiddle factor. */
  readonly cos: Float64Array;
  readonly sin: Float64Array;
}

/**
 * Stockham's self-sorting transform, decimated in frequency: each pass writes its results where the next one
 * reads them in order, so nothing is reordered at the end.
 */
function complexFft(size: number): (re: Float64Array, im: Float64Array) => Complex {
  const passes = planPasses(size);
  const spaces = [0, 1].map(() => ({ re: new Float64Array(size), im: new Float64Array(size) }));
  return (re, im) => {
    let from: Complex = { re, im };
    for (const [i, pass] of passes.entries()) {
      const to = spaces[i % 2]!;
      runPass(pass, from, to);
      from = to;
    }
    return from;
  };
}

function planPasses(size: number): Pass[] {
  const passes: Pass[] = [];
  let length = size;
  let stride = 1;
  for (const radix of factors(size)) {
    const groups = length / radix;
    const roots = groups * radix * radix;
    const cos = new Float64Array(roots);
    const sin = new Float64Array(roots);
    for (let at = 0; at < roots; at++) {
      const p = Math.floor(at / (radix * radix));
      const k = Math.floor(at / radix) % radix;
      const j = at % radix;
      // The product is taken modulo the length first, so that large angles lose no digits.
      const angle = (2 * Math.PI * (((groups * j + p) * k) % length)) / length;
      cos[at] = Math.cos(angle);
      sin[at] = -Math.sin(angle);
    }
    passes.push({ radix, groups, stride, cos, sin });
    length = groups;
    stride *= radix;
  }
  return passes;
}

/** Fours first: one pass over four points costs half of two passes over two. */
function factors(size: number): number[] {
  const found: number[] = [];
  let rest = size;
  for (let radix = 4; rest > 1; radix = radix === 4 ? 2 : radix === 2 ? 3 : radix + 2) {
    while (rest % radix === 0) {
      found.push(radix);
      rest /= radix;
    }
  }
  return found;
}

function runPass({ radix, groups, stride, cos, sin }: Pass, from: Complex, to: Complex): void {
  const { re, im } = from;
  const step = stride * groups;
  let root = 0;
  for (let p = 0; p < groups; p++) {
    for (let k = 0; k < radix; k++, root += radix) {
      const target = stride * (radix * p + k);
      for (let q = 0; q < stride; q++) {
        let sumRe = 0;
        let sumIm = 0;
        for (let j = 0, source = stride * p + q; j < radix; j++, source += step) {
          const c = cos[root + j]!;
          const s = sin[root + j]!;
          sumRe += re[source]! * c - im[source]! * s;
          sumIm += re[source]! * s + im[source]! * c;
        }
        to.re[target + q] = sumRe;
        to.im[target + q] = sumIm;
      }
    }
  }
}
