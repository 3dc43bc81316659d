/** Pictures of the worst moments: the face of the dub, beside that of the source where there is one. */

import { beside } from '../image/beside.ts';
import { type Image, image } from '../image/image.ts';
import { resample } from '../image/resample.ts';
import type { VideoSource } from '../media/source.ts';
import { encodeJpeg } from '../media/write-frames.ts';
import { cutFace } from './face-cut.ts';
import { framesAt, type PairedSource } from './pixels.ts';
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
  const wanted = findings
    .flatMap(({ frames }, finding) => frames.map((frame) => ({ finding, frame })))
    .slice(0, MOST);
  const numbers = wanted.map(({ frame }) => frame);
  const own = await picturesAt(video, numbers, (frame) => faces[frame], signal);
  const shownBy = new Map(numbers.map((frame) => [source?.frames[frame] ?? -1, frame]));
  const theirs = source
    ? await picturesAt(source.video, shownBy.keys(), (frame) => faces[shownBy.get(frame)!], signal)
    : undefined;
  const thumbnails: Thumbnail[] = [];
  for (const { finding, frame } of wanted) {
    const picture = own.get(frame);
    if (!picture) continue;
    const other = theirs?.get(source!.frames[frame]!);
    const paired = other !== undefined && other.width === picture.width && other.height === picture.height;
    const shown = paired ? beside(picture, other) : picture;
    const { width, height } = shown;
    thumbnails.push({ finding, frame, paired, width, height, jpeg: await encodeJpeg(shown) });
  }
  return thumbnails;
}

/** Small pictures of some frames. */
async function picturesAt(
  video: VideoSource,
  numbers: Iterable<number>,
  faceOf: (frame: number) => SeenFace | null | undefined,
  signal: AbortSignal | undefined,
): Promise<Map<number, Image>> {
  const pictures = new Map<number, Image>();
  for await (const frame of framesAt(video, numbers)) {
    signal?.throwIfAborted();
    pictures.set(frame.index, pictureOf(frame, faceOf(frame.index)));
  }
  return pictures;
}

/** The face, or the whole frame where there is none. */
function pictureOf(frame: Image, face: SeenFace | null | undefined): Image {
  if (face) return cutFace(frame, face.box, SIDE);
  const step = frame.height / SIDE;
  const width = Math.max(1, Math.round(frame.width / step));
  return width > 4 * SIDE
    ? image(SIDE, SIDE, 3)
    : resample(frame, { start: 0, step }, { start: 0, step }, width, SIDE);
}
