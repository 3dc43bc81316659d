import { MuseTalkError } from '../core/errors.ts';
import type { Rational } from './source.ts';

/** The fraction in lowest terms. `den` above 0. */
export function rational(num: number, den: number): Rational {
  const divisor = greatestCommonDivisor(Math.abs(num), den);
  return { num: num / divisor, den: den / divisor };
}

/** A fraction as a number. */
export function toNumber({ num, den }: Rational): number {
  return num / den;
}

/** A fraction as FFmpeg reads it: `30000/1001`. */
export function toText({ num, den }: Rational): string {
  return `${num}/${den}`;
}

/** Rates that cameras and editors use; a measured average near one of them means that one. */
const USUAL_RATES: readonly Rational[] = [
  ...[10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120].map((num) => ({ num, den: 1 })),
  ...[12000, 15000, 24000, 30000, 48000, 60000, 120000].map((num) => ({ num, den: 1001 })),
];

/**
 * A frame rate as a fraction: `"30000/1001"`, `"29.97"`, `25`. A decimal within 0.02 of a thousandth part of a
 * usual rate is that rate (29.97 → 30000/1001); others keep three decimals.
 *
 * @throws MuseTalkError `BAD_OPTION` for anything that is no rate in (0, 1000].
 */
export function parseRate(rate: number | string | Rational): Rational {
  const fraction = typeof rate === 'object' ? rate : readRate(String(rate));
  if (fraction === undefined || !(toNumber(fraction) > 0 && toNumber(fraction) <= 1000))
    throw new MuseTalkError('BAD_OPTION', `${JSON.stringify(rate)} is not a frame rate`, {
      hint: 'Give frames per second above 0 and up to 1000, such as 25, 29.97 or 30000/1001.',
      facts: { rate },
    });
  return rational(fraction.num, fraction.den);
}

function readRate(text: string): Rational | undefined {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  if (match) return Number(match[2]) > 0 ? { num: Number(match[1]), den: Number(match[2]) } : undefined;
  return /^\d+(\.\d+)?$/.test(text.trim()) ? usualRate(Number(text), 2e-5) : undefined;
}

/**
 * The usual rate that differs from `rate` by less than the share `tolerance`, else `rate` to three decimals.
 * Among several the nearest wins.
 */
export function usualRate(rate: number, tolerance: number): Rational {
  const distance = (r: Rational) => Math.abs(toNumber(r) - rate) / rate;
  const nearest = USUAL_RATES.reduce((a, b) => (distance(b) < distance(a) ? b : a));
  return distance(nearest) < tolerance ? nearest : rational(Math.round(rate * 1000), 1000);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
