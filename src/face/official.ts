import type { Box } from '../core/box.ts';
import type { Image } from '../image/image.ts';
import { resizePillow } from '../image/pillow-resize.ts';
import { frameRegion, type Region, rtmposeRegion, type ScoredPoint } from '../networks/rtmpose-decode.ts';
import { wholePixels } from '../networks/s3fd-decode.ts';
import { middleOf, sizeOfBox } from './choice.ts';
import type { FaceFinder, FoundFace, FrameFace, NumberedImage } from './finder.ts';
import type { OfficialFaceModels } from './official-models.ts';
import type { FaceSight, SeenFace } from './shot.ts';
import { trackFace } from './track.ts';

/** S3FD's time grows with the area of the picture; at this size it still sees faces of some ten pixels. */
const DETECTION_SIDE = 640;

/** RTMPose gives no probabilities; where a face is seen its 68 scores are far above this on average. */
const MIN_SCORE = 0.3;

/** How the official networks are used. */
export interface OfficialFinderOptions {
  /**
   * `right` (default): the face is chosen and tracked as by the built-in finder, and RTMPose looks at the head and
   * shoulders. `upstream`: its literal way, each frame by itself, whole picture to both networks.
   */
  readonly compat?: 'right' | 'upstream' | undefined;
}

/** The finder with upstream's networks, S3FD and RTMPose. It owns `models`. */
export function officialFinder(
  models: OfficialFaceModels,
  { compat = 'right' }: OfficialFinderOptions = {},
): FaceFinder {
  return {
    kind: 'official',
    find: (frames, options, signal) =>
      compat === 'upstream'
        ? findEach(models, frames, signal)
        : trackFace(officialSight(models, signal), frames, options, signal),
    close: () => models.close(),
  };
}

/**
 * Upstream: the best face of S3FD says whether there is one, the landmarks are those of the one person that RTMPose
 * sees in the whole picture, whether or not it is the same. Nothing is chosen, tracked or remembered.
 */
async function* findEach(
  models: OfficialFaceModels,
  frames: AsyncIterable<NumberedImage>,
  signal: AbortSignal | undefined,
): AsyncGenerator<FrameFace, void, undefined> {
  let cut = true;
  for await (const frame of frames) {
    signal?.throwIfAborted();
    const seen = await models.detect(frame, signal);
    const best = seen[0];
    const landmarks = best && (await models.landmarks(frame, frameRegion(frame.width, frame.height), signal));
    const face = best && landmarks ? { landmarks, box: wholePixels(best), score: best.score } : null;
    yield { index: frame.index, face, cut, faces: seen.length };
    cut = false;
  }
}

function officialSight(
  models: OfficialFaceModels,
  signal: AbortSignal | undefined,
): FaceSight<SeenFace, FoundFace> {
  const look = async (picture: Image, box: Box): Promise<FoundFace | undefined> => {
    const landmarks = await models.landmarks(picture, headRegion(box, picture), signal);
    const score = landmarks.reduce((sum, point) => sum + point.score, 0) / landmarks.length;
    return score >= MIN_SCORE ? { landmarks, box: boxOfLandmarks(landmarks), score } : undefined;
  };
  return {
    detect: (picture) => detectShrunk(models, picture, signal),
    acquire: (picture, face) => look(picture, face.box),
    follow: (picture, last) => look(picture, last.box),
  };
}

/** The faces of a picture, largest first; a large picture is made smaller for the detector. */
async function detectShrunk(
  models: OfficialFaceModels,
  picture: Image,
  signal: AbortSignal | undefined,
): Promise<SeenFace[]> {
  const scale = Math.min(1, DETECTION_SIDE / Math.max(picture.width, picture.height));
  const [width, height] = [picture.width, picture.height].map((side) =>
    Math.max(Math.round(side * scale), 1),
  );
  const shown = scale === 1 ? picture : resizePillow(picture, width!, height!, 'bilinear');
  const [sx, sy] = [picture.width / shown.width, picture.height / shown.height];
  const seen = await models.detect(shown, signal);
  return seen
    .map(({ x1, y1, x2, y2, score }) => ({
      box: { x1: x1 * sx, y1: y1 * sy, x2: x2 * sx, y2: y2 * sy },
      score,
    }))
    .sort((a, b) => sizeOfBox(b.box) - sizeOfBox(a.box));
}

/**
 * Head and shoulders round a face, never more than the whole picture: RTMPose was trained on people, not on faces
 * that fill the picture. The face is a third of the region's height.
 */
export function headRegion(face: Box, picture: { width: number; height: number }): Region {
  const size = sizeOfBox(face);
  const { x, y } = middleOf(face);
  const region = rtmposeRegion({ centre: { x, y: y + 0.4 * size }, width: 1.8 * size, height: 2.4 * size });
  const whole = frameRegion(picture.width, picture.height);
  return region.width < whole.width ? region : whole;
}

/** Round the 68 points, with as much forehead above the brows as a detector's box shows. */
function boxOfLandmarks(landmarks: readonly ScoredPoint[]): Box {
  const xs = landmarks.map(({ x }) => x);
  const ys = landmarks.map(({ y }) => y);
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  return { x1: Math.min(...xs), y1: top - 0.3 * (bottom - top), x2: Math.max(...xs), y2: bottom };
}
