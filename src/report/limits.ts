/**
 * Where faults begin. Each limit lies between what real video shows and what the fault makes of it; the numbers beside
 * it were printed by `scripts/report/distributions.ts` over clips of 27 people.
 */
export const LIMITS = {
  /** Seconds between lips and sound. Of 53 clips in sync, 51 are measured within 0.04, one at 0.05; 3 frames are 0.12. */
  sync: 0.07,
  /** Travel of the lips in silence, box heights a second: 190 stretches have 0.004 in the median, 0.029 at 99 %, 0.049 at most. */
  silence: 0.06,
  /** Travel in 0.6 s of speech: 537 stretches have 0.11 in the median, 0.014 at least; a frozen mouth 0.002. */
  speech: 0.009,
  /** Detail of the mouth against the source's: coarse encoding leaves 0.96 … 1.05. */
  sharpness: 0.75,
  /** Detail of the mouth against the upper face's, without a source. */
  sharpnessAlone: 0.35,
  /** Levels: a seam of eight levels is measured as 8.5, encoding as up to 2.8. */
  seam: 5,
  /** Levels by which the lower face's colour is off: encoding makes up to 1.4. */
  tint: 4,
  /** Flicker of cheeks and chin against the source's: 0.8 … 1.1 in the median of a clip. */
  flicker: 2,
  /** Share of the picture outside the mask: encoding changes up to 0.001 of it. */
  outside: 0.01,
  /** Levels of colour error. */
  colors: 1.2,
  /** Seconds between the starts, and between the lengths, of picture and sound. */
  start: 0.045,
  length: 0.2,
} as const;
