/** What goes into each frame of a dub: a frame of the source, what is heard, how the mouth rests. */
import { framesInOrder } from '../avatar/frames-in-order.ts';
import { type Lengths, resultLength, type SyncMode, sourceFrame } from '../avatar/order.ts';
import type { Avatar } from '../avatar/prepare.ts';
import { type RestPlan, restPlan } from '../avatar/rest.ts';
import type { Step } from '../avatar/speak.ts';
import { MuseTalkError } from '../core/errors.ts';
import { zip } from '../core/stream.ts';
import type { FloatTensor } from '../core/tensor.ts';
import type { LipModel } from '../lips/lip-model.ts';
import type { Frame, PlanarFrame, Rational, SoundSource, VideoSource } from '../media/source.ts';
import type { DubSettings } from '../options/dub.ts';
import { closedMouth } from '../sound/silence.ts';

/** Which frame of the source stands behind each frame of the result. */
export interface Order extends Lengths {
  readonly mode: SyncMode;
  /** Frames of the result. */
  readonly frameCount: number;
  readonly sourceOf: (frame: number) => number;
}

/**
 * The order of a dub.
 *
 * @throws MuseTalkError NO_SOUND when the sound does not last a frame.
 */
export function orderOf(model: LipModel, video: VideoSource, sound: SoundSource, mode: SyncMode): Order {
  const lengths: Lengths = { source: video.frameCount, sound: model.framesOf(sound, video.fps) };
  if (lengths.sound === 0) {
    throw new MuseTalkError(
      'NO_SOUND',
      `${sound.path} lasts ${sound.duration.toFixed(3)} s: less than half a frame`,
      {
        hint: 'Give a sound with speech in it.',
        facts: { path: sound.path, duration: sound.duration },
      },
    );
  }
  return orderBy(mode, lengths);
}

/** The order that follows from lengths. */
export function orderBy(mode: SyncMode, { source, sound }: Lengths): Order {
  const lengths = { source, sound };
  const frameCount = resultLength(mode, lengths);
  return { ...lengths, mode, frameCount, sourceOf: (frame) => sourceFrame(mode, frame, lengths) };
}

/** What silence is looked for with. */
export interface SilenceOptions {
  readonly fps: Rational;
  /** Frames of the result. */
  readonly frames: number;
  readonly mode: DubSettings['silence'];
  readonly signal?: AbortSignal | undefined;
}

/** How far the mouth of each frame rests, from the sound alone; nowhere where silence is drawn like everything else. */
export async function silenceOf(
  sound: SoundSource,
  { fps, frames, mode, signal }: SilenceOptions,
): Promise<Float32Array> {
  const weights = new Float32Array(frames);
  if (mode === 'model') return weights;
  let frame = 0;
  for await (const weight of closedMouth(sound.samples(), { fps })) {
    if (frame === frames) break;
    signal?.throwIfAborted();
    weights[frame++] = weight;
  }
  return weights;
}

/** How the mouth of each frame rests in silence. */
export function restOf(
  weights: Float32Array,
  { frameCount: sourceCount, opening }: Avatar,
  { sourceOf }: Order,
  mode: DubSettings['silence'],
): RestPlan {
  return restPlan(weights, { mode, sourceOf, sourceCount, opening });
}

/** A stretch of time, its end excluded; seconds. */
export interface TimeRange {
  readonly start: number;
  readonly end: number;
}

/** The plan with every frame outside the ranges at rest in its own mouth: those frames are not drawn at all. */
export function silentOutside(plan: RestPlan, ranges: readonly TimeRange[], fps: number): RestPlan {
  const weights = plan.weights.slice();
  const donors = plan.donors.slice();
  for (let frame = 0; frame < weights.length; frame++) {
    const time = (frame + 0.5) / fps;
    if (ranges.some(({ start, end }) => time >= start && time < end)) continue;
    weights[frame] = 1;
    donors[frame] = -1;
  }
  return { weights, donors };
}

/** Everything that steps are made of. */
export interface StepParts {
  readonly avatar: Pick<Avatar, 'video'>;
  readonly order: Order;
  readonly rest: RestPlan;
  /** What is heard in each frame from a given one on. */
  readonly heard: (start: number) => AsyncIterable<FloatTensor>;
  /** Frames as the video stores them, where it can. */
  readonly planar?: boolean | undefined;
}

/** The steps of a dub from frame `start` on. */
export async function* stepsFrom(
  start: number,
  { avatar: { video }, order, rest, heard, planar }: StepParts,
): AsyncGenerator<Step, void, undefined> {
  const { frameCount: frames, sourceOf } = order;
  function* sources() {
    for (let index = start; index < frames; index++) yield sourceOf(index);
  }
  let index = start;
  const { width, height, planes } = video;
  const pictures =
    planar && planes
      ? framesInOrder({ width, height, frames: planes }, sources())
      : framesInOrder(video, sources());
  for await (const [frame, condition] of zip<Frame | PlanarFrame, FloatTensor>(pictures, heard(start))) {
    yield { index, frame, condition, rest: rest.weights[index]!, donor: rest.donors[index]! };
    index++;
  }
}
