/** How far the mouth should be open in each frame, by the sound alone. */
import { bundledMini, isMini, loadMiniEars } from '../lips/mini-networks.ts';
import { lipCodes } from '../lips/mini-sound.ts';
import type { Rational, SoundSource } from '../media/source.ts';
import { levels } from '../sound/silence.ts';

/** What a sound asks of the mouth, a number for each frame; only its course counts, not its size. */
export interface Heard {
  readonly opening: Float32Array;
  /** `mini`: the network of the bundled model, which hears phones. `loudness`: the level, which is much less exact. */
  readonly by: 'mini' | 'loudness';
}

/** Listens to a sound with mini where its bundle is there, else by loudness. */
export async function hearOpening(
  sound: SoundSource,
  { fps, frames, folder = bundledMini(), signal }: HearOptions,
): Promise<Heard> {
  if (!(await isMini(folder))) return { opening: await loudness(sound, fps, frames), by: 'loudness' };
  const mini = await loadMiniEars(folder);
  try {
    const opening = new Float32Array(frames);
    let frame = 0;
    for await (const code of lipCodes((mel) => mini.hear(mel, { signal }), sound, { fps, signal })) {
      if (frame === frames) break;
      // The first component of the lip code is the fall of chin and lower lip: the opening.
      opening[frame++] = code.data[0]!;
    }
    return { opening, by: 'mini' };
  } finally {
    await mini.close();
  }
}

/** What to listen for, and with what. */
export interface HearOptions {
  readonly fps: Rational;
  readonly frames: number;
  /** Folder of mini's bundle; the one of the package by default. */
  readonly folder?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Decibels that count: what is softer is as silent as silence. */
const SOFTEST = -60;

async function loudness(sound: SoundSource, { num, den }: Rational, frames: number): Promise<Float32Array> {
  const steps: number[] = [];
  for await (const level of levels(sound.samples())) steps.push(Math.max(level, SOFTEST) - SOFTEST);
  return Float32Array.from({ length: frames }, (_, frame) => {
    const middle = ((frame + 0.5) * den * 100) / num;
    const from = Math.floor(middle - 2);
    const around = [0, 1, 2, 3].map((i) => steps[from + i] ?? 0);
    return around.reduce((a, b) => a + b, 0) / 4;
  });
}
