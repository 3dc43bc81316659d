/** From a video to an avatar: box, latents and mask of each frame. Pixels pass through; none are kept. */
import type { Box } from '../core/box.ts';
import { MuseTalkError } from '../core/errors.ts';
import { batches, prefetch } from '../core/stream.ts';
import type { FaceFinder, FindOptions, NumberedImage } from '../face/finder.ts';
import type { Image } from '../image/image.ts';
import { type Layout, type LipModel, type Person, type Place, unstack } from '../lips/lip-model.ts';
import type { PlanarFrame, VideoSource } from '../media/source.ts';
import { PlacedFaces, placeRecord, readFrame, storedLatents } from './places.ts';
import { settingOf } from './setting.ts';
import { type AvatarFace, AvatarStore } from './store.ts';

/** What depends on a video alone; what it says, and to which sound, comes later. */
export interface Avatar {
  readonly video: VideoSource;
  /** Frames that were prepared, counted from the first of the video. */
  readonly frameCount: number;
  /** Frames among them that show a face. */
  readonly faceCount: number;
  readonly warnings: readonly string[];
  readonly person: Person;
  /**
   * Box, latents and mask of a frame; `null` where it shows no face. Give the frame itself if it is at hand and not
   * drawn on yet: models that keep no latents would have to read it again.
   */
  face(frame: number, picture?: NumberedImage | PlanarFrame): Promise<AvatarFace | null>;
  /** How far the mouth of a frame is open, as a part of the box's height; NaN where it is not known. */
  opening(frame: number): number;
  /** Closes its files. */
  close(): Promise<void>;
}

