/** Draws training samples of MuseTalk from prepared clips: frames, references, crops, sounds. */
import type { Box, Point } from '../../core/box.ts';
import { MuseTalkError } from '../../core/errors.ts';
import type { FloatTensor } from '../../core/tensor.ts';
import { tensor } from '../../core/tensor.ts';
import type { Image } from '../../image/image.ts';
import { positionalEncoding } from '../../networks/positional-encoding.ts';
import { SYNC_FRAMES } from '../../networks/syncnet.ts';
import type { TrainSettings } from '../../options/train.ts';
import { syncMel, syncMelRows } from '../../sound/sync-mel.ts';
import { type FaceTrack, trainingBox } from '../data/face-track.ts';
import { AS_IT_IS, drawTint, type Tint, writePicture } from '../data/pictures.ts';
import { clipFile } from '../data/prepared.ts';
import { readWav } from '../data/wav.ts';
import { cutMaps } from '../mouth-cut.ts';
import type { Random } from '../random.ts';
import {
  alikePoses,
  chooseAnyReference,
  chooseReference,
  clipInCrops,
  landmarksInCrop,
} from '../reference-choice.ts';
import type { StageBatch } from '../stage-task.ts';
import { drawMargin, withMarginBelow } from '../training-crop.ts';
import { trainingConditions } from '../training-sound.ts';
import type { FrozenAnswers } from './frozen-answers.ts';

/** A clip that can be drawn from. */
export interface SampledClip extends FaceTrack {
  /** Landmarks of every frame in its crop, by which references are chosen. */
  readonly crops: readonly (readonly Point[])[];
  /** The mel by which sync is judged, made when it is first asked for: [80, columns]. */
  mel(): Promise<FloatTensor>;
}

/** Draws batches of a stage. */
export interface Sampler {
  readonly settings: TrainSettings;
  readonly clips: readonly SampledClip[];
  readonly answers: FrozenAnswers;
}

/** The clips of a list that a training can use. @throws MuseTalkError NOT_FOUND when there are none. */
export function sampledClips(
  data: string,
  tracks: readonly FaceTrack[],
  { minFace, train }: Pick<TrainSettings, 'minFace' | 'train'>,
): SampledClip[] {
  const least = framesOf(train) + 12; // room for a reference that is not near the target
  const usable = tracks.filter(
    ({ sound, frames, faceWidth }) => sound && frames >= least && faceWidth >= minFace,
  );
  if (usable.length === 0 && tracks.length > 0) {
    const count = (what: (track: FaceTrack) => boolean) => tracks.filter(what).length;
    throw new MuseTalkError(
      'NOT_FOUND',
      `none of ${tracks.length} clips can be learned from: ${count(({ sound }) => !sound)} without sound, ${count(({ frames }) => frames < least)} shorter than ${least} frames, ${count(({ faceWidth }) => faceWidth < minFace)} with a face narrower than ${minFace} pixels`,
      { hint: 'Lower minFace, or prepare other videos.', facts: { clips: tracks.length, least, minFace } },
    );
  }
  return usable.map((track) => {
    let mel: Promise<FloatTensor> | undefined;
    return {
      ...track,
      crops: clipInCrops(track),
      mel: () => {
        mel ??= readWav(clipFile(data, track.clip, 'wav')).then(syncMel);
        return mel;
      },
    };
  });
}

/** Successive frames of a sample. */
function framesOf(train: TrainSettings['train']): number {
  return train === 'musetalk-1.5-second' || train === 'sync' ? SYNC_FRAMES : 1;
}

/** A frame with the box that is cut out of it. */
interface Cut {
  readonly frame: number;
  readonly box: Box;
}

/** What one sample is made of. */
export interface Sample {
  readonly clip: SampledClip;
  readonly targets: readonly Cut[];
  readonly references: readonly Cut[];
  readonly tint: Tint;
  /** Which hearing of the sound. */
  readonly variant: number;
}

/** Draws a sample: `plain` without any change of pictures and sound, for looking at. */
export function drawSample(
  { settings, clips }: Pick<Sampler, 'settings' | 'clips'>,
  random: Random,
  plain = false,
): Sample {
  const { train, augment, crop } = settings;
  const count = framesOf(train);
  const clip = random.pick(clips);
  const first = random.integer(0, clip.frames - count);
  const numbers = Array.from({ length: count }, (_, i) => first + i);
  const margin = () => (typeof crop.margin === 'number' ? crop.margin : drawMargin(random, crop.margin));
  const reach = plain ? { shift: 0, scale: 0 } : augment;
  const moved = {
    x: random.uniform(-reach.shift, reach.shift),
    y: random.uniform(-reach.shift, reach.shift),
    scale: 1 + random.uniform(-reach.scale, reach.scale),
  };
  const cut = (frame: number, below: number): Cut => ({
    frame,
    box: movedBox(withMarginBelow(trainingBox(clip, frame, crop.box), below, clip.height), moved),
  });
  // The frames share one margin, each reference draws its own: see `drawMargin`.
  const shared = margin();
  return {
    clip,
    targets: numbers.map((frame) => cut(frame, shared)),
    references: numbers.map((frame) => cut(referenceOf(clip, frame, settings, random), margin())),
    tint: plain ? AS_IT_IS : drawTint(random, augment),
    variant: plain ? 0 : random.integer(0, augment.sound),
  };
}

