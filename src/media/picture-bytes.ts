/** Pictures as the bytes of a file, for places that hold many of them. */
import sharp from 'sharp';
import { MuseTalkError } from '../core/errors.ts';
import { type Image, image } from '../image/image.ts';

/** An RGB picture as a JPEG file, colours at full resolution. `quality`: 1 … 100. */
export function encodeJpeg({ width, height, data }: Image, quality: number): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality, chromaSubsampling: '4:4:4' })
    .toBuffer();
}

/**
 * The RGB picture in the bytes of a JPEG or PNG file of our own.
 *
 * @throws MuseTalkError BAD_FILE
 */
export async function decodePicture(bytes: Uint8Array): Promise<Image> {
  try {
    const { data, info } = await sharp(bytes)
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return image(info.width, info.height, 3, new Uint8Array(data));
  } catch (cause) {
    throw new MuseTalkError('BAD_FILE', 'a stored picture cannot be decoded', {
      hint: 'The file is damaged; prepare the data again.',
      cause,
    });
  }
}
