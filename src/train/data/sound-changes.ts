/** The same speech as another microphone, another room or another voice would give it. */
import type { Random } from '../random.ts';

/** A changed sound, and how its time goes: what was said at t seconds is now said at t / speed. */
export interface ChangedSound {
  readonly samples: Float32Array;
  readonly speed: number;
}

/** Rate of samples, hertz. */
const RATE = 16000;

/**
 * Changes speed and pitch together (± 12 %), adds a short room to half of the sounds, and noise 14 to 50 dB below
 * the speech, and sets another level (± 9 dB).
 */
export function changedSound(samples: Float32Array, random: Random): ChangedSound {
  const speed = Math.exp(random.uniform(-0.12, 0.12));
  const resampled = atSpeed(samples, speed);
  const roomy = random.uniform() < 0.5 ? inRoom(resampled, random) : resampled;
  return { samples: withNoise(roomy, random), speed };
}

/** Linear interpolation is enough: features look at bands far below half the rate. */
function atSpeed(samples: Float32Array, speed: number): Float32Array {
  const length = Math.max(1, Math.floor(samples.length / speed));
  return Float32Array.from({ length }, (_, i) => {
    const at = Math.min(i * speed, samples.length - 1);
    const [low, share] = [Math.floor(at), at - Math.floor(at)];
    return samples[low]! * (1 - share) + samples[Math.min(low + 1, samples.length - 1)]! * share;
  });
}

/** A dozen echoes within 60 ms that die away. */
function inRoom(samples: Float32Array, random: Random): Float32Array {
  const echoed = Float32Array.from(samples);
  for (let echo = 0; echo < 12; echo++) {
    const delay = Math.floor(RATE * random.uniform(0.002, 0.06));
    const gain = random.uniform(-0.35, 0.35) * Math.exp(-delay / 600);
    for (let i = delay; i < samples.length; i++) echoed[i]! += gain * samples[i - delay]!;
  }
  return echoed;
}

/** Noise between white and brown, and a level. */
function withNoise(samples: Float32Array, random: Random): Float32Array {
  let power = 0;
  for (const sample of samples) power += sample * sample;
  const noise = Math.sqrt(power / samples.length) * 10 ** (-random.uniform(14, 50) / 20);
  const gain = 10 ** (random.uniform(-9, 9) / 20);
  const colour = random.uniform(0, 0.95);
  let last = 0;
  return samples.map((sample) => {
    last = colour * last + (1 - colour) * random.uniform(-1, 1) * 3;
    return gain * (sample + noise * last);
  });
}
