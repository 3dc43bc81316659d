import { join } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';
import type { Image } from '../image/image.ts';
import type { PlanarImage } from '../image/planar.ts';
import type { EncodeOptions } from './encoder.ts';
import { type JoinOptions, joinInto, type WrittenVideo } from './join-segments.ts';
import { outputFormat, produce } from './output.ts';
import { writeSegment } from './write-segment.ts';

/** How a video is encoded, and what is put beside its pictures. */
export type WriteVideoOptions = EncodeOptions & JoinOptions;

/**
 * Writes frames (and a sound) to a video file: MP4, MOV, MKV or WebM by the ending of its name. Pictures are
 * encoded once; the sound is copied where possible. The file appears whole or not at all, checked for its number
 * of frames; on an error or an abort nothing is left.
 *
 * @throws MuseTalkError `CANNOT_WRITE`, `BAD_OPTION`, `NO_SOUND`, `MEDIA_TOOL`; whatever `frames` throws.
 */
export async function writeVideo(
  output: string,
  frames: AsyncIterable<Image | PlanarImage>,
  options: WriteVideoOptions,
): Promise<WrittenVideo> {
  const format = outputFormat(output);
  const encoder = options.encoder ?? format.encoders[0];
  if (!format.encoders.includes(encoder))
    throw new MuseTalkError('BAD_OPTION', `${encoder} does not go into ${output}`, {
      hint: `For this kind of file take ${format.encoders.join(' or ')}.`,
    });
  return produce(output, options, async (folder) => {
    const encoding = { ...options, encoder, verify: false };
    const pictures = await writeSegment(join(folder, 'pictures.mp4'), frames, encoding);
    const file = join(folder, 'whole');
    const result = await joinInto(file, output, format, [pictures], options);
    return { file, result };
  });
}
