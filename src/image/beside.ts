import { type Image, image } from './image.ts';

/** Two pictures of one height beside each other. @throws RangeError when heights or channels differ. */
export function beside(left: Image, right: Image): Image {
  if (left.height !== right.height || left.channels !== right.channels) {
    throw new RangeError(
      `${left.height}×${left.channels} and ${right.height}×${right.channels} do not fit beside each other`,
    );
  }
  const result = image(left.width + right.width, left.height, left.channels);
  const [a, b] = [left.width * left.channels, right.width * right.channels];
  for (let y = 0; y < left.height; y++) {
    result.data.set(left.data.subarray(y * a, (y + 1) * a), y * (a + b));
    result.data.set(right.data.subarray(y * b, (y + 1) * b), y * (a + b) + a);
  }
  return result;
}
