/** What a quality report says, as a schema: the API hands it out, the page and programs read it. */
import { z } from 'zod';

/** The faults that a report can find. */
const FINDING_CODES = [
  'lips-early',
  'lips-late',
  'moves-in-silence',
  'frozen-mouth',
  'blurred-mouth',
  'seam',
  'tint',
  'flicker',
  'colors',
  'changed-outside',
  'dropped-frames',
  'doubled-frames',
  'timing',
  'length',
  'no-face',
] as const;

/** Seconds from … to. */
const span = z.strictObject({ start: z.number(), end: z.number() });

/** Something that is wrong, or that one should know. */
export const findingSchema = z.strictObject({
  code: z.enum(FINDING_CODES),
  severity: z
    .enum(['fault', 'note'])
    .meta({ description: 'A note is worth knowing; a fault is to be mended' }),
  title: z.string(),
  detail: z.string().meta({ description: 'What was measured, and what is usual' }),
  value: z.number(),
  limit: z.number().meta({ description: 'Where faults begin' }),
  unit: z.string(),
  spans: z.array(span).meta({ description: 'When, at most twelve stretches' }),
  frames: z.array(z.int()).meta({ description: 'The worst frames, at most four' }),
});

const numbers = z.array(z.number().nullable());

const syncSchema = z.strictObject({
  by: z.enum(['mini', 'loudness']).meta({ description: 'What the opening is heard with' }),
  offset: z.number().nullable().meta({ description: 'Seconds; positive: the sound comes after the lips' }),
  confidence: z.number().meta({ description: 'How far the best lag stands above the others, 0 … 1' }),
  agreement: z.number(),
  windows: z.array(
    z.strictObject({
      start: z.number(),
      end: z.number(),
      offset: z.number().nullable(),
      confidence: z.number(),
    }),
  ),
  curve: z.array(z.strictObject({ lag: z.number(), agreement: z.number() })),
});

const syncNetSchema = z.strictObject({
  offset: z.number().nullable().meta({ description: 'Seconds; positive: the sound comes after the lips' }),
  confidence: z.number().meta({ description: 'Median distance of all lags less the least, 0 … 1.4' }),
  windows: z.int().meta({ description: 'Stretches of 0.64 s that were judged' }),
  curve: z.array(z.strictObject({ lag: z.number(), distance: z.number() })),
});

/** A whole report. */
export const reportSchema = z.strictObject({
  format: z.literal(1),
  verdict: z.enum(['good', 'faults']),
  summary: z.string(),
  video: z.strictObject({
    name: z.string(),
    width: z.int(),
    height: z.int(),
    fps: z.number(),
    frames: z.int(),
    duration: z.number(),
    sound: z.string().nullable(),
    source: z.string().nullable(),
  }),
  findings: z.array(findingSchema),
  notes: z.array(z.string()).meta({ description: 'What could not be measured, and why' }),
  measures: z.strictObject({
    sync: syncSchema.nullable(),
    syncNet: syncNetSchema.nullable().meta({ description: 'Where its weights are in the models folder' }),
    faces: z.strictObject({ found: z.int(), missing: z.int() }),
    sharpness: z.number().nullable().meta({ description: "Of the mouth; 1 is the source's" }),
    flicker: z
      .number()
      .nullable()
      .meta({ description: "Of cheeks and chin; 1 is the source's, or the upper face's" }),
    seam: z.number().nullable().meta({ description: 'Levels' }),
    tint: z.number().nullable().meta({ description: 'Levels' }),
    outside: z
      .number()
      .nullable()
      .meta({ description: 'Share of the picture outside the mask that has changed' }),
    colors: z.strictObject({ kind: z.string(), error: z.number() }).nullable(),
    dropped: z.array(z.int()),
    doubled: z.array(z.int()),
    timing: z.strictObject({
      irregular: z.int(),
      soundStart: z.number().nullable(),
      soundLength: z.number().nullable(),
      videoLength: z.number(),
    }),
  }),
  series: z.strictObject({
    opening: numbers,
    heard: numbers,
    silence: numbers,
    sharpness: numbers,
    seam: numbers,
    flicker: numbers,
    outside: numbers,
  }),
});

/** A finding. */
export type Finding = z.output<typeof findingSchema>;
/** A report. */
export type QualityReport = z.output<typeof reportSchema>;
