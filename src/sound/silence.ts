/**
 * How far the mouth is to be closed in each frame, measured on the signal.
 *
 * The encoder's features of silence are not those of a closed mouth: the networks let it tremble in pauses.
 * So silence is found here, by level, and the mouth eases shut over a few frames and opens a moment before the
 * voice. Four small stages in a row, 100 steps a second, each with a fixed and short look-ahead: it works on
 * a sound of any length and, half a second late, on one that is still being spoken.
 */
import { SAMPLE_RATE } from './mel.ts';
import type { FrameRate } from './windows.ts';
import { exactRate } from './windows.ts';

/** What counts as silence, and how the mouth follows it. */
export interface SilenceOptions {
  readonly fps: FrameRate;
  /** Seconds. A shorter gap between voices is part of speech, such as the closure of a p. 0.2 by default. */
  readonly pause?: number;
  /** Seconds that closing, or opening, takes. 0.12 by default: three frames at 25 fps. */
  readonly ease?: number;
  /** Seconds after the voice at which closing begins. 0.06 by default. */
  readonly release?: number;
  /** Seconds before the voice at which the mouth is open: lips part before they are heard. 0.06 by default. */
  readonly attack?: number;
  /**
   * Seconds heard before the first verdict, so that neither a sound that begins with noise nor one that begins
   * in the middle of a word is misjudged. 2 by default; less makes a live sound start earlier.
   */
  readonly firstLook?: number;
}

/**
 * For each frame how far the mouth is closed: 0 while there is voice, 1 in a pause, in between while it closes
 * or opens. A frame is judged at its middle. Past the end of the sound there is silence for ever: the caller
 * stops when it has enough frames.
 *
 * sound: mono samples at 16 kHz, in pieces of any length.
 */
export async function* closedMouth(
  sound: AsyncIterable<Float32Array>,
  { fps, pause = 0.2, ease = 0.12, release = 0.06, attack = 0.06, firstLook = 2 }: SilenceOptions,
): AsyncGenerator<number> {
  const { num, den } = exactRate(fps);
  const voice = withoutShortRuns(voiced(levels(sound), firstLook), { of: true, below: steps(LEAST_VOICE) });
  const speech = withoutShortRuns(voice, { of: false, below: steps(pause) });
  const weights = easedWeights(speech, {
    ease: Math.max(1, steps(ease)),
    release: steps(release),
    attack: steps(attack),
  });

  let step = -1;
  let weight = 1;
  try {
    for (let frame = 0; ; frame++) {
      const middle = Math.floor(((2 * frame + 1) * den * STEP_RATE) / (2 * num));
      for (; step < middle; step++) {
        const next = await weights.next();
        weight = next.done ? 1 : next.value;
      }
      yield weight;
    }
  } finally {
    await weights.return(undefined);
  }
}

/** Steps per second in which voice is told from silence. */
const STEP_RATE = 100;

const STEP_SAMPLES = SAMPLE_RATE / STEP_RATE;

/** Seconds. A shorter burst is a click, not a voice. */
const LEAST_VOICE = 0.05;

/** Seconds as whole steps. */
function steps(seconds: number): number {
  return Math.round(seconds * STEP_RATE);
}

/** Level of digital silence, dB relative to full scale. */
const NOTHING = -100;

/**
 * The level of each 10 ms in dB relative to full scale, −100 … 0, over the 30 ms about it. A high-pass at 120 Hz
 * takes out offset and hum first. The last, incomplete step counts as a whole one.
 */
export async function* levels(sound: AsyncIterable<Float32Array>): AsyncGenerator<number> {
  const filtered = highPass(120);
  const recent: Energy[] = []; // of the last two complete steps
  let step: Energy = { sum: 0, count: 0 };
  for await (const samples of sound) {
    for (const sample of samples) {
      step.sum += filtered(sample) ** 2;
      step.count++;
      if (step.count < STEP_SAMPLES) continue;
      if (recent.length > 0) yield level([...recent, step]);
      recent.push(step);
      if (recent.length > 2) recent.shift();
      step = { sum: 0, count: 0 };
    }
  }
  if (recent.length > 0) yield level([...recent, step]);
  if (step.count > 0) yield level([...recent.slice(-1), step]);
}

/** Squares of samples and how many there are. */
interface Energy {
  sum: number;
  count: number;
}

function level(steps: readonly Energy[]): number {
  const sum = steps.reduce((total, step) => total + step.sum, 0);
  const count = steps.reduce((total, step) => total + step.count, 0);
  return Math.max(NOTHING, 10 * Math.log10(sum / count + 1e-12));
}

/** Butterworth's high-pass of second order, by the bilinear transform, for 16 kHz. */
function highPass(hertz: number): (sample: number) => number {
  const k = Math.tan((Math.PI * hertz) / SAMPLE_RATE);
  const norm = 1 / (1 + Math.SQRT2 * k + k * k);
  const a1 = 2 * (k * k - 1) * norm;
  const a2 = (1 - Math.SQRT2 * k + k * k) * norm;
  let [x1, x2, y1, y2] = [Number.NaN, Number.NaN, 0, 0];
  return (x) => {
    // The time before the sound is taken to have its first value, so that an offset is no click.
    if (Number.isNaN(x1)) [x1, x2] = [x, x];
    const y = (x - 2 * x1 + x2) * norm - a1 * y1 - a2 * y2;
    [x2, x1, y2, y1] = [x1, x, y1, y];
    return y;
  };
}