/** How an avatar is prepared, and where it is kept. */
export interface PrepareOptions {
  /** Folder for what is prepared; what an earlier run left there is continued. */
  readonly folder: string;
  /** How many frames from the first on; all by default. */
  readonly frameCount?: number | undefined;
  /** Where faces come from: boxes before any margin, one for each frame, or something that finds them. */
  readonly faces: { readonly coords: readonly (Box | null)[] } | { readonly finder: FaceFinder };
  readonly find?: FindOptions | undefined;
  /** Frames given to the networks at once; 8 by default. */
  readonly batchSize?: number | undefined;
  /** Names everything outside the model that changes the result, such as the identity of the video. */
  readonly key?: string | undefined;
  /** Hears the boxes as soon as they are known. */
  readonly onCoords?: ((coords: readonly (Box | null)[]) => void | Promise<void>) | undefined;
  readonly onProgress?:
    | ((progress: { stage: 'faces' | 'prepare'; done: number; total: number }) => void)
    | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Prepares an avatar. The video is read once for faces, unless their boxes are given, and once for latents, if the
 * model keeps any.
 *
 * @throws MuseTalkError NO_FACE when no frame shows a face, BAD_OPTION when there are fewer boxes than frames,
 * CANNOT_WRITE; and what the video, the finder and the model throw.
 */
export async function prepareAvatar(
  model: LipModel,
  video: VideoSource,
  options: PrepareOptions,
): Promise<Avatar> {
  const { folder, frameCount = video.frameCount, key = '', batchSize = 8, signal } = options;
  const header = { key: `${model.key} ${key}`, ...storedLatents(model), frameCount };
  const store = await AvatarStore.open(folder, header, batchSize);
  try {
    const warnings: string[] = [];
    if (store.count < frameCount || options.onCoords) {
      const layout = await layoutOf(model, video, frameCount, options);
      await options.onCoords?.(layout.coords);
      warnings.push(...layout.warnings);
      if (!layout.coords.some((box) => box !== null)) throw noFace(frameCount);
      await fill(store, model, video, { ...options, layout, frameCount, batchSize });
    }
    signal?.throwIfAborted();
    if (store.faceCount === 0) throw noFace(frameCount);
    return await avatarOf(model, store, video, warnings);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function avatarOf(
  model: LipModel,
  store: AvatarStore,
  video: VideoSource,
  warnings: readonly string[],
): Promise<Avatar> {
  const faces = model.keeps === 'place' ? new PlacedFaces(model, video, store) : store;
  return {
    video,
    frameCount: store.count,
    faceCount: store.faceCount,
    warnings,
    person: await store.person(),
    face: (frame, picture) => faces.face(frame, picture),
    opening: (frame) => store.opening(frame),
    close: () => store.close(),
  };
}

/**
 * An avatar that was prepared before, to be read beside others who read it.
 *
 * @throws MuseTalkError WORK_MISSING where it is not there, not complete, or another model's.
 */
export async function openAvatar(model: LipModel, video: VideoSource, folder: string): Promise<Avatar> {
  const store = await AvatarStore.openWhole(folder, storedLatents(model));
  return avatarOf(model, store, video, []);
}

/** Boxes and landmarks of all frames. */
async function layoutOf(
  model: LipModel,
  video: VideoSource,
  frameCount: number,
  { faces, find, onProgress, signal }: PrepareOptions,
): Promise<Layout> {
  if ('finder' in faces) {
    // The mesh is not hurt by colours that are a few steps off; a model that is compared with upstream's might be.
    const colors = model.landmarks === 'mesh' ? 'near' : 'exact';
    const frames = prefetch(video.frames(0, frameCount, { colors }));
    const counted = async function* () {
      for await (const face of faces.finder.find(frames, find, signal)) {
        yield face;
        onProgress?.({ stage: 'faces', done: face.index + 1, total: frameCount });
      }
    };
    return model.layout(counted(), video);
  }
  const { coords } = faces;
  if (coords.length < frameCount) {
    throw new MuseTalkError('BAD_OPTION', `there are ${coords.length} boxes for ${frameCount} frames`, {
      hint: 'Give a box or null for each frame of this video.',
      facts: { boxes: coords.length, frames: frameCount },
    });
  }
  return {
    coords: coords.slice(0, frameCount),
    landmarks: () => undefined,
    openings: new Float32Array(frameCount).fill(Number.NaN),
    reference: coords.findIndex((box) => box !== null),
    warnings: [],
  };
}

interface FillOptions extends PrepareOptions {
  readonly layout: Layout;
  readonly frameCount: number;
  readonly batchSize: number;
}

/** Adds the frames that the store does not have yet. */
async function fill(
  store: AvatarStore,
  model: LipModel,
  video: VideoSource,
  options: FillOptions,
): Promise<void> {
  const { layout, frameCount, batchSize, onProgress, signal } = options;
  await store.keepPerson(await personOf(model, video, layout));
  const start = store.count;
  if (model.keeps === 'place') {
    for (let index = start; index < frameCount; index++) {
      const place = placeOf(index, model, video, layout);
      await store.add(place && placeRecord(place, openingOf(index, layout)));
      onProgress?.({ stage: 'prepare', done: store.count, total: frameCount });
    }
    return;
  }
  const cuts = prefetch(batches(cutOut(model, video, { layout, start, end: frameCount, signal }), batchSize));
  for await (const batch of cuts) {
    signal?.throwIfAborted();
    const shown = batch.filter((cut) => cut !== null);
    const crops = shown.map(({ crop, place }) => ({ ...crop, index: place.index }));
    const latents = shown.length > 0 ? unstack(await model.prepare(crops, { signal })) : [];
    for (const cut of batch) {
      await store.add(cut && { ...cut.face, latents: latents.shift()! });
      onProgress?.({ stage: 'prepare', done: store.count, total: frameCount });
    }
  }
}

/** Where the face of a frame is; null where there is none that could be cut out. */
function placeOf(index: number, model: LipModel, video: VideoSource, layout: Layout): Place | null {
  const coords = layout.coords[index] ?? null;
  const box = coords && model.boxOf(coords, video);
  return box && { index, box, landmarks: layout.landmarks(index) };
}

function openingOf(index: number, { openings }: Layout): number {
  return openings[index] ?? Number.NaN;
}

interface Cut {
  readonly place: Place;
  readonly crop: Image;
  readonly face: Omit<AvatarFace, 'latents'>;
}

interface CutOptions {
  readonly layout: Layout;
  readonly start: number;
  readonly end: number;
  readonly signal: AbortSignal | undefined;
}

/** The face of each frame, cut out, with its mask. */
async function* cutOut(
  model: LipModel,
  video: VideoSource,
  { layout, start, end, signal }: CutOptions,
): AsyncGenerator<Cut | null> {
  for await (const frame of video.frames(start, end)) {
    const place = placeOf(frame.index, model, video, layout);
    if (place === null) {
      yield null;
      continue;
    }
    const { box } = place;
    const mask = await model.mask(frame, place, { signal });
    const opening = openingOf(frame.index, layout);
    yield { place, crop: model.crop(frame, box), face: { box, mask, opening } };
  }
}

async function personOf(model: LipModel, video: VideoSource, layout: Layout): Promise<Person> {
  const { reference, coords, lipSpread } = layout;
  const box = reference === undefined ? undefined : coords[reference];
  const placed = box && model.boxOf(box, video);
  if (reference === undefined || !placed) return { reference: undefined, setting: undefined, lipSpread };
  const frame = await readFrame(video, reference);
  return { reference: model.crop(frame, placed), setting: settingOf(frame, placed), lipSpread };
}

function noFace(frames: number): MuseTalkError {
  const where = frames === 1 ? 'the picture shows no face' : `none of ${frames} frames shows a face`;
  return new MuseTalkError('NO_FACE', `${where} that could be used`, {
    hint: 'Choose a video in which one face is seen from the front and is not too small, or give its boxes with --coords.',
    facts: { frames },
  });
}
