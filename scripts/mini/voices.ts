/** The same words in other voices and rooms: what few speakers lack. */
import { randomFrom, throughRoom } from './sound-data.ts';

/** How far pitch, throat and tempo may move together, as the logarithm of a factor. */
const REACH = 0.2;

/** A sound and what it was made from. */
export interface Voice {
  /** `NAME` as recorded, `NAME~k` in its k-th other voice. */
  readonly name: string;
  readonly samples: Float32Array;
  /** Seconds of the recording that pass in a second of the voice. */
  readonly speed: number;
}

/** Seconds of a recording that pass in a second of its k-th voice. */
export function speedOf(name: string, k: number): number {
  return k === 0 ? 1 : Math.exp((2 * seeded(name, k)() - 1) * REACH);
}

function seeded(name: string, k: number): () => number {
  return randomFrom([...`${name}~${k}`].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) | 0, 7));
}

/** The name of the k-th voice of a recording. */
export function voiceName(name: string, k: number): string {
  return k === 0 ? name : `${name}~${k}`;
}

/**
 * Voice k of a recording: 0 is the recording itself, others are played faster or slower, most of them in a room. The
 * same name and number always give the same voice.
 */
export function voiceOf(name: string, samples: Float32Array, k: number): Voice {
  if (k === 0) return { name, samples, speed: 1 };
  const speed = speedOf(name, k);
  const random = seeded(`room of ${name}`, k);
  const played = Float32Array.from({ length: Math.floor(samples.length / speed) - 1 }, (_, n) => {
    const [i, f] = [Math.floor(n * speed), (n * speed) % 1];
    return (1 - f) * samples[i]! + f * samples[Math.min(i + 1, samples.length - 1)]!;
  });
  const loud = 10 ** (random() - 0.6);
  const heard = random() < 0.7 ? throughRoom(played, random) : played;
  return { name: voiceName(name, k), samples: heard.map((x) => Math.min(1, Math.max(-1, x * loud))), speed };
}
