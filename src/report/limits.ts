/**
 * Where faults begin. Each limit lies between what real video shows and what the fault makes of it. Numbers about
 * pixels were printed by `scripts/report/distributions.ts` over clips of eight people, encoded again; numbers about lips
 * were measured over 70 clips of GRID and others. Seam, tint and speech were held against dubs too, by mini, of 28 videos
 * and pictures.
 */
export const LIMITS = {
  /** Seconds between lips and sound. Of 53 clips of GRID, 52 lie within 0.04 and one is not judged; 3 frames are 0.12. */
  sync: 0.07,
  /** Travel of the lips in half a second of silence, box heights a second: 83 stretches have 0.004 in the median, 0.02 at most. */
  silence: 0.045,
  /** Travel in 0.6 s of speech: 537 stretches have 0.11 in the median, 0.014 at least; good dubs 0.009; frozen mouths 0.002 … 0.006. */
  speech: 0.007,
  /** Detail of the mouth against the source's: coarse encoding leaves 0.98 … 1.05; a mouth blurred by two pixels 0.39. */
  sharpness: 0.75,
  /** Against the upper face, a mouth with so much detail is sharp whatever the source's has; blurred ones have 0.4 … 0.6. */
  sharpBesideUpper: 1,
  /** Against the upper face, without a source: 1.03 … 2.01; a blurred mouth 0.51. */
  sharpnessAlone: 0.7,
  /** Levels, for 2.2 s: a seam of eight is measured as 9, one of five as 6; encoding makes 0, good dubs up to 10 for 1.7 s. */
  seam: 3,
  /** Levels by which the lower face's colour is off: encoding makes up to 1.4, good dubs up to 2.2, 3.8 for a moment. */
  tint: 3,
  /** Flicker of cheeks and chin against the source's: 0.6 … 1.0 in the median of a clip. */
  flicker: 2,
  /** Share of the picture outside the mask: coarse encoding changes up to 0.012 of a grainy one. */
  outside: 0.03,
  /** Levels of colour error, if a change of all colours explains it: encoding makes 0.4 … 1.7, in no direction. */
  colors: 1.2,
  /** Seconds between the starts, and between the lengths, of picture and sound. */
  start: 0.045,
  length: 0.2,
} as const;
