/**
 * Which frame of the source stands behind each frame of the result, when the sound is longer or shorter than
 * the video.
 */

/**
 * `bounce`: forward, then backward, and so on, as long as the sound; `loop`: from the start again, as long as the
 * sound; `cut_off`: once, as long as the shorter of the two; `silence`: as long as the longer of the two, the
 * mouth at rest once the sound has ended; `remap`: the video slowed down or sped up to the sound's length.
 */
export type SyncMode = 'bounce' | 'loop' | 'cut_off' | 'silence' | 'remap';

/** How many frames there are to pair. */
export interface Lengths {
  /** Frames of the source, at least 1. */
  readonly source: number;
  /** Frames that the sound lasts, at the result's rate. */
  readonly sound: number;
}

/** How many frames the result has. A picture (one frame) lasts as long as the sound in every mode. */
export function resultLength(mode: SyncMode, { source, sound }: Lengths): number {
  if (source === 1) return sound;
  if (mode === 'cut_off') return Math.min(source, sound);
  if (mode === 'silence') return Math.max(source, sound);
  return sound;
}

/** The number of the source frame behind frame `index` of the result. */
export function sourceFrame(mode: SyncMode, index: number, { source, sound }: Lengths): number {
  if (mode === 'loop') return index % source;
  // The middle of the result's frame, carried over to the source.
  if (mode === 'remap') return Math.min(source - 1, Math.floor(((index + 0.5) * source) / sound));
  return toAndFro(index, source);
}

/** 0 … count − 1, count − 1 … 0, and again. Upstream: both ends come twice in a row. */
export function toAndFro(index: number, count: number): number {
  const place = index % (2 * count);
  return place < count ? place : 2 * count - 1 - place;
}

/** How many frames of the source the result shows, counted from its first: what has to be prepared. */
export function framesShown(mode: SyncMode, lengths: Lengths): number {
  return mode === 'remap' ? lengths.source : Math.min(lengths.source, resultLength(mode, lengths));
}
