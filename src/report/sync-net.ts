/**
 * What a SyncNet says of lips and sound, as Chung and Zisserman measure it ("Out of time", 2016): how far apart what
 * is seen and what is heard lie for each lag; the least distance tells the offset, and how far it lies under the
 * usual one the confidence.
 */
import { type FloatTensor, tensor } from '../core/tensor.ts';
import type { Image } from '../image/image.ts';
import { resample } from '../image/resample.ts';
import type { SyncJudge } from '../lips/sync-judge.ts';
import type { SoundSource, VideoSource } from '../media/source.ts';
import { SYNC_FRAMES, SYNC_MEL_ROWS } from '../networks/syncnet.ts';
import { SYNC_HOP, syncMel, syncMelRows } from '../sound/sync-mel.ts';
import type { SeenFace } from './seen-faces.ts';
import { median } from './statistics.ts';

/** What a sync net found. */
export interface SyncNetSays {
  /** Seconds; positive: the sound comes after the lips. Null where no window could be judged. */
  readonly offset: number | null;
  /** Median of the distances over all lags less the least of them, 0 … 1.4. */
  readonly confidence: number;
  /** Mean distance for each lag from −15 to 15 frames of 25 fps. */
  readonly curve: readonly number[];
  /** Windows of 0.64 s that were judged. */
  readonly windows: number;
}

/** Frames of 25 fps to either side, as the paper's evaluation tries them. */
const REACH = 15;

/** Frames a second that a sync net knows. */
export const SYNC_NET_RATE = 25;

/** Frames of 25 fps from one window to the next, at least. */
const STEP = 5;

/** Windows at most, spread over the whole: more change the mean little and each takes a while. */
const MOST_WINDOWS = 48;

/** Judges windows spread over a video. One window's pictures are held at a time. */
export async function askSyncNet(
  judge: SyncJudge,
  { video, faces, sound }: { video: VideoSource; faces: readonly (SeenFace | null)[]; sound: SoundSource },
  {
    signal,
    onWindow,
  }: { signal?: AbortSignal | undefined; onWindow?: (done: number, of: number) => void } = {},
): Promise<SyncNetSays> {
  const numbers = windowsOf(faces, video);
  const sums = new Float64Array(2 * REACH + 1);
  for (const [i, frames] of numbers.entries()) {
    signal?.throwIfAborted();
    const [seen, heard] = [
      await judge.see(await picturesOf(video, faces, frames.shown, judge.size), { signal }),
      await judge.hear(await soundsOf(sound, frames.tick), { signal }),
    ];
    for (let lag = 0; lag < sums.length; lag++) sums[lag]! += distance(seen.data, heard.data, lag);
    onWindow?.(i + 1, numbers.length);
  }
  return saidOf(
    Array.from(sums, (sum) => sum / numbers.length),
    numbers.length,
  );
}

interface Window {
  /** First tick of 25 fps. */
  readonly tick: number;
  /** The video's frame of each of the 16 ticks. */
  readonly shown: readonly number[];
}

/** Windows in which every tick shows a face of the same shot, evenly spread. */
function windowsOf(faces: readonly (SeenFace | null)[], { fps, frameCount }: VideoSource): Window[] {
  const rate = fps.num / fps.den;
  const all: Window[] = [];
  const frameAt = (tick: number) => Math.floor(((tick + 0.5) * rate) / SYNC_NET_RATE);
  for (let tick = 0; frameAt(tick + SYNC_FRAMES - 1) < frameCount; tick += STEP) {
    const shown = Array.from({ length: SYNC_FRAMES }, (_, k) => frameAt(tick + k));
    // A movement that is not known is that of a cut; of the first frame it does not matter.
    const whole = shown.every(
      (frame, k) => faces[frame] && (k === 0 || !Number.isNaN(faces[frame].movement)),
    );
    if (whole) all.push({ tick, shown });
  }
  if (all.length <= MOST_WINDOWS) return all;
  return Array.from(
    { length: MOST_WINDOWS },
    (_, i) => all[Math.floor(((i + 0.5) * all.length) / MOST_WINDOWS)]!,
  );
}

/** Lower halves of the faces: [1, 48, size / 2, size]. */
async function picturesOf(
  video: VideoSource,
  faces: readonly (SeenFace | null)[],
  shown: readonly number[],
  size: number,
): Promise<FloatTensor> {
  const pictures = tensor([1, 3 * SYNC_FRAMES, size / 2, size]);
  const area = (size * size) / 2;
  const [first, last] = [shown[0]!, shown.at(-1)!];
  for await (const frame of video.frames(first, last + 1)) {
    const face = faces[frame.index];
    if (!face) continue;
    const half = lowerHalf(frame, face, size);
    for (const [k, wanted] of shown.entries()) {
      if (wanted !== frame.index) continue;
      for (let c = 0; c < 3; c++)
        for (let i = 0; i < area; i++)
          pictures.data[(3 * k + c) * area + i] = half.data[3 * i + c]! / 127.5 - 1;
    }
  }
  return pictures;
}

/** The part of the face's box below its middle line, as training cuts it. */
function lowerHalf(frame: Image, { box: { x1, x2, y1, y2 } }: SeenFace, size: number): Image {
  return resample(
    frame,
    { start: x1, step: (x2 - x1) / size },
    { start: (y1 + y2) / 2, step: (y2 - y1) / size },
    size,
    size / 2,
  );
}

/** Columns before the first one whose samples take part in it. */
const LEAD = 3;

/** Mel of a window moved by each lag: [31, 1, 80, 52]. Outside the sound there is silence. */
async function soundsOf(sound: SoundSource, tick: number): Promise<FloatTensor> {
  const firstColumn = syncMelRows(tick - REACH).start;
  const columns = syncMelRows(tick + REACH).end - firstColumn;
  const mel = syncMel(
    await samplesOf(sound, (firstColumn - LEAD) * SYNC_HOP, (columns + 2 * LEAD) * SYNC_HOP),
  );
  const width = mel.shape[1]!;
  const sounds = tensor([2 * REACH + 1, 1, 80, SYNC_MEL_ROWS]);
  for (let lag = 0; lag <= 2 * REACH; lag++) {
    const from = syncMelRows(tick + lag - REACH).start - firstColumn + LEAD;
    for (let band = 0; band < 80; band++) {
      const row = mel.data.subarray(band * width + from, band * width + from + SYNC_MEL_ROWS);
      sounds.data.set(row, (lag * 80 + band) * SYNC_MEL_ROWS);
    }
  }
  return sounds;
}

async function samplesOf(sound: SoundSource, start: number, count: number): Promise<Float32Array> {
  const samples = new Float32Array(count);
  let at = Math.max(0, start);
  const end = Math.min(sound.sampleCount, start + count);
  if (at >= end) return samples;
  for await (const piece of sound.samples(at, end)) {
    samples.set(piece, at - start);
    at += piece.length;
  }
  return samples;
}

/** Between the vector of what is seen and the one heard at a lag. */
function distance(seen: Float32Array, heard: Float32Array, lag: number): number {
  let sum = 0;
  for (let i = 0; i < seen.length; i++) sum += (seen[i]! - heard[lag * seen.length + i]!) ** 2;
  return Math.sqrt(sum);
}

function saidOf(curve: readonly number[], windows: number): SyncNetSays {
  if (windows === 0) return { offset: null, confidence: 0, curve: [], windows };
  const least = Math.min(...curve);
  const lag = curve.indexOf(least) - REACH;
  return { offset: lag / SYNC_NET_RATE, confidence: median(curve) - least, curve, windows };
}
