/** Pictures of the worst moments: the face of the dub, beside that of the source where there is one. */

import { beside } from '../image/beside.ts';
import { type Image, image } from '../image/image.ts';
import { resample } from '../image/resample.ts';
import type { VideoSource } from '../media/source.ts';
import { encodeJpeg } from '../media/write-frames.ts';
import { cutFace } from './face-cut.ts';
import { oneFrame, type PairedSource } from './pixels.ts';
import type { Finding } from './result.ts';
import type { SeenFace } from './seen-faces.ts';

/** A picture for a finding. */
export interface Thumbnail {
  /** Number of the finding in the report. */
  readonly finding: number;
  readonly frame: number;
  /** The source's picture stands on the right. */
  readonly paired: boolean;
  readonly width: number;
  readonly height: number;
  /** A JPEG file. */
  readonly jpeg: Uint8Array;
}

const SIDE = 176;
/** In all, so that a report stays small enough to send. */
const MOST = 16;

/** Pictures for the findings' worst frames. */
export async function thumbnailsOf(
  findings: readonly Finding[],
  video: VideoSource,
  faces: readonly (SeenFace | null)[],
  source: PairedSource | undefined,
  signal?: AbortSignal,
): Promise<Thumbnail[]> {
  const thumbnails: Thumbnail[] = [];
  for (const [finding, { frames }] of findings.entries()) {
    for (const frame of frames) {
      signal?.throwIfAborted();
      if (thumbnails.length === MOST) return thumbnails;
      const own = await pictureOf(video, frame, faces[frame]);
      if (!own) continue;
      const other = source && (await pictureOf(source.video, source.frames[frame]!, faces[frame]));
      const paired = other !== undefined && other.width === own.width && other.height === own.height;
      const picture = paired ? beside(own, other) : own;
      const { width, height } = picture;
      thumbnails.push({ finding, frame, paired, width, height, jpeg: await encodeJpeg(picture) });
    }
  }
  return thumbnails;
}

/** The face, or the whole frame where there is none. */
async function pictureOf(
  video: VideoSource,
  index: number,
  face: SeenFace | null | undefined,
): Promise<Image | undefined> {
  const frame = await oneFrame(video, index);
  if (!frame) return undefined;
  if (face) return cutFace(frame, face.box, SIDE);
  const step = frame.height / SIDE;
  const width = Math.max(1, Math.round(frame.width / step));
  return width > 4 * SIDE
    ? image(SIDE, SIDE, 3)
    : resample(frame, { start: 0, step }, { start: 0, step }, width, SIDE);
}
