import type { Box } from '../src/core/box.ts';
import { tensor } from '../src/core/tensor.ts';
import type { FrameFace } from '../src/face/finder.ts';
import { type Image, image } from '../src/image/image.ts';
import { crop } from '../src/image/paste.ts';
import { resizeLinear } from '../src/image/resize.ts';
import type { LipModel } from '../src/lips/lip-model.ts';
import { frameCount } from '../src/sound/windows.ts';

const SIZE = 8;

export interface PlainModelOptions {
  /** Called before each batch is drawn; may throw, or wait. */
  readonly beforeBatch?: (batch: number) => void | Promise<void>;
}

/**
 * A lip model without networks, whose pictures say what they were made of: a drawn face has the red and green of the
 * face that it was prepared from, and as blue the number of its condition. A recalled face is blue 255.
 */
export function plainModel({ beforeBatch }: PlainModelOptions = {}): LipModel & { readonly drawn: number[] } {
  const drawn: number[] = [];
  return {
    drawn,
    name: 'plain',
    key: 'plain',
    size: SIZE,
    latentShape: [3],
    latentType: 'float32',
    landmarks: 'points',
    async layout(faces: AsyncIterable<FrameFace>) {
      const coords: (Box | null)[] = [];
      const openings: number[] = [];
      for await (const { face } of faces) {
        coords.push(face?.box ?? null);
        openings.push(face ? face.score : Number.NaN); // finders of tests say it so
      }
      return { coords, openings, landmarks: () => undefined, reference: undefined, warnings: [] };
    },
    boxOf: (box) => box,
    crop: (frame, box) => resizeLinear(crop(frame, box), SIZE, SIZE),
    async prepare(crops) {
      const data = Float32Array.from(crops.flatMap((face) => [...face.data.subarray(0, 3)]));
      return tensor([crops.length, 3], data);
    },
    async mask(_frame, { box }) {
      const mask = image(box.x2 - box.x1, box.y2 - box.y1, 1);
      mask.data.fill(255);
      return { crop: box, mask };
    },
    framesOf: ({ sampleCount }, fps) => frameCount(sampleCount, fps),
    async *conditions(_sound, { frames }) {
      for (let i = 0; i < frames; i++) yield tensor([1], Float32Array.of(i));
    },
    async generate({ latents, conditions }, { signal } = {}) {
      await beforeBatch?.(drawn.length);
      signal?.throwIfAborted();
      drawn.push(conditions.data.length);
      return Array.from(conditions.data, (number, i) =>
        plain(latents.data[3 * i]!, latents.data[3 * i + 1]!, number % 256),
      );
    },
    recall: async ({ data }) => [plain(data[0]!, data[1]!, 255)],
    close: async () => {},
  };
}

function plain(r: number, g: number, b: number): Image {
  const face = image(SIZE, SIZE, 3);
  for (let i = 0; i < face.data.length; i += 3) face.data.set([r, g, b], i);
  return face;
}
