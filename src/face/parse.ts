import type { Box } from '../core/box.ts';
import { type Image, image } from '../image/image.ts';
import { crop } from '../image/paste.ts';
import { resizePillow } from '../image/pillow-resize.ts';
import { faceClasses, PARSING_SIZE } from '../networks/bisenet.ts';
import { Engine } from '../nn/session.ts';
import { input } from '../nn/value.ts';
import type { MatchOptions } from '../nn/weights/match-weights.ts';
import { batchOf, type Loading, loadChecked } from './official-models.ts';

/** Says for each pixel of a part of a frame what it is. */
export interface FaceParser {
  /**
   * The class map of the square `area` of a frame (RGB): 512 × 512, one channel, numbers of `FACE_PARTS`. What lies
   * outside the frame is black.
   */
  parse(frame: Image, area: Box, options?: { signal?: AbortSignal | undefined }): Promise<Image>;
  close(): Promise<void>;
}

/** The heads beside the one that is used serve training only; batch counters are of no use either. */
const BISENET: MatchOptions = {
  network: 'BiSeNet for face parsing',
  ignored: (name) => name.startsWith('conv_out16.') || name.startsWith('conv_out32.'),
};

/**
 * Loads BiSeNet from its checkpoint (`79999_iter.pth`).
 *
 * @throws MuseTalkError NOT_FOUND, WRONG_FILE, BAD_FILE, BAD_WEIGHTS or ENGINE.
 */
export async function loadFaceParser(path: string, loading: Loading = {}): Promise<FaceParser> {
  const engine = new Engine();
  try {
    const session = await loadChecked(engine, path, BISENET, loading, (w) => ({
      classes: faceClasses(w, input('picture', ['B', PARSING_SIZE, PARSING_SIZE, 3], 'uint8')),
    }));
    return {
      parse: async (frame, area, { signal } = {}) => {
        const face = resizePillow(crop(frame, area), PARSING_SIZE, PARSING_SIZE, 'bilinear');
        const { classes } = await session.run({ picture: batchOf(face) }, { signal });
        return image(PARSING_SIZE, PARSING_SIZE, 1, classes!.data as Uint8Array);
      },
      close: () => engine.close(),
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}
