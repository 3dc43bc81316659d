/** mini, the model that comes with the package, as a lip model. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { landmarkMask } from '../compositing/landmark-mask.ts';
import { softBoxMask } from '../compositing/soft-box-mask.ts';
import { type Box, intersectBoxes } from '../core/box.ts';
import { type Tensor, tensor } from '../core/tensor.ts';
import { type Image, image } from '../image/image.ts';
import { resample } from '../image/resample.ts';
import { MINI_SIZE } from '../networks/mini-face.ts';
import { type FacesToDraw, type LipModel, stack } from './lip-model.ts';
import { layoutBySkull } from './mini-layout.ts';
import { loadMini, MINI_CONFIG_FILE, type MiniConfig } from './mini-networks.ts';
import { lipCodes } from './mini-sound.ts';

/** A reach measured on seconds of video is not quite believed: the power that training took it to. */
const STYLE_TRUST = 0.8;
/** How much further or less than the mean a person's lips may be taken to move. */
const STYLES = { least: 0.6, most: 2.2 };

/** The drawn jaw may open further than that of the source: the mask reaches this much further below the chin. */
const CHIN_GROWTH = 0.15;

/** The width of the mask's soft edge where no landmarks are known, as a part of the box. */
const FEATHER = 0.06;

/**
 * Loads mini from a folder that holds its bundle.
 *
 * @throws MuseTalkError MODEL_MISSING, BAD_FILE, BAD_WEIGHTS or ENGINE.
 */
export async function openMini(
  folder: string,
  options: { threads?: number | undefined } = {},
): Promise<LipModel> {
  const networks = await loadMini(folder, options);
  const { config } = networks;
  return {
    name: 'mini',
    key: createHash('sha256')
      .update(await readFile(join(folder, MINI_CONFIG_FILE)))
      .digest('hex')
      .slice(0, 24),
    size: MINI_SIZE,
    latentShape: [MINI_SIZE, MINI_SIZE, 3],
    latentType: 'uint8',
    landmarks: 'mesh',

    layout: layoutBySkull,

    boxOf(coords, { width, height }) {
      const seen = intersectBoxes(coords, { x1: 0, y1: 0, x2: width, y2: height });
      return seen.x2 - seen.x1 >= 1 && seen.y2 - seen.y1 >= 1 ? coords : null;
    },

    crop: cutOut,

    // The pixels themselves: the network folds and masks them.
    prepare: async (crops) => stack(crops.map(bytesOf)),

    mask: async (_frame, { box, landmarks }) => {
      if (landmarks) return landmarkMask(landmarks, wholePixels(box), { chinGrowth: CHIN_GROWTH });
      const { x1, x2, y1, y2 } = wholePixels(box);
      const half = { x1, x2, y1: Math.floor((y1 + y2) / 2), y2 };
      return softBoxMask(half, { feather: Math.round(FEATHER * (x2 - x1)) });
    },

    framesOf: ({ sampleCount }, { num, den }) => Math.round((sampleCount * num) / (16000 * den)),

    async *conditions(sound, { fps, frames, signal }) {
      let given = 0;
      if (frames === 0) return;
      for await (const code of lipCodes((mel) => networks.hear(mel, { signal }), sound, { fps, signal })) {
        yield code;
        if (++given === frames) return;
      }
    },

    async generate(faces, options) {
      const crops = faces.latents as Tensor<'uint8'>;
      const references = stack(
        Array.from({ length: crops.shape[0]! }, () => bytesOf(faces.person.reference ?? firstOf(crops))),
      );
      return imagesOf(await networks.draw({ crops, references, codes: codesOf(faces, config) }, options));
    },

    recall: async (latents) => imagesOf(latents as Tensor<'uint8'>),

    close: () => networks.close(),
  };
}

/** Lip codes as widely as the person speaks. */
function codesOf({ conditions, person }: FacesToDraw, { gain, reach }: MiniConfig) {
  const style = person.lipReach === undefined ? 1 : (person.lipReach / reach) ** STYLE_TRUST;
  const factor = gain * Math.min(STYLES.most, Math.max(STYLES.least, style));
  return tensor(
    conditions.shape,
    conditions.data.map((code) => code * factor),
  );
}

function cutOut(frame: Image, { x1, y1, x2, y2 }: Box): Image {
  const x = { start: x1, step: (x2 - x1) / MINI_SIZE };
  const y = { start: y1, step: (y2 - y1) / MINI_SIZE };
  return resample(frame, x, y, MINI_SIZE, MINI_SIZE);
}

function wholePixels({ x1, y1, x2, y2 }: Box): Box {
  return { x1: Math.floor(x1), y1: Math.floor(y1), x2: Math.ceil(x2), y2: Math.ceil(y2) };
}

function bytesOf({ data }: Pick<Image, 'data'>): Tensor<'uint8'> {
  return { dtype: 'uint8', shape: [MINI_SIZE, MINI_SIZE, 3], data };
}

function firstOf({ data }: Tensor<'uint8'>): Pick<Image, 'data'> {
  return { data: data.subarray(0, MINI_SIZE * MINI_SIZE * 3) };
}

function imagesOf({ shape: [count], data }: Tensor<'uint8'>): Image[] {
  const size = MINI_SIZE * MINI_SIZE * 3;
  return Array.from({ length: count! }, (_, i) =>
    image(MINI_SIZE, MINI_SIZE, 3, data.subarray(i * size, (i + 1) * size)),
  );
}
