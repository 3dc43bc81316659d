/** Where mini cuts and what may change: boxes that go with the skull, one size for a shot, whatever the mouth does. */
import { landmarkMask } from '../compositing/landmark-mask.ts';
import type { BlendMask } from '../compositing/masks.ts';
import { softBoxMask } from '../compositing/soft-box-mask.ts';
import type { Box, Point } from '../core/box.ts';
import type { FrameFace } from '../face/finder.ts';
import { landmarks68 } from '../face/landmarks68.ts';
import { lipSpread } from '../face/lip-measure.ts';
import { gaussianOverTime } from '../face/smooth.ts';
import { type SteadyFrame, steadyShot } from '../face/steady-box.ts';
import type { Layout } from './lip-model.ts';

/** Standard deviation of the smoothing of the mask's landmarks, in frames. */
const SMOOTHING = 1;

/** Below this deviation of the opening a person does not speak, so nothing is learnt of how they do. */
const SPEAKS = 0.003;
/** Frames that a spread is believed from. */
const ENOUGH = 25;
/** The drawn jaw may open further than that of the source: the mask reaches this much further below the chin. */
const CHIN_GROWTH = 0.15;

/** The width of the mask's soft edge where no landmarks are known, as a part of the box. */
const FEATHER = 0.06;

/** How much of a face that mini drew shows in the frame. */
export function miniMask({
  box,
  landmarks,
}: {
  readonly box: Box;
  readonly landmarks: readonly Point[] | undefined;
}): BlendMask {
  if (landmarks) return landmarkMask(landmarks, wholePixels(box), { chinGrowth: CHIN_GROWTH });
  const { x1, x2, y1, y2 } = wholePixels(box);
  const half = { x1, x2, y1: Math.floor((y1 + y2) / 2), y2 };
  return softBoxMask(half, { feather: Math.round(FEATHER * (x2 - x1)) });
}

/** The least box of whole pixels round a box. */
export function wholePixels({ x1, y1, x2, y2 }: Box): Box {
  return { x1: Math.floor(x1), y1: Math.floor(y1), x2: Math.ceil(x2), y2: Math.ceil(y2) };
}

interface Shot {
  readonly first: number;
  readonly meshes: (Float32Array | null)[];
}

/** Boxes, landmarks and openings of all frames. Keeps about 6 KB of each while it reads, 0.6 KB after. */
export async function layoutBySkull(faces: AsyncIterable<FrameFace>): Promise<Layout> {
  const shots: Shot[] = [];
  let several = 0;
  for await (const { index, face, cut, faces: count } of faces) {
    if (count > 1) several++;
    if (cut || shots.length === 0) shots.push({ first: index, meshes: [] });
    shots.at(-1)!.meshes.push(face?.mesh ?? null);
  }
  const coords: (Box | null)[] = [];
  const points: (readonly number[] | null)[] = [];
  const openings: number[] = [];
  for (const { meshes } of shots) {
    const frames = meshes.some((mesh) => mesh !== null) ? steadyShot(meshes).frames : meshes.map(() => null);
    coords.push(...frames.map((frame) => frame && boxOf(frame)));
    openings.push(...frames.map((frame) => frame?.opening ?? Number.NaN));
    points.push(
      ...gaussianOverTime(
        meshes.map((mesh) => mesh && flat(landmarks68(mesh))),
        SMOOTHING,
      ),
    );
  }
  return {
    coords,
    landmarks: (frame) => pointsOf(points[frame]),
    openings,
    reference: leastOpen(openings),
    lipSpread: spreadOf(openings),
    warnings: several > 0 ? [`${several} frames show more than one face; one of them is followed`] : [],
  };
}

function boxOf({ box: { centre, width, height } }: SteadyFrame): Box {
  return {
    x1: centre.x - width / 2,
    y1: centre.y - height / 2,
    x2: centre.x + width / 2,
    y2: centre.y + height / 2,
  };
}

function flat(points: readonly Point[]): number[] {
  return points.flatMap(({ x, y }) => [x, y]);
}

function pointsOf(numbers: readonly number[] | null | undefined): Point[] | undefined {
  if (!numbers) return undefined;
  return Array.from({ length: numbers.length / 2 }, (_, i) => ({
    x: numbers[2 * i]!,
    y: numbers[2 * i + 1]!,
  }));
}

function leastOpen(openings: readonly number[]): number | undefined {
  let best: number | undefined;
  for (const [frame, opening] of openings.entries()) {
    if (!Number.isNaN(opening) && (best === undefined || opening < openings[best]!)) best = frame;
  }
  return best;
}

/** How widely the lips move, where they are seen to speak. */
function spreadOf(openings: readonly number[]): number | undefined {
  if (openings.filter((opening) => !Number.isNaN(opening)).length < ENOUGH) return undefined;
  const spread = lipSpread(openings);
  return spread < SPEAKS ? undefined : spread;
}
