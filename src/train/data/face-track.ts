/** A prepared clip as it is learned from: where the face is in each frame, its pictures, its sound. */
import type { Box, Point } from '../../core/box.ts';
import { cropBox } from '../../face/crop-box.ts';
import type { Image } from '../../image/image.ts';
import { resample } from '../../image/resample.ts';
import { openCheckpoint } from '../../nn/weights/open-checkpoint.ts';
import { unionBox } from '../reference-choice.ts';
import { PackedPictures } from './packed-pictures.ts';
import { type ClipEntry, clipFile } from './prepared.ts';

/** A clip with its faces in memory (some 600 bytes a frame) and its pictures on disk. */
export interface FaceTrack extends ClipEntry {
  /** Per frame: the finder's box and the 68 landmarks, in pixels of the video. */
  readonly boxes: readonly Box[];
  readonly landmarks: readonly (readonly Point[])[];
  /** A part of a frame, of any size: `box` in pixels of the video, with fractions. Beyond the picture its border goes on. */
  crop(frame: number, box: Box, size: number): Promise<Image>;
}

/** Opens a prepared clip. @throws MuseTalkError NOT_FOUND or BAD_FILE when its files are gone or damaged. */
export async function openTrack(data: string, entry: ClipEntry): Promise<FaceTrack> {
  const file = await openCheckpoint(clipFile(data, entry.clip, 'track.safetensors'));
  const [landmarks, boxes, regions] = await Promise.all(
    ['landmarks', 'boxes', 'regions'].map(async (name) => (await file.readFloat(name)).data),
  ).finally(() => file.close());
  const pictures = new PackedPictures(clipFile(data, entry.clip, 'pictures'));
  return {
    ...entry,
    boxes: Array.from({ length: entry.frames }, (_, i) => boxAt(boxes!, i)),
    landmarks: Array.from({ length: entry.frames }, (_, i) =>
      Array.from({ length: 68 }, (_, k) => ({
        x: landmarks![136 * i + 2 * k]!,
        y: landmarks![136 * i + 2 * k + 1]!,
      })),
    ),
    async crop(frame, box, size) {
      const region = boxAt(regions!, frame);
      const picture = await pictures.read(frame);
      const axis = (from: number, to: number, first: number, length: number, pixels: number) => {
        const scale = pixels / length;
        return { start: (from - first) * scale, step: ((to - from) * scale) / size };
      };
      return resample(
        picture,
        axis(box.x1, box.x2, region.x1, region.x2 - region.x1, picture.width),
        axis(box.y1, box.y2, region.y1, region.y2 - region.y1, picture.height),
        size,
        size,
      );
    },
  };
}

function boxAt(numbers: Float32Array, i: number): Box {
  const [x1, y1, x2, y2] = numbers.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
  return { x1, y1, x2, y2 };
}

/**
 * The box of a frame before any margin: `half` is that of inference, whose middle row is the nose bridge; `union`
 * reaches up to where the finder saw the face begin, as upstream trains.
 */
export function trainingBox(
  { boxes, landmarks, width, height }: Pick<FaceTrack, 'boxes' | 'landmarks' | 'width' | 'height'>,
  frame: number,
  kind: 'half' | 'union',
): Box {
  const [box, points] = [boxes[frame]!, landmarks[frame]!];
  const half = kind === 'half' && cropBox(points, box, { version: '1.5', width, height, extraMargin: 0 });
  return half || unionBox(box, points);
}
