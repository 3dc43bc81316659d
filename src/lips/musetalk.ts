/** MuseTalk 1.0 and 1.5 as a lip model. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { landmarkMask } from '../compositing/landmark-mask.ts';
import {
  type BlendMask,
  enlargedBox,
  MASK_STYLES,
  type MaskStyle,
  parsingMask,
  trimMask,
} from '../compositing/masks.ts';
import { softBoxMask } from '../compositing/soft-box-mask.ts';
import type { Box } from '../core/box.ts';
import { MuseTalkError } from '../core/errors.ts';
import { type FloatTensor, type Tensor, tensor } from '../core/tensor.ts';
import { cutToPicture, withMargin } from '../face/crop-box.ts';
import type { NumberedImage } from '../face/finder.ts';
import { type Image, image } from '../image/image.ts';
import { crop } from '../image/paste.ts';
import { resizeLanczos4 } from '../image/resize.ts';
import type { Rational, SoundSource } from '../media/source.ts';
import { conditions, frameWindows } from '../sound/features.ts';
import type { Compat } from '../sound/mel-blocks.ts';
import { latentNoise } from './latent-noise.ts';
import type { ConditionsOptions, LipModel, Place } from './lip-model.ts';
import type { MuseTalkFiles, MuseTalkVersion } from './model-store.ts';
import { layoutByLandmarks } from './musetalk-layout.ts';
import {
  loadMuseTalk,
  MUSETALK_SIZE,
  type MuseTalkNetworks,
  type NetworkOptions,
} from './musetalk-networks.ts';

/**
 * The class map (512 × 512 class numbers of BiSeNet) of the square `area` of a frame. Black outside the frame.
 */
export type Parse = (
  frame: NumberedImage,
  area: Box,
  options?: { signal?: AbortSignal | undefined },
) => Promise<Image>;

/** What the published models can be told. */
export interface MuseTalkOptions {
  /** The full decoder or TAESD's; `sd` by default. */
  readonly decoder?: NetworkOptions['decoder'] | undefined;
  /** `mean` by default; upstream samples. */
  readonly latents?: NetworkOptions['latents'] | undefined;
  readonly threads?: number | undefined;
  readonly providers?: readonly string[] | undefined;
  /** Where graphs are kept whose weights stay in their files. */
  readonly cacheFolder?: string | undefined;
  /** What parses faces. Without it the mask is drawn from the landmarks. */
  readonly parse?: Parse | undefined;
  /** Pixels added below the chin; 10 by default, and never in 1.0. */
  readonly extraMargin?: number | undefined;
  /** Pixels by which the half line is moved. */
  readonly bboxShift?: number | undefined;
  /** What may change; `jaw` by default, in 1.0 always the face. */
  readonly parsingMode?: 'jaw' | 'neck' | 'raw' | undefined;
  readonly leftCheekWidth?: number | undefined;
  readonly rightCheekWidth?: number | undefined;
  /** Part of the enlarged crop's side over which the mask is blurred; the version's own by default. */
  readonly blur?: number | undefined;
  /** Frames of 40 ms that are heard before and after the frame itself; 2 and 2 by default. */
  readonly audioPaddingLeft?: number | undefined;
  readonly audioPaddingRight?: number | undefined;
  /** Seed of sampled latents. */
  readonly seed?: number | undefined;
  /** `upstream`: its literal boxes, windows and blocks of sound, faults included. */
  readonly compat?: Compat | undefined;
}

/**
 * Loads MuseTalk from its files.
 *
 * @throws MuseTalkError BAD_WEIGHTS, WRONG_FILE, BAD_FILE or ENGINE.
 */
export async function openMuseTalk(files: MuseTalkFiles, options: MuseTalkOptions = {}): Promise<LipModel> {
  const { decoder = 'sd', latents = 'mean', threads, providers, cacheFolder } = options;
  const { audioPaddingLeft: before = 2, audioPaddingRight: after = 2 } = options;
  const networks = await loadMuseTalk(files, {
    ...{ decoder, latents, window: 2 * (before + 1 + after), cacheFolder },
    ...(threads !== undefined && { threads }),
    ...(providers !== undefined && { providers }),
  });
  return museTalk(networks, files.version, { ...options, latents, key: await identityOf(files, options) });
}

type Settings = MuseTalkOptions & { readonly latents: 'mean' | 'sample'; readonly key: string };

