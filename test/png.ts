import sharp from 'sharp';
import { type Image, image } from '../src/image/image.ts';

/** Reads a PNG (or another picture) as it is stored: one channel for grey, else RGB or RGBA. */
export async function readPng(path: string): Promise<Image> {
  const { channels: stored } = await sharp(path).metadata();
  const picture = stored === 1 ? sharp(path).toColourspace('b-w') : sharp(path);
  const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
  return image(info.width, info.height, info.channels as Image['channels'], new Uint8Array(data));
}
