/** The options of a preview: those of a dub that decide where the face is and what may change, and which frame. */
import { z } from 'zod';
import { dubSettings } from './dub.ts';

/** What can be said about a preview. */
export const previewSettings = z.strictObject({
  frame: z.int().min(0).max(100_000_000).optional().meta({
    group: 'Picture',
    description: 'Number of the frame, from 0; the first by default',
  }),
  time: z.number().min(0).max(1_000_000).optional().meta({
    group: 'Picture',
    unit: 's',
    description: 'Time of the frame instead of its number',
  }),
  sweep: z.boolean().default(false).meta({
    group: 'Picture',
    description: 'A sheet of all values of --bbox-shift that make sense, the current one in yellow',
  }),
  ...dubSettings.pick({
    model: true,
    models: true,
    version: true,
    compat: true,
    face: true,
    faceModel: true,
    bboxShift: true,
    extraMargin: true,
    parsing: true,
    parsingMode: true,
    leftCheekWidth: true,
    rightCheekWidth: true,
    overwrite: true,
  }).shape,
});

/** The options of a preview with their defaults filled in. */
export type PreviewSettings = z.output<typeof previewSettings>;
