/** The options of a quality report. */
import { z } from 'zod';
import { dubSettings } from './dub.ts';

/** What can be said about a report, but for the video itself. */
export const reportSettings = z.strictObject({
  source: z.string().min(1).optional().meta({
    group: 'Picture',
    value: 'FILE',
    description: 'The video that was dubbed; tells dropped frames, seams, colours and changes elsewhere',
  }),
  sound: z.string().min(1).optional().meta({
    group: 'Picture',
    value: 'FILE',
    description: "The sound that the mouth should say; the video's own by default",
  }),
  ...dubSettings.pick({ face: true, models: true, overwrite: true }).shape,
});
