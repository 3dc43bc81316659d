import { type Box, intersectBoxes } from '../core/box.ts';
import type { Image } from '../image/image.ts';
import { sampleAffine } from '../image/warp.ts';

/**
 * A face for a box with fractions of pixels, as a face for a box of whole pixels: drawn where it belongs in the
 * whole pixels around the box, its border repeated in their rest. Faces for whole boxes come back as they are.
 *
 * @param shown the part of the frame in which the face will be seen; nothing else need be drawn, and the box that
 * comes back may be that much smaller
 */
export function fitFace(face: Image, box: Box, shown?: Box): { readonly face: Image; readonly box: Box } {
  if ([box.x1, box.y1, box.x2, box.y2].every(Number.isInteger)) return { face, box };
  const whole = {
    x1: Math.floor(box.x1),
    y1: Math.floor(box.y1),
    x2: Math.ceil(box.x2),
    y2: Math.ceil(box.y2),
  };
  const part = shown ? intersectBoxes(whole, shown) : whole;
  const sx = face.width / (box.x2 - box.x1);
  const sy = face.height / (box.y2 - box.y1);
  const toFace = [sx, 0, (part.x1 - box.x1) * sx, 0, sy, (part.y1 - box.y1) * sy] as const;
  const [width, height] = [part.x2 - part.x1, part.y2 - part.y1];
  return { face: sampleAffine(face, toFace, width, height, { border: 'repeat' }), box: part };
}
