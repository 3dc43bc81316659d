/**
 * Avatars that upstream's realtime program prepared: a folder with `coords.pkl`, `mask_coords.pkl`, `latents.pt`,
 * `mask/` and `full_imgs/`, each a cycle of 2 N entries, forward and then backward.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Box } from '../core/box.ts';
import { MuseTalkError } from '../core/errors.ts';
import type { FloatTensor, Tensor } from '../core/tensor.ts';
import { type Image, image } from '../image/image.ts';
import { readImage } from '../media/image-files.ts';
import { openVideo } from '../media/open-video.ts';
import type { VideoSource } from '../media/source.ts';
import { asFloat32 } from '../nn/weights/cast.ts';
import { openFileSource } from '../nn/weights/file-source.ts';
import { readPickle } from '../nn/weights/read-pickle.ts';
import type { Avatar } from './prepare.ts';
import type { AvatarFace } from './store.ts';

/** An avatar of upstream's, and what it says of itself. */
export interface UpstreamAvatar extends Avatar {
  /** `avator_info.json` (its spelling). */
  readonly info: { readonly avatarId: string; readonly version: 'v1' | 'v15' };
  /** The frames of the folder, the first half of the cycle. */
  readonly video: VideoSource;
}

/**
 * Opens such a folder as it is. Frames, boxes and masks are used as they are stored; the cycle is walked by whoever
 * speaks, so only its first half is kept.
 *
 * Upstream: frames without a face have boxes but no latents, so their number differs and nothing tells which ones
 * they are; such a folder is refused.
 *
 * @throws MuseTalkError NOT_FOUND, WRONG_FILE or BAD_FILE.
 */
export async function openUpstreamAvatar(
  folder: string,
  { fps = 25, signal }: { fps?: number | string; signal?: AbortSignal | undefined } = {},
): Promise<UpstreamAvatar> {
  const info = await readInfo(join(folder, 'avator_info.json'));
  const boxes = boxesIn(await unpickled(join(folder, 'coords.pkl')), 'coords.pkl');
  const masks = boxesIn(await unpickled(join(folder, 'mask_coords.pkl')), 'mask_coords.pkl');
  const latents = latentsIn(await unpickled(join(folder, 'latents.pt')));
  const cycle = await openVideo(join(folder, 'full_imgs'), { fps, signal });
  const counts = [boxes.length, masks.length, latents.length, cycle.frameCount];
  const frameCount = counts[0]! / 2;
  if (!counts.every((count) => count === counts[0]) || !Number.isInteger(frameCount) || frameCount === 0) {
    throw new MuseTalkError(
      'BAD_FILE',
      `the avatar in ${folder} holds ${counts.join(', ')} boxes, masks, latents and frames`,
      {
        hint: 'Frames without a face lose their pairing in this format; prepare the avatar again from its video.',
        facts: { folder, counts },
      },
    );
  }
  const video = { ...cycle, frameCount, duration: cycle.duration / 2, frames: firstHalf(cycle, frameCount) };

  async function face(frame: number): Promise<AvatarFace> {
    const crop = masks[frame]!;
    const mask = firstChannel(await readImage(join(folder, 'mask', `${String(frame).padStart(8, '0')}.png`)));
    if (mask.width !== crop.x2 - crop.x1 || mask.height !== crop.y2 - crop.y1) {
      throw new MuseTalkError(
        'BAD_FILE',
        `the mask of frame ${frame} in ${folder} has not the size of its box`,
      );
    }
    return { box: boxes[frame]!, latents: latents[frame]!, mask: { crop, mask }, opening: Number.NaN };
  }
  return {
    ...{ video, frameCount, faceCount: frameCount, warnings: [], info, face },
    opening: () => Number.NaN,
    person: { reference: undefined, setting: undefined, lipSpread: undefined },
    close: async () => {},
  };
}

function firstHalf(cycle: VideoSource, frameCount: number): VideoSource['frames'] {
  return (start = 0, end = frameCount) => cycle.frames(start, Math.min(end, frameCount));
}

async function readInfo(path: string): Promise<UpstreamAvatar['info']> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new MuseTalkError('NOT_FOUND', `cannot read ${path}`, {
      hint: 'Name a folder that upstream wrote under results/avatars or results/v15/avatars.',
      facts: { path },
      cause,
    });
  });
  try {
    const { avatar_id, version } = JSON.parse(text) as Record<string, unknown>;
    return { avatarId: String(avatar_id ?? ''), version: version === 'v15' ? 'v15' : 'v1' };
  } catch (cause) {
    throw new MuseTalkError('WRONG_FILE', `${path} is not JSON`, { facts: { path }, cause });
  }
}

async function unpickled(path: string): Promise<{ path: string; value: unknown }> {
  const source = await openFileSource(path);
  try {
    return { path, value: await readPickle(source) };
  } finally {
    await source.close();
  }
}

function boxesIn({ path, value }: { path: string; value: unknown }, name: string): Box[] {
  const isBox = (entry: unknown): entry is number[] =>
    Array.isArray(entry) && entry.length === 4 && entry.every((n) => Number.isFinite(n));
  if (!Array.isArray(value) || !value.every(isBox)) {
    throw new MuseTalkError(
      'WRONG_FILE',
      `${path} is not the ${name} of an avatar: it holds no list of boxes`,
    );
  }
  return value.map(([x1, y1, x2, y2]) => ({ x1: x1!, y1: y1!, x2: x2!, y2: y2! }));
}

/** n tensors [1, 8, 32, 32] of 16-bit floats → n times [8, 32, 32]. */
function latentsIn({ path, value }: { path: string; value: unknown }): FloatTensor[] {
  const isTensor = (entry: unknown): entry is Tensor =>
    typeof entry === 'object' && entry !== null && 'shape' in entry && 'data' in entry && 'dtype' in entry;
  if (!Array.isArray(value) || !value.every(isTensor)) {
    throw new MuseTalkError(
      'WRONG_FILE',
      `${path} is not the latents.pt of an avatar: it holds no list of tensors`,
    );
  }
  return value.map((tensor) => {
    const { data, shape } = asFloat32(tensor);
    return { dtype: 'float32', shape: shape.slice(-3), data };
  });
}

function firstChannel({ width, height, data }: Image): Image {
  const grey = image(width, height, 1);
  for (let i = 0; i < grey.data.length; i++) grey.data[i] = data[3 * i]!;
  return grey;
}
