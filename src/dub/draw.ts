/** The second half of a dub: frames, from any one on. */
import type { Avatar } from '../avatar/prepare.ts';
import type { RestPlan } from '../avatar/rest.ts';
import { speak } from '../avatar/speak.ts';
import { beside } from '../image/beside.ts';
import type { Image } from '../image/image.ts';
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
): AsyncGenerator<Image, void, undefined> {
  const { options, model, avatar, rest } = drawing;
  const { batchSize, sideBySide: keepOriginals } = options;
  const speaking = { batchSize, keepOriginals, lenders: new Set(rest.donors), signal };
  for await (const { index, image, original } of speak(model, avatar, stepsFrom(start, drawing), speaking)) {
    onFrame(index);
    yield original ? beside(original, image) : image;
    // Whoever asks for the next frame has written this one.
    giveBack(image);
  }
}

/** How the frames are encoded. */
export function encodingOf({ video, options }: Drawing): EncodeOptions {
  const { fps, width, height, pixelAspect, color } = video;
  const { crf, preset } = options;
  return { fps, width: width * (options.sideBySide ? 2 : 1), height, pixelAspect, color, crf, preset };
}
