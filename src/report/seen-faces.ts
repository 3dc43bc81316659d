/** What the first look at a video tells of each frame: where the face is, what the mouth does, and a sketch. */
import type { Box } from '../core/box.ts';
import type { FaceFinder, FindOptions } from '../face/finder.ts';
import { landmarks68 } from '../face/landmarks68.ts';
import { type SteadyFrame, steadyShot } from '../face/steady-box.ts';
import type { Image } from '../image/image.ts';
import type { Frame, VideoSource } from '../media/source.ts';
import { giveBack } from '../media/spare-frames.ts';
import { lumaOf, sketchOf } from './sketch.ts';

/** Cells across of the sketches by which frames are told apart. */
export const ALIGN_COLUMNS = 40;

/** The face of a frame, as it is measured. Boxes in pixels of the frame. */
export interface SeenFace {
  /** Goes with the skull: its middle row is the line from which a dub draws anew. */
  readonly box: Box;
  /** Round the lips. */
  readonly mouth: Box;
  /** Distance of the lips as a share of the box's height; closed below some 0.01. */
  readonly opening: number;
  /** How far the points of the lips have moved since the frame before, as a share of the box's height; NaN after a cut. */
  readonly movement: number;
}

/** All that is kept of a video's frames. */
export interface SeenFaces {
  readonly faces: readonly (SeenFace | null)[];
  /** Frames that begin a shot. */
  readonly cuts: readonly number[];
  /** The luma of each frame's cells. */
  readonly sketches: readonly Float32Array[];
}

interface Shot {
  readonly first: number;
  readonly meshes: (Float32Array | null)[];
}

/** Looks at all frames once. */
export async function seeFaces(
  video: VideoSource,
  finder: FaceFinder,
  find: FindOptions,
  { signal, onFrame }: { signal?: AbortSignal | undefined; onFrame?: ((done: number) => void) | undefined },
): Promise<SeenFaces> {
  const sketches: Float32Array[] = [];
  const cuts: number[] = [];
  const faces: (SeenFace | null)[] = [];
  let shot: Shot | undefined;
  const finish = () => {
    if (shot) faces.push(...facesOfShot(shot));
  };
  for await (const { index, face, cut } of finder.find(sketched(looking(video), sketches), find, signal)) {
    if (cut || !shot) {
      finish();
      cuts.push(index);
      shot = { first: index, meshes: [] };
    }
    shot.meshes.push(face?.mesh ?? null);
    onFrame?.(index + 1);
  }
  finish();
  return { faces, cuts, sketches };
}

/** The lumas of all frames' sketches of a video in which no face is looked for. */
export async function sketchVideo(
  video: VideoSource,
  { signal, onFrame }: { signal?: AbortSignal | undefined; onFrame?: ((done: number) => void) | undefined },
): Promise<Float32Array[]> {
  const sketches: Float32Array[] = [];
  for await (const frame of sketched(looking(video), sketches)) {
    signal?.throwIfAborted();
    onFrame?.(frame.index + 1);
  }
  return sketches;
}

/** Frames of a video for those who only look. */
function looking(video: VideoSource): AsyncGenerator<Frame> {
  return video.frames(0, undefined, { colors: 'near' });
}

/** Passes frames on, whose reader holds at most two of them. */
async function* sketched(frames: AsyncGenerator<Frame>, into: Float32Array[]): AsyncGenerator<Frame> {
  const held: Frame[] = [];
  for await (const frame of frames) {
    into.push(lumaOf(sketchOf(frame as Image, ALIGN_COLUMNS)));
    yield frame;
    held.push(frame);
    if (held.length > 2) giveBack(held.shift()!);
  }
}

function facesOfShot({ meshes }: Shot): (SeenFace | null)[] {
  if (meshes.every((mesh) => mesh === null)) return meshes.map(() => null);
  const { frames } = steadyShot(meshes);
  return frames.map((frame, i) => {
    if (!frame) return null;
    const { x, y } = frame.box.centre;
    const [halfWidth, halfHeight] = [frame.box.width / 2, frame.box.height / 2];
    return {
      box: { x1: x - halfWidth, y1: y - halfHeight, x2: x + halfWidth, y2: y + halfHeight },
      mouth: mouthOf(meshes[i]!),
      opening: frame.opening,
      movement: movementOf(frames[i - 1], frame),
    };
  });
}

/** From point 48 of 68 on: the lips. */
function lipsOf(mesh: Float32Array, size: 2 | 3) {
  return landmarks68(mesh, { size }).slice(48);
}

function mouthOf(mesh: Float32Array): Box {
  const lips = lipsOf(mesh, 3);
  const xs = lips.map(({ x }) => x);
  const ys = lips.map(({ y }) => y);
  return { x1: Math.min(...xs), y1: Math.min(...ys), x2: Math.max(...xs), y2: Math.max(...ys) };
}

/** Both shapes lie in the shot's frame of reference, so the head's own movement is not in it. */
function movementOf(before: SteadyFrame | null | undefined, now: SteadyFrame): number {
  if (!before) return Number.NaN;
  const [from, to] = [lipsOf(before.aligned, 2), lipsOf(now.aligned, 2)];
  const moved = to.map(({ x, y }, i) => Math.hypot(x - from[i]!.x, y - from[i]!.y));
  const height = now.box.height * scaleOf(now);
  return moved.reduce((a, b) => a + b, 0) / moved.length / height;
}

/** Units of the shot's frame of reference in a pixel of the frame. */
function scaleOf({ toShot: [a, b] }: SteadyFrame): number {
  return Math.hypot(a, b);
}
