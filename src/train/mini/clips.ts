/** Prepared clips as mini learns from them, and the basis of its lip codes. */

import { readFile } from 'node:fs/promises';
import { MuseTalkError } from '../../core/errors.ts';
import { lipSpread } from '../../face/lip-measure.ts';
import { MINI_CODE } from '../../networks/mini-face.ts';
import { type ClipEntry, clipFile } from '../data/prepared.ts';
import { CROP_SIZE, type FaceClip } from './face-batches.ts';
import { fitLipBasis, LIP_NUMBERS, type LipBasis, lipCode, mirroredShape } from './lip-code.ts';

/** A clip with the shapes of its lips, before codes are made of them. */
export interface LipClip extends ClipEntry {
  /** [frames, 94] */
  readonly shapes: Float32Array;
  /** Opening of the lips in heights of the box. */
  readonly openings: Float32Array;
}

/** Reads the lips of a clip. @throws MuseTalkError BAD_FILE */
export async function readLips(data: string, entry: ClipEntry): Promise<LipClip> {
  const [shapes, facts] = await Promise.all([
    readFile(clipFile(data, entry.clip, 'shapes')),
    readFile(clipFile(data, entry.clip, 'json'), 'utf8'),
  ]).catch((cause) => {
    throw damaged(data, entry, cause);
  });
  const { openings } = JSON.parse(facts) as { openings: number[] };
  if (shapes.length !== 4 * entry.frames * LIP_NUMBERS || openings.length !== entry.frames)
    throw damaged(data, entry);
  return {
    ...entry,
    shapes: new Float32Array(Uint8Array.from(shapes).buffer),
    openings: Float32Array.from(openings),
  };
}

/** The basis of the lip codes of some clips, in which every speaker counts the same. */
export function lipBasisOf(clips: readonly LipClip[]): LipBasis {
  const framesOf = new Map<string, number>();
  for (const { speaker, frames } of clips) framesOf.set(speaker, (framesOf.get(speaker) ?? 0) + frames);
  return fitLipBasis(
    clips.flatMap(({ shapes, speaker, frames }) =>
      Array.from({ length: frames }, (_, t) => ({
        shape: shapeAt(shapes, t),
        weight: 1 / framesOf.get(speaker)!,
      })),
    ),
  );
}

/** Lip codes of all frames: [frames, 8]. */
export function codesOf(
  { shapes, frames }: LipClip,
  basis: LipBasis,
  { mirrored = false } = {},
): Float32Array {
  const codes = new Float32Array(frames * MINI_CODE);
  for (let t = 0; t < frames; t++) {
    const shape = shapeAt(shapes, t);
    codes.set(lipCode(basis, mirrored ? mirroredShape(shape) : shape), t * MINI_CODE);
  }
  return codes;
}

/** The clip with its pictures (70 KB a frame), as the picture network learns from it. */
export async function faceClipOf(data: string, clip: LipClip, basis: LipBasis): Promise<FaceClip> {
  const crops = await readFile(clipFile(data, clip.clip, 'crops')).catch((cause) => {
    throw damaged(data, clip, cause);
  });
  if (crops.length !== clip.frames * CROP_SIZE ** 2 * 3) throw damaged(data, clip);
  return {
    name: clip.clip,
    speaker: clip.speaker,
    frames: clip.frames,
    crops,
    codes: codesOf(clip, basis),
    mirroredCodes: codesOf(clip, basis, { mirrored: true }),
    openings: clip.openings,
  };
}

/** Frames `start` … `end` − 1 of a clip. */
export function partOfClip(clip: FaceClip, start: number, end: number): FaceClip {
  const part = <A extends Uint8Array | Float32Array>(numbers: A) => {
    const one = numbers.length / clip.frames;
    return numbers.subarray(start * one, end * one) as A;
  };
  return {
    ...clip,
    frames: end - start,
    crops: part(clip.crops),
    codes: part(clip.codes),
    mirroredCodes: part(clip.mirroredCodes),
    openings: part(clip.openings),
  };
}

/** How widely the lips of each speaker move. */
export function spreadsOf(
  clips: readonly { readonly speaker: string; readonly openings: Iterable<number> }[],
): Map<string, number> {
  const all = new Map<string, number[]>();
  for (const { speaker, openings } of clips) all.set(speaker, [...(all.get(speaker) ?? []), ...openings]);
  return new Map([...all].map(([speaker, openings]) => [speaker, Math.max(lipSpread(openings), 1e-3)]));
}

function shapeAt(shapes: Float32Array, t: number): Float32Array {
  return shapes.subarray(t * LIP_NUMBERS, (t + 1) * LIP_NUMBERS);
}

function damaged(data: string, { clip }: ClipEntry, cause?: unknown): MuseTalkError {
  return new MuseTalkError('BAD_FILE', `the prepared clip ${clip} in ${data} is not whole`, {
    hint: 'Remove the folder with the prepared data and prepare it again.',
    facts: { data, clip },
    cause,
  });
}
