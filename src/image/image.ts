/**
 * A picture of 8-bit samples, row by row, channels interleaved: 1 (grey or mask), 3 (RGB) or 4 (RGBA).
 *
 * Upstream holds BGR; here it is RGB everywhere, and the operations do not care.
 */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
  readonly data: Uint8Array;
}

/**
 * An image over `data`, or black when none is given.
 *
 * @throws RangeError when the number of bytes is not width × height × channels.
 */
export function image(
  width: number,
  height: number,
  channels: 1 | 3 | 4,
  data: Uint8Array = new Uint8Array(width * height * channels),
): Image {
  if (data.length !== width * height * channels) {
    throw new RangeError(`${data.length} bytes are not a picture of ${width}×${height}×${channels}`);
  }
  return { width, height, channels, data };
}
