/**
 * Makes a training clip of a video: crops in the steady frame of reference of the face, the lips' shapes and how far
 * they are open.
 */
import { MuseTalkError } from '../../core/errors.ts';
import { builtinFinder } from '../../face/builtin.ts';
import type { FaceModels } from '../../face/models.ts';
import type { SteadyFrame } from '../../face/steady-box.ts';
import { steadyShot } from '../../face/steady-box.ts';
import type { Image } from '../../image/image.ts';
import { resample } from '../../image/resample.ts';
import type { TurnedBox } from '../../image/warp.ts';
import type { VideoSource } from '../../media/source.ts';
import { MINI_SIZE } from '../../networks/mini-face.ts';
import { CROP_SIZE } from './face-batches.ts';
import { LIP_NUMBERS, lipShape } from './lip-code.ts';

/** What is measured on a clip before lip codes can be made. */
export interface MeasuredClip {
  readonly frames: number;
  /** RGB, [frames, 152, 152, 3] */
  readonly crops: Uint8Array;
  /** Lips and chin against the closed mouth, [frames, 94]. */
  readonly shapes: Float32Array;
  /** Opening of the lips in heights of the box. */
  readonly openings: Float32Array;
}

/**
 * Tracks the largest face and cuts it out of every frame.
 *
 * @throws MuseTalkError NO_FACE when some frame shows none, or the clip has cuts: such clips are left out.
 */
export async function measureClip(
  video: VideoSource,
  models: FaceModels,
  signal?: AbortSignal,
): Promise<MeasuredClip> {
  const meshes: Float32Array[] = [];
  for await (const { index, face, cut } of builtinFinder(models).find(video.frames(), {}, signal)) {
    if (!face?.mesh) throw new MuseTalkError('NO_FACE', `${video.path}: no face in frame ${index}`);
    if (cut && index > 0) throw new MuseTalkError('NO_FACE', `${video.path}: a cut at frame ${index}`);
    meshes.push(face.mesh);
  }
  const { frames, neutral, reach } = steadyShot(meshes);
  const size = CROP_SIZE ** 2 * 3;
  const crops = new Uint8Array(meshes.length * size);
  const shapes = new Float32Array(meshes.length * LIP_NUMBERS);
  for await (const frame of video.frames()) {
    const { aligned, box } = frames[frame.index] as SteadyFrame;
    crops.set(cutWithMargin(frame, box).data, frame.index * size);
    shapes.set(lipShape(aligned, neutral, { stride: 2, size: reach }), frame.index * LIP_NUMBERS);
  }
  return { frames: meshes.length, crops, shapes, openings: Float32Array.from(frames, (f) => f!.opening) };
}

/** The face in its box with the margin of training crops round it: `CROP_SIZE` pixels a side. */
export function cutWithMargin(frame: Image, { centre, width, height }: TurnedBox): Image {
  const axis = (middle: number, side: number) => {
    const step = side / MINI_SIZE;
    return { start: middle - (CROP_SIZE / 2) * step, step };
  };
  return resample(frame, axis(centre.x, width), axis(centre.y, height), CROP_SIZE, CROP_SIZE);
}
