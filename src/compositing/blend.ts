import type { Box } from '../core/box.ts';
import { intersectBoxes } from '../core/box.ts';
import { type Image, image } from '../image/image.ts';
import { blendRow } from '../image/paste.ts';
import { blendIntoPlanar, isPlanar, type PlanarImage } from '../image/planar.ts';
import { resize, resizePlan } from '../image/resize.ts';
import type { BlendMask } from './masks.ts';

/**
 * The frame with `face` drawn into `box` where the mask shows it. A face of another size is brought to the box's
 * size first (OpenCV's linear resize); only the part that shows is computed. The box may leave the frame.
 *
 * Equal to `get_image` and `get_image_blending` in musetalk/utils/blending.py byte by byte: outside the box
 * upstream blends the frame with itself, which changes nothing.
 *
 * @throws RangeError when the face and the frame differ in channels.
 */
export function composite(frame: Image, face: Image, box: Box, mask: BlendMask): Image {
  const result = image(frame.width, frame.height, frame.channels, frame.data.slice());
  compositeInto(result, face, box, mask);
  return result;
}

/** As `composite`, but changes `frame` itself, which may be planar: what does not show stays as it is stored. */
export function compositeInto(
  frame: Image | PlanarImage,
  face: Image,
  box: Box,
  { crop, mask }: BlendMask,
): void {
  const n = isPlanar(frame) ? 3 : frame.channels;
  if (face.channels !== n) {
    throw new RangeError(`a face of ${face.channels} channels cannot be drawn into a frame of ${n}`);
  }
  const inFrame = intersectBoxes(box, { x1: 0, y1: 0, x2: frame.width, y2: frame.height });
  const shown = intersectBoxes(inFrame, crop);
  const width = shown.x2 - shown.x1;
  const height = shown.y2 - shown.y1;
  if (width === 0 || height === 0) return;

  const plan = resizePlan(face.width, face.height, box.x2 - box.x1, box.y2 - box.y1, 'linear');
  const drawn = resize(face, plan, {
    x1: shown.x1 - box.x1,
    y1: shown.y1 - box.y1,
    x2: shown.x2 - box.x1,
    y2: shown.y2 - box.y1,
  });
  if (isPlanar(frame)) {
    const at = (shown.y1 - crop.y1) * mask.width + shown.x1 - crop.x1;
    blendIntoPlanar(frame, drawn, { data: mask.data, at, stride: mask.width }, shown.x1, shown.y1);
    return;
  }
  for (let y = 0; y < height; y++) {
    const to = ((shown.y1 + y) * frame.width + shown.x1) * n;
    const maskAt = (shown.y1 + y - crop.y1) * mask.width + shown.x1 - crop.x1;
    blendRow(frame.data, to, drawn.data, y * width * n, mask.data, maskAt, width, n);
  }
}