/** The model over loaded networks. */
function museTalk(networks: MuseTalkNetworks, version: MuseTalkVersion, settings: Settings): LipModel {
  const { compat = 'right', seed = 0, latents: drawnFrom, parse } = settings;
  const extraMargin = version === '1.5' ? (settings.extraMargin ?? 10) : 0;
  const style = maskStyle(version, settings);
  const sound = (fps: Rational) => ({
    ...{ version, compat, fps },
    ...{ before: settings.audioPaddingLeft, after: settings.audioPaddingRight },
  });

  return {
    name: `musetalk-${version}`,
    key: settings.key,
    size: MUSETALK_SIZE,
    latentShape: networks.latentShape,
    latentType: 'float32',
    landmarks: 'points',

    layout: (faces, picture) =>
      layoutByLandmarks(faces, picture, { version, compat, bboxShift: settings.bboxShift ?? 0 }),

    boxOf(coords, picture) {
      const whole = withMargin(wholeNumbers(coords), extraMargin, picture.height);
      const inside = cutToPicture(whole, picture.width, picture.height);
      if (inside.x2 <= inside.x1 || inside.y2 <= inside.y1) return null;
      // Upstream: cuts out what lies in the picture, and stretches the face to the whole box when it pastes.
      return compat === 'upstream' ? whole : inside;
    },

    crop: (frame, box) =>
      resizeLanczos4(crop(frame, cutToPicture(box, frame.width, frame.height)), MUSETALK_SIZE, MUSETALK_SIZE),

    prepare(crops, options) {
      const half = [networks.latentShape[0] / 2, ...networks.latentShape.slice(1)];
      const numbers = crops.map(({ index }) => index);
      const noise = drawnFrom === 'sample' ? latentNoise(numbers, half, seed) : undefined;
      return networks.encode(bytesOf(crops), noise, options);
    },

    mask: (frame, place, options) => maskOf(frame, place, { parse, style }, options),

    framesOf: ({ sampleCount }, fps) => countOf(frameWindows(sampleCount, sound(fps))),

    async *conditions(source: Pick<SoundSource, 'sampleCount' | 'samples'>, options: ConditionsOptions) {
      const { fps, frames, signal } = options;
      let given = 0;
      const hear = (mel: FloatTensor) => networks.hear(mel, { signal });
      for await (const condition of conditions(hear, source, { ...sound(fps), frames, signal })) {
        if (given++ === frames) return;
        yield condition;
      }
      // Upstream's windows end by its own count.
      for (; given < frames; given++) yield tensor(networks.conditionShape);
    },

    async generate({ latents, conditions: heard }, options) {
      const drawn = await networks.draw(latents as FloatTensor, heard, options);
      return imagesOf(await networks.decode(drawn, options));
    },

    recall: async (latents, options) =>
      imagesOf(await networks.decode(secondHalf(latents as FloatTensor), options)),

    close: () => networks.close(),
  };
}

function maskStyle(version: MuseTalkVersion, settings: MuseTalkOptions): MaskStyle {
  const { leftCheekWidth = 90, rightCheekWidth = 90, parsingMode = 'jaw' } = settings;
  const style = MASK_STYLES[version];
  return {
    ...style,
    blur: settings.blur ?? style.blur,
    region: version === '1.0' ? 'face' : parsingMode,
    leftCheekWidth,
    rightCheekWidth,
  };
}

/** Upstream's mask where something parses faces, else one from the landmarks, else a soft lower half. */
async function maskOf(
  frame: NumberedImage,
  { box, landmarks }: Place,
  { parse, style }: { parse: Parse | undefined; style: MaskStyle },
  options: { signal?: AbortSignal | undefined } = {},
): Promise<BlendMask> {
  if (parse) {
    const classes = await parse(frame, enlargedBox(box, style.expand), options);
    return trimMask(parsingMask(classes, box, style), box);
  }
  if (landmarks) return landmarkMask(landmarks, box);
  const feather = Math.round((box.x2 - box.x1) / 10);
  const half = { ...box, y1: Math.floor((box.y1 + box.y2) / 2) };
  return softBoxMask(half, { feather });
}

/** Upstream truncates coordinates that it reads. */
function wholeNumbers({ x1, y1, x2, y2 }: Box): Box {
  return { x1: Math.trunc(x1), y1: Math.trunc(y1), x2: Math.trunc(x2), y2: Math.trunc(y2) };
}

function bytesOf(faces: readonly Image[]): Tensor<'uint8'> {
  const size = MUSETALK_SIZE * MUSETALK_SIZE * 3;
  const data = new Uint8Array(faces.length * size);
  for (const [i, face] of faces.entries()) data.set(face.data, i * size);
  return { dtype: 'uint8', shape: [faces.length, MUSETALK_SIZE, MUSETALK_SIZE, 3], data };
}

function imagesOf({ shape: [count, height, width], data }: Tensor<'uint8'>): Image[] {
  const size = width! * height! * 3;
  return Array.from({ length: count! }, (_, i) =>
    image(width!, height!, 3, data.subarray(i * size, (i + 1) * size)),
  );
}

/** The channels of the whole faces: [B, 8, h, w] → [B, 4, h, w]. */
function secondHalf({ shape, data }: FloatTensor): FloatTensor {
  const [count, channels, ...rest] = shape as [number, number, number, number];
  const size = data.length / count;
  const half = new Float32Array(data.length / 2);
  for (let i = 0; i < count; i++) {
    half.set(data.subarray(i * size + size / 2, (i + 1) * size), (i * size) / 2);
  }
  return { dtype: 'float32', shape: [count, channels / 2, ...rest], data: half };
}

function countOf(items: Iterable<unknown>): number {
  let count = 0;
  for (const _ of items) count++;
  return count;
}

/** Names the weights by size and time of change, and all settings that change how a face is prepared or masked. */
async function identityOf(files: MuseTalkFiles, options: MuseTalkOptions): Promise<string> {
  const { parse, threads, providers, cacheFolder, decoder, ...settings } = options;
  const hash = createHash('sha256').update(
    JSON.stringify({ version: files.version, settings, parsed: !!parse }),
  );
  for (const path of [files.vae.weights, files.vae.config, files.unet.weights, files.whisper.weights]) {
    const { size, mtimeMs } = await stat(path).catch((cause) => {
      throw new MuseTalkError('NOT_FOUND', `cannot read ${path}`, { cause });
    });
    hash.update(`${path} ${size} ${mtimeMs}`);
  }
  return hash.digest('hex').slice(0, 24);
}
