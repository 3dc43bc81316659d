/**
 * Seeded random numbers. Every update of a training draws from a generator of its own, seeded by the run's seed
 * and the update's number: so batches can be made ahead or on another thread, and a resumed run draws what an
 * unbroken one would have drawn, without any state to keep.
 */
export class Random {
  readonly #s: Uint32Array;

  /** The same numbers for the same seeds, other numbers for any other ones. Seeds are taken as 32-bit integers. */
  constructor(...seeds: number[]) {
    let z = 0x243f6a88;
    const next = (salt: number) => {
      z = mix((z ^ mix(salt)) + 0x9e3779b9);
      return z;
    };
    for (const seed of seeds) next(seed);
    this.#s = Uint32Array.from([1, 2, 3, 4], next);
    // The generator stands still at zero.
    if (this.#s.every((word) => word === 0)) this.#s[0] = 1;
  }

  /** 32 random bits. xoshiro128** 1.1 (Blackman and Vigna, 2018). */
  bits(): number {
    const s = this.#s;
    const result = Math.imul(rotated(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotated(s[3]!, 11);
    return result;
  }

  /** Uniform in low … high, high excluded, in steps of 2⁻⁵³ of the range. */
  uniform(low = 0, high = 1): number {
    const unit = ((this.bits() >>> 5) * 2 ** 26 + (this.bits() >>> 6)) / 2 ** 53;
    return low + (high - low) * unit;
  }

  /** A whole number, each of low … high (both included) equally likely. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low + 1));
  }

  /** Normally distributed (Box and Muller, 1958). */
  normal(mean = 0, deviation = 1): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return mean + deviation * radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** One of the items. @throws RangeError when there is none. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('nothing to pick from');
    return items[this.integer(0, items.length - 1)]!;
  }
}

function rotated(word: number, by: number): number {
  return ((word << by) | (word >>> (32 - by))) >>> 0;
}

/** A bijection of 32-bit integers that leaves no visible order. */
function mix(word: number): number {
  let z = word | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}
