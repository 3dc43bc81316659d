import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { FloatTensor, Tensor } from '../core/tensor.ts';
import type { Image } from '../image/image.ts';
import { warpAffine } from '../image/warp.ts';
import { rtmposeWithFlip } from '../networks/rtmpose.ts';
import {
  decodeSimcc,
  FIRST_FACE_POINT,
  INPUT_HEIGHT,
  INPUT_WIDTH,
  type Region,
  rtmposeAffine,
  type ScoredPoint,
} from '../networks/rtmpose-decode.ts';
import { type S3fdMaps, s3fd, s3fdInput } from '../networks/s3fd.ts';
import { type DetectedFace, decodeS3fd } from '../networks/s3fd-decode.ts';
import { Engine, type LoadOptions, type Session } from '../nn/session.ts';
import { input, type Value } from '../nn/value.ts';
import { frozen } from '../nn/weights/frozen.ts';
import { type MatchOptions, matchWeights } from '../nn/weights/match-weights.ts';
import { openCheckpoint } from '../nn/weights/open-checkpoint.ts';
import { expectedWeights, Weights } from '../nn/weights.ts';

/** Upstream's face networks in a models folder; undefined where a file is not there. */
export interface OfficialFaceFiles {
  /** S3FD, the detector. */
  readonly s3fd: string | undefined;
  /** RTMPose, the landmarks. */
  readonly rtmpose: string | undefined;
  /** BiSeNet, the parsing. */
  readonly bisenet: string | undefined;
}

/** Looks for upstream's face networks under a models folder, in its layout or plainly in it. */
export async function locateOfficialFaces(folder: string): Promise<OfficialFaceFiles> {
  const find = async (...names: string[]) => {
    for (const path of names.map((name) => join(folder, name))) {
      if (await isThere(path)) return path;
    }
    return undefined;
  };
  return {
    s3fd: await find('s3fd/s3fd-619a316812.pth', 's3fd-619a316812.pth', 's3fd.pth'),
    rtmpose: await find('dwpose/dw-ll_ucoco_384.pth', 'dw-ll_ucoco_384.pth'),
    bisenet: await find('face-parse-bisent/79999_iter.pth', 'face-parse-bisenet/79999_iter.pth'),
  };
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** How a network is loaded. */
export type Loading = Pick<LoadOptions, 'threads' | 'providers' | 'cacheFolder'>;

/** S3FD and RTMPose, ready to run. */
export interface OfficialFaceModels {
  /** The faces of a picture (RGB), best first, in its pixels. */
  detect(picture: Image, signal?: AbortSignal): Promise<DetectedFace[]>;
  /** The 68 points that RTMPose sees in a region of a picture (RGB), in its pixels; a score ≤ 0 is "not seen". */
  landmarks(picture: Image, region: Region, signal?: AbortSignal): Promise<ScoredPoint[]>;
  close(): Promise<void>;
}

/**
 * Loads S3FD and RTMPose.
 *
 * @throws MuseTalkError NOT_FOUND, WRONG_FILE, BAD_FILE, BAD_WEIGHTS or ENGINE.
 */
export async function loadOfficialFaces(
  files: { readonly s3fd: string; readonly rtmpose: string },
  loading: Loading = {},
): Promise<OfficialFaceModels> {
  const engine = new Engine();
  try {
    const pose = await loadChecked(engine, files.rtmpose, RTMPOSE, loading, (w) => {
      const picture = input('picture', ['B', INPUT_HEIGHT, INPUT_WIDTH, 3], 'uint8');
      return { ...rtmposeWithFlip(w, picture) };
    });
    const detector = sizedDetector(engine, files.s3fd, loading);
    return {
      detect: async (picture, signal) => {
        const session = await detector(picture.width, picture.height);
        const maps = await session.run({ picture: batchOf(picture) }, { signal });
        return decodeS3fd(maps as S3fdMaps<FloatTensor>);
      },
      landmarks: async (picture, region, signal) => {
        const shown = warpAffine(picture, rtmposeAffine(region), INPUT_WIDTH, INPUT_HEIGHT);
        const { x, y } = await pose.run({ picture: batchOf(shown) }, { signal });
        const points = decodeSimcc(x!.data as Float32Array, y!.data as Float32Array, region);
        return points.slice(FIRST_FACE_POINT, FIRST_FACE_POINT + 68);
      },
      close: () => engine.close(),
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** S3FD's graph is built for one size of picture; that of the last size is kept. */
function sizedDetector(engine: Engine, path: string, loading: Loading) {
  let kept: { size: string; session: Promise<Session> } | undefined;
  return async (width: number, height: number): Promise<Session> => {
    const size = `${width}×${height}`;
    if (kept?.size === size) return kept.session;
    const before = kept;
    kept = {
      size,
      session: loadChecked(engine, path, S3FD, loading, (w) =>
        s3fd(w, s3fdInput(input('picture', [1, height, width, 3], 'uint8'))),
      ),
    };
    await (await before?.session)?.close();
    return kept.session;
  };
}

const S3FD: MatchOptions = { network: "upstream's face detector S3FD" };

/** The published file was saved while training and may hold what only training needs. */
const RTMPOSE: MatchOptions = { network: "DWPose's RTMPose", ignored: () => true };

/**
 * Loads one network of a checkpoint into an engine.
 *
 * @throws MuseTalkError NOT_FOUND, WRONG_FILE, BAD_FILE, BAD_WEIGHTS or ENGINE.
 */
export async function loadChecked(
  engine: Engine,
  path: string,
  match: MatchOptions,
  loading: Loading,
  build: (w: Weights) => Record<string, Value>,
): Promise<Session> {
  const checkpoint = await openCheckpoint(path, { expected: match.network });
  try {
    const weights = matchWeights(checkpoint, expectedWeights(build), match);
    return await engine.load(build(new Weights(frozen(weights))), loading);
  } finally {
    await checkpoint.close();
  }
}

/** A picture as a batch of one. */
export function batchOf({ width, height, channels, data }: Image): Tensor<'uint8'> {
  return { dtype: 'uint8', shape: [1, height, width, channels], data };
}