function referenceOf(
  { crops }: SampledClip,
  target: number,
  { reference, referenceRatio: ratio, train }: TrainSettings,
  random: Random,
): number {
  if (reference === 'pose-and-mouth')
    return chooseReference(crops, target, random, { ratio, frames: framesOf(train) });
  const any = () => chooseAnyReference(crops.length, target, random) ?? target;
  if (reference === 'random') return any();
  const alike = alikePoses(crops, target, ratio).filter((frame) => Math.abs(frame - target) >= 5);
  return alike.length > 0 ? random.pick(alike) : any();
}

function movedBox({ x1, y1, x2, y2 }: Box, { x, y, scale }: { x: number; y: number; scale: number }): Box {
  const [width, height] = [x2 - x1, y2 - y1];
  const [cx, cy] = [(x1 + x2) / 2 + x * width, (y1 + y2) / 2 + y * height];
  return {
    x1: cx - (scale * width) / 2,
    y1: cy - (scale * height) / 2,
    x2: cx + (scale * width) / 2,
    y2: cy + (scale * height) / 2,
  };
}

/** The pictures of cuts as numbers: [n, 3, size, size]. */
export async function picturesOf(
  { clip, tint }: Pick<Sample, 'clip' | 'tint'>,
  cuts: readonly Cut[],
  size: number,
): Promise<FloatTensor> {
  const pictures = tensor([cuts.length, 3, size, size]);
  const one = 3 * size * size;
  const faces = await Promise.all(cuts.map(({ frame, box }) => clip.crop(frame, box, size)));
  for (const [i, face] of faces.entries())
    writePicture(pictures.data.subarray(i * one, (i + 1) * one), face, tint);
  return pictures;
}

/** The mel of a sample's time, as the sync net hears it: [1, 80, 52] after one another. */
export async function melOf({ clip, targets }: Pick<Sample, 'clip' | 'targets'>): Promise<Float32Array> {
  const mel = await clip.mel();
  const columns = mel.shape[1]!;
  const { start, end } = syncMelRows(targets[0]!.frame);
  const window = new Float32Array(80 * (end - start)).fill(-4);
  for (let band = 0; band < 80; band++) {
    const row = mel.data.subarray(band * columns + start, band * columns + Math.min(end, columns));
    window.set(row, band * (end - start));
  }
  return window;
}

/** What the stage's passes want, for samples that were drawn; `references` are for looking at alone. */
export async function batchOf(
  { settings, answers }: Sampler,
  samples: readonly Sample[],
): Promise<{ batch: StageBatch; references: FloatTensor }> {
  const { train, crop } = settings;
  const { size } = crop;
  const [pictures, references, conditions, latents] = await Promise.all([
    Promise.all(samples.map((sample) => picturesOf(sample, sample.targets, size))),
    Promise.all(samples.map((sample) => picturesOf(sample, sample.references, size))),
    Promise.all(samples.map((sample) => conditionOf(sample, answers))),
    Promise.all(samples.map((sample) => latentsOf(sample, settings, answers))),
  ]);
  const batch: Record<string, FloatTensor> = {
    picture: joined(pictures),
    condition: joined(conditions),
    latents: joined(latents.map(({ both }) => both)),
  };
  if (train === 'musetalk-1.0') batch.trueLatents = joined(latents.map(({ whole }) => whole));
  if (train === 'musetalk-1.5-second') {
    const boxes = samples.flatMap((sample) => sample.targets.map((cut) => mouthBox(sample, cut, size)));
    const maps = cutMaps(boxes, { height: size, width: size, size });
    batch.mouthRows = maps.rows;
    batch.mouthColumns = maps.columns;
    const mels = await Promise.all(samples.map(melOf));
    const mel = tensor([samples.length, 1, 80, mels[0]!.length / 80]);
    for (const [i, window] of mels.entries()) mel.data.set(window, i * window.length);
    batch.mel = mel;
  }
  return { batch, references: joined(references) };
}

