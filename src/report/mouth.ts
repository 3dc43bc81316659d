/** What the mouth does while it should rest, and while it should speak. */
import { median, runs } from './statistics.ts';

/** Facts of each frame that mouth and sound are compared by. */
export interface MouthSeries {
  readonly fps: number;
  /** NaN without a face. */
  readonly opening: ArrayLike<number>;
  /** Movement of the lips since the frame before, as a share of the box's height. */
  readonly movement: ArrayLike<number>;
  /** How far the mouth should be closed by the sound, 0 (voice) … 1 (silence). */
  readonly silence: ArrayLike<number>;
  /** How open the mouth should be by the sound, in any unit; undefined where that is not known. */
  readonly heard?: ArrayLike<number> | undefined;
}

/** A stretch of frames, `end` excluded, and what was measured in it. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly value: number;
}

/** Seconds before a voice, and after it, in which lips may move: they part early and close late. */
const BEFORE = 0.24;
const AFTER = 0.2;

/** Seconds of a stretch that is judged. */
const SILENCE = 0.5;
const SPEECH = 0.6;

/** The travel of the lips in silence, in shares of the box's height per second, over each stretch of silence. */
export function movementInSilence({ fps, silence, opening }: MouthSeries): Stretch[] {
  const voice = (i: number) => silence[i]! < 0.5;
  const near = new Uint8Array(silence.length);
  for (let i = 0; i < silence.length; i++) {
    if (!voice(i)) continue;
    const from = Math.max(0, Math.floor(i - BEFORE * fps));
    const to = Math.min(silence.length - 1, Math.ceil(i + AFTER * fps));
    near.fill(1, from, to + 1);
  }
  const length = Math.round(SILENCE * fps);
  return runs(silence.length, (i) => !near[i] && Number.isFinite(opening[i]), length).flatMap(
    ({ start, end }) =>
      windowsIn(start, end, length).map((window) => ({ ...window, value: travel(opening, window, fps) })),
  );
}

/** What is heard in a window must travel by this share of what is usual; in less, a vowel is held. */
const HELD = 0.6;

/**
 * The travel of the lips in windows of steady speech: near nothing where the mouth stands still. Windows in which the
 * sound stands still too are left out: who holds a vowel holds the lips.
 */
export function movementInSpeech({ fps, silence, opening, heard }: MouthSeries): Stretch[] {
  const length = Math.round(SPEECH * fps);
  const windows = runs(
    silence.length,
    (i) => silence[i]! < 0.05 && Number.isFinite(opening[i]),
    length,
  ).flatMap(({ start, end }) => windowsIn(start, end, length));
  const sound = heard && windows.map((window) => travel(heard, window, fps));
  const least = sound ? HELD * median(sound) : 0;
  return windows
    .filter((_, i) => !sound || !(sound[i]! < least))
    .map((window) => ({ ...window, value: travel(opening, window, fps) }));
}

/** Windows of `length` frames, half overlapping; the last one ends at `end`. */
function windowsIn(start: number, end: number, length: number): { start: number; end: number }[] {
  const windows: { start: number; end: number }[] = [];
  const step = Math.max(1, Math.floor(length / 2));
  for (let from = start; from + length < end; from += step) windows.push({ start: from, end: from + length });
  windows.push({ start: Math.max(start, end - length), end });
  return windows;
}

/** Sum of the changes of the opening, a second; changes of the size of the landmarks' noise count little. */
function travel(
  opening: ArrayLike<number>,
  { start, end }: { start: number; end: number },
  fps: number,
): number {
  let sum = 0;
  for (let i = start + 1; i < end; i++) sum += Math.abs(smooth(opening, i) - smooth(opening, i - 1));
  return (sum * fps) / (end - start - 1);
}

function smooth(values: ArrayLike<number>, at: number): number {
  let [sum, weight] = [0, 0];
  for (const [step, share] of [
    [-1, 1],
    [0, 2],
    [1, 1],
  ] as const) {
    const value = values[at + step];
    if (value === undefined || !Number.isFinite(value)) continue;
    sum += share * value;
    weight += share;
  }
  return sum / weight;
}
