/**
 * Which rows of encoder features each frame of a video hears.
 *
 * The encoder gives 50 rows a second; a frame hears 10 of them, the rows of the two frames before it to the two
 * after it at 25 fps. Here everything is integer arithmetic on the exact frame rate, so that frame and row stay
 * together for hours. What upstream computes instead, with its faults, is in `upstream-windows.ts`.
 */
import { MuseTalkError } from '../core/errors.ts';
import type { Rational } from '../media/source.ts';
import { SAMPLE_RATE } from './mel.ts';

/** Rows of features per second: one for every 20 ms. */
export const FEATURE_RATE = 50;

/** Samples that one row of features stands for. */
const SAMPLES_PER_ROW = SAMPLE_RATE / FEATURE_RATE;

/** Frames per second: a fraction where it must be exact (30000/1001), or a number. */
export type FrameRate = number | Rational;

/** The numbers of the rows that one frame hears, in order of time; −1 stands for a row of zeros. */
export type FrameWindow = Int32Array;

/** How a number of frames that is no integer becomes one. */
export type Rounding = 'floor' | 'round' | 'ceil';

/** Which rows one frame hears. */
export interface WindowOptions {
  /** Rows of features that the sound has. */
  readonly rows: number;
  readonly fps: FrameRate;
  /** What stands for rows outside the sound: zeros (1.5), or the first and the last row again (1.0). */
  readonly ends: 'zeros' | 'repeat';
  /** Frames of 40 ms heard before and after the frame itself. 2 and 2 by default: 10 rows. */
  readonly before?: number;
  readonly after?: number;
}

/**
 * The window of frame `frame`: rows c − 4 … c + 5 with c = floor(frame · 50 / fps), for every rate.
 *
 * At 25 fps frame 0 hears rows −4 … 5 and frame 10 rows 16 … 25, as in both versions of MuseTalk.
 *
 * @throws MuseTalkError BAD_OPTION when the rate is not above 0.
 */
export function windowOfFrame(
  frame: number,
  { rows, fps, ends, before = 2, after = 2 }: WindowOptions,
): FrameWindow {
  const first = rowOfFrame(frame, fps) - 2 * before;
  return Int32Array.from({ length: 2 * (before + 1 + after) }, (_, i) => {
    const row = first + i;
    if (ends === 'repeat') return Math.min(Math.max(row, 0), rows - 1);
    return row >= 0 && row < rows ? row : -1;
  });
}

/** The row of features in whose 20 ms frame `frame` begins: floor(frame · 50 / fps), exact. */
export function rowOfFrame(frame: number, fps: FrameRate): number {
  const { num, den } = exactRate(fps);
  return floorOfQuotient(frame * FEATURE_RATE * den, num);
}

/** Rows of features of a sound of so many samples at 16 kHz: only whole ones count. */
export function rowsOfSound(samples: number): number {
  return floorOfQuotient(samples, SAMPLES_PER_ROW);
}

/**
 * Frames that a sound of `samples` samples at 16 kHz lasts: samples / 16000 · fps, exact, then rounded. 18560
 * samples at 25 fps are 29 frames (in floating point they are 28.999999999999996).
 */
export function frameCount(samples: number, fps: FrameRate, rounding: Rounding = 'round'): number {
  const { num, den } = exactRate(fps);
  const divisor = SAMPLE_RATE * den;
  if (rounding === 'floor') return floorOfQuotient(samples * num, divisor);
  if (rounding === 'ceil') return floorOfQuotient(samples * num + divisor - 1, divisor);
  return floorOfQuotient(2 * samples * num + divisor, 2 * divisor);
}

/**
 * A frame rate as a fraction of integers. A number becomes the simplest fraction that differs from it by less
 * than a billionth part (29.97 → 2997/100, 29.97002997002997 → 30000/1001): 4 microseconds in an hour.
 *
 * @throws MuseTalkError BAD_OPTION when the rate is not a finite number above 0.
 */
export function exactRate(fps: FrameRate): Rational {
  if (typeof fps === 'number' && fps > 0 && Number.isFinite(fps)) return simplestFraction(fps);
  if (typeof fps === 'object' && isPositiveInteger(fps.num) && isPositiveInteger(fps.den)) return fps;
  throw new MuseTalkError('BAD_OPTION', `${describe(fps)} is not a frame rate.`, {
    hint: 'Give a number of frames per second above 0, such as 25 or 30000/1001.',
    facts: { fps },
  });
}

/** Convergents of the continued fraction of `value`, until one is near enough. */
function simplestFraction(value: number): Rational {
  let [num, den] = [Math.floor(value), 1];
  let [previousNum, previousDen] = [1, 0];
  let rest = value - num;
  while (Math.abs(num / den - value) > 1e-9 * value) {
    const inverse = 1 / rest;
    const digit = Math.floor(inverse);
    rest = inverse - digit;
    [num, previousNum] = [digit * num + previousNum, num];
    [den, previousDen] = [digit * den + previousDen, den];
  }
  return { num, den };
}

/** floor(a / b) for integers, a ≥ 0: exact also where the quotient in floating point would round up. */
function floorOfQuotient(a: number, b: number): number {
  return Number.isSafeInteger(a) ? (a - (a % b)) / b : Math.floor(a / b);
}

function isPositiveInteger(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

function describe(fps: FrameRate): string {
  return typeof fps === 'object' ? `${fps.num}/${fps.den}` : String(fps);
}
