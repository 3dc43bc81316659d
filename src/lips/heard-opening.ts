/** How far the mouth should be open in each frame, by the sound alone. */

import type { Rational, SoundSource } from '../media/source.ts';
import { levels } from '../sound/silence.ts';
import { bundledMini, isMini, loadMiniEars } from './mini-networks.ts';
import { lipCodes } from './mini-sound.ts';

/** What a sound asks of the mouth, a number for each frame; only its course counts, not its size. */
export interface Heard {
  readonly opening: Float32Array;
  /** `mini`: the network of the bundled model, which hears phones. `loudness`: the level, which is much less exact. */
  readonly by: 'mini' | 'loudness';
}

/** What hears mouths open. */
export interface OpeningEars {
  hear(sound: Sound, options: HearOptions): Promise<Heard>;
  close(): Promise<void>;
}

type Sound = Pick<SoundSource, 'samples' | 'sampleCount'>;

/** How much is listened to. */
export interface HearOptions {
  readonly fps: Rational;
  readonly frames: number;
  readonly signal?: AbortSignal | undefined;
}

/** Ears of mini where its bundle is there (in `folder`, that of the package by default), else for loudness. */
export async function openEars(folder = bundledMini()): Promise<OpeningEars> {
  if (!(await isMini(folder))) {
    return {
      hear: async (sound, { fps, frames }) => ({
        opening: await loudness(sound, fps, frames),
        by: 'loudness',
      }),
      close: async () => {},
    };
  }
  const mini = await loadMiniEars(folder);
  return {
    async hear(sound, { fps, frames, signal }) {
      const opening = new Float32Array(frames);
      let frame = 0;
      for await (const code of lipCodes((mel) => mini.hear(mel, { signal }), sound, { fps, signal })) {
        if (frame === frames) break;
        // The first component of the lip code is the fall of chin and lower lip: the opening.
        opening[frame++] = code.data[0]!;
      }
      return { opening, by: 'mini' };
    },
    close: () => mini.close(),
  };
}

/** Listens to one sound. */
export async function hearOpening(
  sound: Sound,
  { folder, ...options }: HearOptions & { readonly folder?: string | undefined },
): Promise<Heard> {
  const ears = await openEars(folder);
  try {
    return await ears.hear(sound, options);
  } finally {
    await ears.close();
  }
}

/** Decibels that count: what is softer is as silent as silence. */
const SOFTEST = -60;

async function loudness(sound: Sound, { num, den }: Rational, frames: number): Promise<Float32Array> {
  const steps: number[] = [];
  for await (const level of levels(sound.samples())) steps.push(Math.max(level, SOFTEST) - SOFTEST);
  return Float32Array.from({ length: frames }, (_, frame) => {
    const middle = ((frame + 0.5) * den * 100) / num;
    const from = Math.floor(middle - 2);
    const around = [0, 1, 2, 3].map((i) => steps[from + i] ?? 0);
    return around.reduce((a, b) => a + b, 0) / 4;
  });
}
