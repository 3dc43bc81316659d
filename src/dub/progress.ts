/** What a dub is doing, in order: read the files, load networks, find faces, prepare them, draw, put the file together. */
export type DubStage = 'open' | 'load' | 'faces' | 'prepare' | 'draw' | 'write';

/** Told often; a listener that does much should do it seldom. */
export interface DubProgress {
  readonly stage: DubStage;
  /** Frames that are done, of `total`; 0 of 0 where a stage cannot be counted. */
  readonly done: number;
  readonly total: number;
  /** Seconds since the dub began. */
  readonly elapsed: number;
  /** Seconds until this stage ends, as far as its speed so far tells. */
  readonly remaining: number | undefined;
}

/** Follows the stages, and how long each took. */
export class StageClock {
  readonly seconds: Partial<Record<DubStage, number>> = {};
  readonly #listener: ((progress: DubProgress) => void) | undefined;
  readonly #start = performance.now();
  #stage: DubStage | undefined;
  #stageStart = 0;
  /** Frames of this stage that an earlier run had done; they say nothing about speed. */
  #before = 0;

  constructor(listener: ((progress: DubProgress) => void) | undefined) {
    this.#listener = listener;
  }

  /** Says how far a stage is; the first word of a stage ends the one before. */
  at(stage: DubStage, done = 0, total = 0): void {
    const now = performance.now();
    if (stage !== this.#stage) {
      this.end();
      this.#stage = stage;
      this.#stageStart = now;
      this.#before = Math.max(0, done - 1);
    }
    const made = done - this.#before;
    const spent = (now - this.#stageStart) / 1000;
    this.#listener?.({
      stage,
      done,
      total,
      elapsed: (now - this.#start) / 1000,
      remaining: made > 1 ? (spent / made) * (total - done) : undefined,
    });
  }

  /** Ends the last stage. */
  end(): void {
    if (this.#stage === undefined) return;
    const spent = (performance.now() - this.#stageStart) / 1000;
    this.seconds[this.#stage] = (this.seconds[this.#stage] ?? 0) + spent;
    this.#stage = undefined;
  }
}