/** Seconds over which the noise floor and the loudest level are remembered. */
const MEMORY = 5;

/** dB. A voice stands this far above the noise, and goes on until it is less far above it. */
const ABOVE_NOISE = { on: 10, off: 6 };

/** dB under the loudest level of late: what is softer is breath, reverberation or a faint room. */
const BELOW_LOUDEST = { on: -35, off: -40 };

/** dB. Nothing softer is ever a voice; no noise is so loud that a voice at this level would be lost in it. */
const LEAST_ON = -60;
const LOUDEST_NOISE = -35;

/**
 * Whether each step holds a voice: it begins above one threshold and ends below a lower one. Both follow the
 * noise floor and the loudest level of the last five seconds. The floor is the level that a twentieth of that
 * time lies under: the least level of all would be a chance dip of the noise. Digital silence, as between clips that
 * were cut together, tells nothing about the noise.
 */
async function* voiced(source: AsyncIterable<number>, firstLook: number): AsyncGenerator<boolean> {
  const floor = new SlidingQuantile(steps(MEMORY), 0.05);
  const loudest = new SlidingQuantile(steps(MEMORY), 0.98);
  let speaking = false;
  for await (const { level, heard } of withFirstLook(source, Math.max(1, steps(firstLook)))) {
    for (const value of heard) {
      if (value > NOTHING + 10) floor.push(value);
      loudest.push(value);
    }
    const noise = Math.min(floor.value ?? NOTHING, LOUDEST_NOISE);
    const loud = loudest.value ?? NOTHING;
    const side = speaking ? 'off' : 'on';
    const limit = Math.max(noise + ABOVE_NOISE[side], loud + BELOW_LOUDEST[side], LEAST_ON);
    speaking = level > limit;
    yield speaking;
  }
}

/** Each level in turn with the levels newly heard: at first a whole look ahead, then one for one. */
async function* withFirstLook(
  source: AsyncIterable<number>,
  count: number,
): AsyncGenerator<{ level: number; heard: readonly number[] }> {
  const first: number[] = [];
  let looking = true;
  for await (const level of source) {
    if (!looking) yield { level, heard: [level] };
    else if (first.push(level) === count) {
      looking = false;
      for (const [i, early] of first.entries()) yield { level: early, heard: i === 0 ? first : [] };
    }
  }
  if (looking) for (const [i, early] of first.entries()) yield { level: early, heard: i === 0 ? first : [] };
}

/** A quantile of the last `span` values pushed. */
class SlidingQuantile {
  readonly #span: number;
  readonly #share: number;
  readonly #recent: number[] = [];
  readonly #sorted: number[] = [];

  constructor(span: number, share: number) {
    this.#span = span;
    this.#share = share;
  }

  get value(): number | undefined {
    return this.#sorted[Math.floor(this.#share * this.#sorted.length)];
  }

  push(value: number): void {
    this.#recent.push(value);
    this.#sorted.splice(this.#placeOf(value), 0, value);
    if (this.#recent.length > this.#span) this.#sorted.splice(this.#placeOf(this.#recent.shift()!), 1);
  }

  /** The first place in the sorted values whose value is not below `value`. */
  #placeOf(value: number): number {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sorted[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * The flags with each run of `of` that is shorter than `below` turned over. A run at the start or the end stays:
 * the silence before and after a sound has no other end.
 */
export async function* withoutShortRuns(
  flags: AsyncIterable<boolean>,
  { of, below }: { of: boolean; below: number },
): AsyncGenerator<boolean> {
  let run = 0;
  let atStart = true;
  for await (const flag of flags) {
    if (flag === of) {
      run++;
      if (run === below) for (let i = 0; i < run; i++) yield of;
      if (run > below) yield of;
      continue;
    }
    if (run < below) for (let i = 0; i < run; i++) yield atStart ? of : !of;
    run = 0;
    atStart = false;
    yield flag;
  }
  if (run < below) for (let i = 0; i < run; i++) yield of;
}

interface Easing {
  readonly ease: number;
  readonly release: number;
  readonly attack: number;
}

/** 0 in speech; in a pause it rises after the voice and falls before the next one, as far as there is time. */
async function* easedWeights(
  speech: AsyncIterable<boolean>,
  { ease, release, attack }: Easing,
): AsyncGenerator<number> {
  let since = Number.POSITIVE_INFINITY; // steps since the last voice; the time before the sound is silent
  for await (const { speaking, ahead } of withLookAhead(speech, attack + ease)) {
    since = speaking ? 0 : since + 1;
    yield speaking ? 0 : Math.min(raised((since - release) / ease), raised((ahead - attack) / ease));
  }
}

/** A half wave of a cosine from 0 at 0 to 1 at 1. */
function raised(x: number): number {
  return 0.5 - 0.5 * Math.cos(Math.PI * Math.min(Math.max(x, 0), 1));
}

/** Each flag with the number of steps to the next true one, infinite when none comes within `count` steps. */
async function* withLookAhead(
  flags: AsyncIterable<boolean>,
  count: number,
): AsyncGenerator<{ speaking: boolean; ahead: number }> {
  const queue: boolean[] = [];
  const next = () => {
    const speaking = queue.shift()!;
    const at = queue.indexOf(true);
    return { speaking, ahead: at < 0 ? Number.POSITIVE_INFINITY : at + 1 };
  };
  for await (const flag of flags) {
    queue.push(flag);
    if (queue.length > count) yield next();
  }
  while (queue.length > 0) yield next();
}
