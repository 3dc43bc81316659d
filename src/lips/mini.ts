/** mini, the model that comes with the package, as a lip model. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Box, intersectBoxes } from '../core/box.ts';
import { type FloatTensor, type Tensor, tensor } from '../core/tensor.ts';
import { type Image, image } from '../image/image.ts';
import { type PlanarImage, resamplePlanar } from '../image/planar.ts';
import { resample } from '../image/resample.ts';
import { MINI_SIZE } from '../networks/mini-face.ts';
import { type LipModel, type Person, stack } from './lip-model.ts';
import { layoutBySkull, miniMask } from './mini-layout.ts';
import { loadMini, MINI_CONFIG_FILE, type MiniNetworks } from './mini-networks.ts';
import { fitPerson, type PersonFit } from './mini-person.ts';
import { lipCodes } from './mini-sound.ts';

/** A spread measured on seconds of video is not quite believed: the power that it is taken to. */
const STYLE_TRUST = 0.9;
/** How much further or less than the mean a person's lips may be taken to move. */
const STYLES = { least: 0.7, most: 3 };

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
  const fits = new WeakMap<Person, Promise<PersonFit>>();
  /** Fitted once a person, when the first face is drawn. */
  const fitOf = (person: Person, reference: Tensor<'uint8'>): Promise<PersonFit> => {
    const known = fits.get(person);
    if (known) return known;
    const fit = fitted(networks, person, reference);
    fits.set(person, fit);
    return fit;
  };
  return {
    name: 'mini',
    key: createHash('sha256')
      .update(await readFile(join(folder, MINI_CONFIG_FILE)))
      .digest('hex')
      .slice(0, 24),
    size: MINI_SIZE,
    latentShape: [MINI_SIZE, MINI_SIZE, 3],
    latentType: 'uint8',
    keeps: 'place',
    landmarks: 'mesh',

    layout: layoutBySkull,

    boxOf(coords, { width, height }) {
      const seen = intersectBoxes(coords, { x1: 0, y1: 0, x2: width, y2: height });
      return seen.x2 - seen.x1 >= 1 && seen.y2 - seen.y1 >= 1 ? coords : null;
    },

    crop: cutOut,

    // The pixels themselves: the network folds and masks them.
    prepare: async (crops) => stack(crops.map(bytesOf)),

    mask: async (_frame, place) => miniMask(place),

    planar: { crop: cutOutPlanar, mask: miniMask },

    framesOf: ({ sampleCount }, { num, den }) => Math.round((sampleCount * num) / (16000 * den)),

    async *conditions(sound, { fps, frames, signal }) {
      let given = 0;
      if (frames === 0) return;
      const hear = (mel: FloatTensor) => networks.hear(mel, { signal });
      const width = networks.config.speech?.width;
      for await (const code of lipCodes(hear, sound, { fps, width, signal })) {
        yield code;
        if (++given === frames) return;
      }
    },

    async generate(faces, options) {
      const crops = faces.latents as Tensor<'uint8'>;
      const reference = bytesOf(faces.person.reference ?? firstOf(crops));
      const { gain, sharpen } = await fitOf(faces.person, reference);
      const codes = tensor(
        faces.conditions.shape,
        faces.conditions.data.map((code) => code * gain),
      );
      const references = stack(Array.from({ length: crops.shape[0]! }, () => reference));
      return imagesOf(await networks.draw({ crops, references, codes, sharpen: scalar(sharpen) }, options));
    },

    recall: async (latents) => imagesOf(latents as Tensor<'uint8'>),

    close: () => networks.close(),
  };
}

/** How a person is drawn, who moves the lips as widely as was seen, or as people do. */
async function fitted(
  { config, draw, mesh }: MiniNetworks,
  { setting, lipSpread }: Person,
  reference: Tensor<'uint8'>,
): Promise<PersonFit> {
  const { spread, gain, sharpen = 0, speech } = config;
  const measured = lipSpread === undefined ? 1 : (lipSpread / spread) ** STYLE_TRUST;
  const style = Math.min(STYLES.most, Math.max(STYLES.least, measured));
  if (!speech || !setting) return { gain: gain * style, sharpen };
  return fitPerson({
    ...{ reference, setting, speech, mesh: { mesh }, reach: spread * style * speech.span },
    draw: (references, codes, share) =>
      draw({ crops: references, references, codes, sharpen: scalar(share) }),
  });
}

function scalar(value: number): FloatTensor {
  return tensor([], Float32Array.of(value));
}

function cutOut(frame: Image, box: Box): Image {
  const { x, y } = axesOf(box);
  return resample(frame, x, y, MINI_SIZE, MINI_SIZE);
}

function cutOutPlanar(frame: PlanarImage, box: Box): Image {
  const { x, y } = axesOf(box);
  return resamplePlanar(frame, x, y, MINI_SIZE, MINI_SIZE);
}

function axesOf({ x1, y1, x2, y2 }: Box) {
  return {
    x: { start: x1, step: (x2 - x1) / MINI_SIZE },
    y: { start: y1, step: (y2 - y1) / MINI_SIZE },
  };
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