/** Positions are added here as inference adds them. Upstream: 1.5's training does not, by mistake. */
async function conditionOf({ clip, targets, variant }: Sample, answers: FrozenAnswers): Promise<FloatTensor> {
  const { features, speed } = await answers.hear(clip, variant);
  const conditions = trainingConditions(features, targets[0]!.frame, targets.length, speed);
  const [, rows, width] = conditions.shape as [number, number, number];
  const { data: positions } = positionalEncoding(rows, width);
  return tensor(
    conditions.shape,
    conditions.data.map((value, i) => value + positions[i % positions.length]!),
  );
}

/** Latents of the masked targets and the references side by side, and of the whole targets. */
async function latentsOf(
  sample: Sample,
  { crop, augment }: TrainSettings,
  answers: FrozenAnswers,
): Promise<{ both: FloatTensor; whole: FloatTensor }> {
  const { clip, targets, references, tint } = sample;
  // The same frame always gives the same latents where nothing about its crop is random.
  const fixed =
    typeof crop.margin === 'number' && Object.values({ ...augment, sound: 0 }).every((x) => x === 0);
  const face = async ({ frame, box }: Cut) => tinted(await clip.crop(frame, box, crop.size), tint);
  const encoded = async (cuts: readonly Cut[]) => {
    if (!fixed) return answers.encode(await Promise.all(cuts.map(face)));
    const plain = (frame: number) => {
      const box = trainingBox(clip, frame, crop.box);
      return clip.crop(frame, withMarginBelow(box, crop.margin as number, clip.height), crop.size);
    };
    return stacked(await Promise.all(cuts.map(({ frame }) => answers.encoded(clip, frame, plain))));
  };
  const [mine, theirs] = await Promise.all([encoded(targets), encoded(references)]);
  const [count, channels, ...rest] = mine.shape as [number, number, ...number[]];
  const half = mine.data.length / count / 2;
  const both = tensor(mine.shape);
  const whole = tensor([count, channels / 2, ...rest]);
  for (let i = 0; i < count; i++) {
    both.data.set(mine.data.subarray(2 * i * half, (2 * i + 1) * half), 2 * i * half);
    both.data.set(theirs.data.subarray((2 * i + 1) * half, (2 * i + 2) * half), (2 * i + 1) * half);
    whole.data.set(mine.data.subarray((2 * i + 1) * half, (2 * i + 2) * half), i * half);
  }
  return { both, whole };
}

/** The picture with its tint, as bytes again, as the encoder takes it. */
function tinted(face: Image, { mirror, tables }: Tint): Image {
  if (tables === AS_IT_IS.tables && !mirror) return face;
  const { width, height } = face;
  const data = new Uint8Array(face.data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + (mirror ? width - 1 - x : x)) * 3;
      for (let c = 0; c < 3; c++)
        data[(y * width + x) * 3 + c] = Math.round((tables[c]![face.data[from + c]!]! + 1) * 127.5);
    }
  }
  return { ...face, data };
}

/** Lips, from the outer corners. */
const LIPS = [48, 68] as const;
/** Pixels on either side of the lips, in a crop of 256. */
const PADDING = 10;

/**
 * The mouth in a crop, twice as wide as high, on whole pixels, at least two a side.
 *
 * Upstream shifts it by a rough guess of where the margin moved it; here the landmarks are taken where they are.
 */
function mouthBox({ clip, tint }: Sample, { frame, box }: Cut, size: number): Box {
  const lips = landmarksInCrop(clip.landmarks[frame]!, box, size).slice(...LIPS);
  const xs = lips.map(({ x }) => (tint.mirror ? size - x : x));
  const ys = lips.map(({ y }) => y);
  const padding = (PADDING * size) / 256;
  const [left, right] = [Math.min(...xs) - padding, Math.max(...xs) + padding];
  const middle = (Math.min(...ys) + Math.max(...ys)) / 2;
  const within = (at: number, least: number) => Math.min(Math.max(Math.round(at), least), size - 2 + least);
  const [x1, y1] = [within(left, 0), within(middle - (right - left) / 4, 0)];
  return {
    x1,
    y1,
    x2: Math.max(x1 + 2, within(right, 2)),
    y2: Math.max(y1 + 2, within(middle + (right - left) / 4, 2)),
  };
}

/** […] n times → [n, …] */
function stacked(tensors: readonly FloatTensor[]): FloatTensor {
  return joined(tensors.map(({ shape, data }) => tensor([1, ...shape], data)));
}

/** Tensors one after another along their first axis. */
function joined(tensors: readonly FloatTensor[]): FloatTensor {
  const [, ...rest] = tensors[0]!.shape;
  const count = tensors.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const all = tensor([count, ...rest]);
  let at = 0;
  for (const { data } of tensors) {
    all.data.set(data, at);
    at += data.length;
  }
  return all;
}
