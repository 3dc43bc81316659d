import { rational, toNumber, usualRate } from './rate.ts';
import type { Rational } from './source.ts';
import type { Timestamps } from './timestamps.ts';

/** How the frames of a source become frames of a constant rate. */
export interface Timing {
  readonly fps: Rational;
  readonly frameCount: number;
  /** The source's frame that is shown in frame i; undefined when it is i itself. */
  readonly shown: Uint32Array | undefined;
  readonly warnings: readonly string[];
}

/** A frame may stand this share of a frame's duration beside its place and still count as on the grid. */
const JITTER = 0.3;

/**
 * The constant rate for a source, and the source frame of each of its frames.
 *
 * A source whose frames stand on a grid keeps every frame, at the declared rate. Others (telephones, screen
 * recordings) are sampled at the usual rate nearest to their average, because players and the sound's windows need
 * one rate and the average keeps almost every frame; where the source pauses, frames repeat. `fps` overrides.
 */
export function constantTiming(stamps: Timestamps, declared: Rational | undefined, fps?: Rational): Timing {
  const { times } = stamps;
  const grid = gridOf(stamps, declared);
  if (grid && (fps === undefined || toNumber(fps) === toNumber(grid)))
    return { fps: grid, frameCount: times.length, shown: undefined, warnings: [] };

  const rate = fps ?? usualRate(averageRate(stamps), 0.01);
  const shown = sampleTimes(stamps, toNumber(rate));
  const used = new Set(shown).size;
  const why = grid ? `${toNumber(grid).toFixed(3)} frames a second` : 'a variable frame rate';
  const counts = `${shown.length - used} frames repeat, ${times.length - used} are left out`;
  const warnings = [`the video has ${why}; it is shown at ${toNumber(rate).toFixed(3)}: ${counts}`];
  return { fps: rate, frameCount: shown.length, shown, warnings };
}

/** Frames a second over the whole length. */
export function averageRate({ times, lastDuration }: Timestamps): number {
  return times.length / (times.at(-1)! + lastDuration);
}

function gridOf(stamps: Timestamps, declared: Rational | undefined): Rational | undefined {
  const average = usualRate(averageRate(stamps), 0.005);
  const candidates = declared
    ? [usualRate(toNumber(declared), 1e-4), rational(declared.num, declared.den), average]
    : [average];
  return candidates.find((rate) =>
    stamps.times.every((time, i) => Math.abs(time * toNumber(rate) - i) < JITTER),
  );
}

/**
 * For each frame of a constant rate the source frame on show in its middle: the last one with
 * time · fps < i + ½. The same choice as FFmpeg's `fps` filter, which rounds times to the nearest frame.
 */
export function sampleTimes({ times, lastDuration }: Timestamps, fps: number): Uint32Array {
  const count = Math.max(1, Math.round((times.at(-1)! + lastDuration) * fps));
  let source = 0;
  return Uint32Array.from({ length: count }, (_, i) => {
    while (source + 1 < times.length && times[source + 1]! * fps < i + 0.5) source++;
    return source;
  });
}
