/**
 * The options of a dub, declared once. The command line makes flags and help of them, the server checks with them
 * and hands them out as JSON Schema, pages draw forms from that, and `docs/options.md` is printed from it.
 */
import { z } from 'zod';

/** What stands beside an option in help, forms and docs. */
export interface OptionMeta {
  readonly description: string;
  /** Of a number: `px`, `fps`, `frames`, `s`. */
  readonly unit?: string;
  /** The heading under which help lists it. */
  readonly group: 'Model' | 'Face' | 'Mouth' | 'Time' | 'Output' | 'Run' | 'Picture';
  /** One letter. */
  readonly short?: string;
  /** What a flag's value is called in help: `FILE`, `DIR`. */
  readonly value?: string;
}

const about = <S extends z.ZodType>(schema: S, meta: OptionMeta): S => schema.meta({ ...meta });

/** Everything but the files that go in. */
const settings = {
  // Model
  model: about(z.string().min(1).default('auto'), {
    group: 'Model',
    value: 'NAME|DIR',
    description:
      'musetalk-1.5, musetalk-1.0, mini, or a folder with a model; auto takes the best one that is there',
  }),
  models: about(z.string().min(1).optional(), {
    group: 'Model',
    value: 'DIR',
    description:
      "Folder with the models, in upstream's layout; else MUSETALK_MODELS, else the user's data folder",
  }),
  version: about(z.enum(['v1', 'v15', '1.0', '1.5']).optional(), {
    group: 'Model',
    description: "Upstream's way to choose the model: v15 is musetalk-1.5, v1 is musetalk-1.0",
  }),
  decoder: about(z.enum(['sd', 'taesd']).default('sd'), {
    group: 'Model',
    description:
      'What draws the face from latents: the full decoder, or a tiny one with a twentieth of the work',
  }),
  latents: about(z.enum(['mean', 'sample']).default('mean'), {
    group: 'Model',
    description: 'Latents of a face: the most likely ones, or drawn at random as upstream does',
  }),
  seed: about(z.int().min(0).max(0xffffffff).default(0), {
    group: 'Model',
    description: 'Seed of sampled latents',
  }),
  compat: about(z.enum(['right', 'upstream']).default('right'), {
    group: 'Model',
    description: "upstream repeats the original's literal boxes and windows, with their faults",
  }),

  // Face
  face: about(
    z
      .string()
      .regex(
        /^(largest|left|right|speaking|\d+|\d+(\.\d+)?,\d+(\.\d+)?(@\d{1,8})?)$/,
        'is not largest, left, right, speaking, a number, x,y or x,y@frame',
      )
      .default('largest'),
    {
      group: 'Face',
      value: 'WHICH',
      description:
        'Which face is followed: largest, left, right, the n-th largest (0 = largest), the one at x,y (in a later frame: x,y@frame), or speaking: the one whose mouth moves most',
    },
  ),
  faceModel: about(z.enum(['auto', 'builtin', 'official']).default('auto'), {
    group: 'Face',
    description:
      'What finds faces: built in, or S3FD and RTMPose from the models folder; auto takes these if there',
  }),
  detectEvery: about(z.int().min(1).max(1000).default(25), {
    group: 'Face',
    unit: 'frames',
    description: 'From one detection to the next while the face is tracked without doubt',
  }),
  coords: about(z.string().min(1).optional(), {
    group: 'Face',
    value: 'FILE',
    description:
      "Boxes instead of finding faces: JSON with null or [x1,y1,x2,y2] for each frame, or upstream's pickle",
  }),
  saveCoords: about(z.string().min(1).optional(), {
    group: 'Face',
    value: 'FILE',
    description: 'Write the boxes that were found',
  }),
  bboxShift: about(z.int().min(-100).max(100).default(0), {
    group: 'Face',
    unit: 'px',
    description: 'Moves the line from which the face is drawn anew down (mouth opens wider) or up',
  }),
  extraMargin: about(z.int().min(0).max(200).default(10), {
    group: 'Face',
    unit: 'px',
    description: 'Room below the chin for the opening jaw; not used by 1.0',
  }),

  // Mouth
  parsing: about(z.string().min(1).optional(), {
    group: 'Mouth',
    value: 'DIR',
    description: 'Maps of face classes (PNG, 512 × 512) instead of a network that parses faces',
  }),
  parsingMode: about(z.enum(['jaw', 'neck', 'raw']).default('jaw'), {
    group: 'Mouth',
    description:
      'What may change: skin, lips and a wider chin; the neck too; skin and lips only; not used by 1.0',
  }),
  leftCheekWidth: about(z.int().min(0).max(256).default(90), {
    group: 'Mouth',
    unit: '1/512 of the face',
    description: "Of the picture's left cheek, how much may change (jaw)",
  }),
  rightCheekWidth: about(z.int().min(0).max(256).default(90), {
    group: 'Mouth',
    unit: '1/512 of the face',
    description: "Of the picture's right cheek, how much may change (jaw)",
  }),
  silence: about(z.enum(['close', 'keep', 'model']).default('close'), {
    group: 'Mouth',
    description: "In silence: a shut mouth, the source's own mouth, or what the network draws",
  }),

  audioPaddingLengthLeft: about(z.int().min(0).max(20).default(2), {
    group: 'Mouth',
    unit: '40 ms',
    description: 'Heard before each frame; the published weights want 2',
  }),
  audioPaddingLengthRight: about(z.int().min(0).max(20).default(2), {
    group: 'Mouth',
    unit: '40 ms',
    description: 'Heard after each frame; the published weights want 2',
  }),

  // Time
  fps: about(z.union([z.string().min(1), z.number().positive().max(1000)]).optional(), {
    group: 'Time',
    unit: 'fps',
    value: 'RATE',
    description:
      "Frame rate of the result, such as 25 or 30000/1001; the video's own by default, 25 for pictures",
  }),
  syncMode: about(z.enum(['bounce', 'loop', 'cut_off', 'silence', 'remap']).default('bounce'), {
    group: 'Time',
    description:
      'When sound and video differ in length: to and fro, again from the start, end with the shorter, end with the longer, or change the speed of the video',
  }),

  // Output
  frames: about(z.string().min(1).optional(), {
    group: 'Output',
    value: 'DIR',
    description: 'Write the finished frames as PNG files 00000000.png, 00000001.png, … too',
  }),
  sideBySide: about(z.boolean().default(false), {
    group: 'Output',
    description: 'Show source and result beside each other',
  }),
  crf: about(z.int().min(0).max(51).optional(), {
    group: 'Output',
    description: 'Quality of the video, lower is better; 18 for MP4',
  }),
  preset: about(
    z
      .enum(['ultrafast', 'superfast', 'veryfast', 'faster', 'fast', 'medium', 'slow', 'slower', 'veryslow'])
      .default('faster'),
    { group: 'Output', description: 'Speed of the video encoder' },
  ),
  overwrite: about(z.boolean().default(false), {
    group: 'Output',
    short: 'y',
    description: 'Replace the output if it exists',
  }),

  // Run
  batchSize: about(z.int().min(1).max(64).default(8), {
    group: 'Run',
    short: 'b',
    unit: 'frames',
    description: 'Given to the networks at once',
  }),
  threads: about(z.int().min(1).max(256).optional(), {
    group: 'Run',
    description: 'Threads of the networks; as many as there are processors by default',
  }),
  resume: about(z.boolean().default(false), {
    group: 'Run',
    description: 'Keep what is done beside the output, and continue there after an interruption',
  }),
};

/** Everything that can be said about a dub except where its files are. */
export const dubSettings = z.strictObject(settings);

/** A whole dub. */
export const dubOptions = z.strictObject({
  video: z.string().min(1).meta({ description: 'Video, picture or folder of pictures that shows the face' }),
  sound: z.string().min(1).meta({ description: 'Sound, or video with the sound, that the face shall say' }),
  output: z.string().min(1).meta({ description: 'Video to write: .mp4, .mov, .mkv or .webm' }),
  ...settings,
});

/** What a caller writes; everything but the three files has a default. */
export type DubInput = z.input<typeof dubOptions>;
/** What the code reads, defaults filled in. */
export type DubOptions = z.output<typeof dubOptions>;

/** The settings with their defaults filled in, without the files. */
export type DubSettings = z.output<typeof dubSettings>;
