/** The second half of a dub: frames, from any one on. */
import type { Avatar } from '../avatar/prepare.ts';
import type { RestPlan } from '../avatar/rest.ts';
import { speak } from '../avatar/speak.ts';
import { beside } from '../image/beside.ts';
import type { Image } from '../image/image.ts';
import { isPlanar, type PlanarImage } from '../image/planar.ts';
import type { LipModel } from '../lips/lip-model.ts';
import type { EncodeOptions } from '../media/encoder.ts';
import type { VideoSource } from '../media/source.ts';
import { giveBack } from '../media/spare-frames.ts';
import type { DubOptions } from '../options/dub.ts';
import type { Heard } from './heard.ts';
import { type Order, stepsFrom } from './steps.ts';

/** What the frames of a dub are drawn from. */
export interface Drawing {
  readonly options: DubOptions;
  readonly video: VideoSource;
  readonly model: LipModel;
  readonly avatar: Avatar;
  readonly order: Order;
  readonly rest: RestPlan;
  readonly heard: Heard;
}

/** Who follows the drawing. */
export interface DrawRun {
  readonly signal?: AbortSignal | undefined;
  /** Hears the number of each frame that is drawn. */
  readonly onFrame: (index: number) => void;
}

/**
 * The frames of the result from frame `start` on; the same ones wherever a run begins. The bytes of each are those of
 * a later one as soon as the next is asked for.
 */
export async function* drawFrom(
  start: number,
  drawing: Drawing,
  { signal, onFrame }: DrawRun,
): AsyncGenerator<Image | PlanarImage, void, undefined> {
  const { options, model, avatar, rest } = drawing;
  const { batchSize, sideBySide: keepOriginals } = options;
  const speaking = { batchSize, keepOriginals, lenders: new Set(rest.donors), signal };
  const steps = stepsFrom(start, { ...drawing, planar: isDrawnPlanar(drawing) });
  for await (const { index, image, original } of speak(model, avatar, steps, speaking)) {
    onFrame(index);
    yield original && !isPlanar(original) && !isPlanar(image) ? beside(original, image) : image;
    // Whoever asks for the next frame has written this one.
    giveBack(image);
  }
}

/**
 * Whether frames are drawn on as the video stores them: what is not drawn on is then neither converted nor changed,
 * which saves a quarter of the work beside the networks. For models that look at no more than the face.
 */
function isDrawnPlanar({ model, video, options }: Drawing): boolean {
  const asRgb = options.sideBySide || options.frames !== undefined;
  return model.planar !== undefined && video.planes !== undefined && !asRgb;
}

/** How the frames are encoded. */
export function encodingOf(drawing: Drawing): EncodeOptions {
  const { video, options } = drawing;
  const planar = isDrawnPlanar(drawing);
  const { fps, width, height, pixelAspect, color } = video;
  const { crf, preset } = options;
  return {
    fps,
    width: width * (options.sideBySide ? 2 : 1),
    height,
    pixelAspect,
    color,
    crf,
    preset,
    planar,
  };
}
