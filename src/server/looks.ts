/** What the headers of inputs say, each file looked at once: it never changes, and every look costs a process. */
import { availableParallelism } from 'node:os';
import { MuseTalkError } from '../core/errors.ts';
import type { MediaLimits } from '../media/limits.ts';
import { parseRate, toNumber } from '../media/rate.ts';
import type { MediaKind } from '../media/sniff.ts';
import { inspectSound, inspectVideo, type SoundFacts, type VideoFacts } from './inspect.ts';

interface Look {
  readonly facts: Promise<VideoFacts | SoundFacts>;
  readonly stop: AbortController;
}

/** Milliseconds that looking into one file may take. */
const PATIENCE_MS = 60_000;

/** Looks that are remembered. */
const MOST_KNOWN = 2000;

/** Looks into files, a few at a time, and remembers what was found. */
export class Looks {
  readonly #limits: Partial<MediaLimits>;
  readonly #known = new Map<string, Look>();
  readonly #waiting: (() => void)[] = [];
  #free = 2 * availableParallelism();

  constructor(limits: Partial<MediaLimits>) {
    this.#limits = limits;
  }

  /**
   * The facts of a video or a picture, at its own rate or at `fps`.
   *
   * @throws MuseTalkError WRONG_FILE, BAD_FILE, TOO_LARGE; BAD_OPTION for a rate that is none.
   */
  async video(path: string, fps?: string | number): Promise<VideoFacts> {
    const rate = fps === undefined ? undefined : toNumber(parseRate(fps));
    const look = (signal: AbortSignal) => inspectVideo(path, this.#limits, signal);
    const own = (await this.#once(`video ${path}`, look)) as VideoFacts;
    if (rate === undefined) return own;
    const frames = own.still ? own.frames : Math.max(1, Math.round(own.duration * rate));
    return { ...own, fps: rate, frames, duration: frames / rate };
  }

  /** The facts of a sound. @throws MuseTalkError NO_SOUND, WRONG_FILE, BAD_FILE, TOO_LARGE. */
  sound(path: string): Promise<SoundFacts> {
    return this.#once(`sound ${path}`, (signal) => inspectSound(path, this.#limits, signal));
  }

  /** Begins to look at a file as what it will most likely be used for, so that who asks later finds the answer. */
  ahead(path: string, { family }: MediaKind): void {
    const look: Promise<unknown> = family === 'sound' ? this.sound(path) : this.video(path);
    look.catch(() => {}); // told to the one who uses the file
  }

  /** Ends looking at a file that is removed; resolves when nothing reads it any more. */
  async forget(path: string): Promise<void> {
    const keys = ['video', 'sound'].map((kind) => `${kind} ${path}`);
    await this.#end(keys, new MuseTalkError('NOT_FOUND', 'the upload was removed meanwhile'));
  }

  /** Ends all looks. */
  async close(): Promise<void> {
    await this.#end([...this.#known.keys()], new MuseTalkError('UNAVAILABLE', 'the service stops'));
  }

  async #end(keys: readonly string[], reason: MuseTalkError): Promise<void> {
    const looks = keys.flatMap((key) => this.#known.get(key) ?? []);
    for (const key of keys) this.#known.delete(key);
    for (const { stop } of looks) stop.abort(reason);
    await Promise.allSettled(looks.map(({ facts }) => facts));
  }

  /** Who asks while a look goes on waits for the same one; one that failed is not remembered. */
  #once<T extends VideoFacts | SoundFacts>(
    key: string,
    look: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const known = this.#known.get(key);
    this.#known.delete(key); // and in again, as the newest
    const stop = known?.stop ?? new AbortController();
    const facts = (known?.facts as Promise<T> | undefined) ?? this.#inTurn(stop, look);
    const kept: Look = known ?? { facts, stop };
    this.#known.set(key, kept);
    if (this.#known.size > MOST_KNOWN) this.#known.delete(this.#known.keys().next().value!);
    facts.catch(() => this.#known.get(key) === kept && this.#known.delete(key));
    return facts;
  }

  async #inTurn<T>(stop: AbortController, look: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((turn) => this.#waiting.push(turn));
    const late = new MuseTalkError('BAD_FILE', `its headers were not read in ${PATIENCE_MS / 1000} seconds`);
    const limit = setTimeout(() => stop.abort(late), PATIENCE_MS);
    try {
      stop.signal.throwIfAborted();
      return await look(stop.signal);
    } finally {
      clearTimeout(limit);
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
