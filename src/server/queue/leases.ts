/** The right of one worker to one job, as its queue sees it. */
export interface Holding {
  readonly id: string;
  readonly fence: number;
  /** Aborting it stops the worker. */
  readonly controller: AbortController;
}

/**
 * Who works on which job, and until when. Measured by the clock that is given, which never jumps; nothing of it
 * outlives the process.
 */
export class Leases {
  readonly #held = new Map<string, { readonly holding: Holding; deadline: number }>();
  readonly #seconds: number;
  readonly #clock: () => number;

  /** @param seconds of silence after which a worker is taken for lost. */
  constructor(seconds: number, clock: () => number) {
    this.#seconds = seconds;
    this.#clock = clock;
  }

  /** Gives the job to the worker with this fence. */
  give(id: string, fence: number): void {
    const holding = { id, fence, controller: new AbortController() };
    this.#held.set(id, { holding, deadline: this.#clock() + this.#seconds });
  }

  /** Whether the job is still that worker's. */
  holds(id: string, fence: number): boolean {
    return this.#held.get(id)?.holding.fence === fence;
  }

  /** Counts the lease from now on anew; false when the job is another's, or nobody's. */
  prolong(id: string, fence: number): boolean {
    if (!this.holds(id, fence)) return false;
    this.#held.get(id)!.deadline = this.#clock() + this.#seconds;
    return true;
  }

  /** Takes the job back, and gives what was held: its worker does not know yet. */
  takeBack(id: string): Holding | undefined {
    const held = this.#held.get(id);
    this.#held.delete(id);
    return held?.holding;
  }

  /** What stops who works on the job; aborted already where nobody does. */
  signal(id: string): AbortSignal {
    return this.#held.get(id)?.holding.controller.signal ?? AbortSignal.abort();
  }

  /** The leases of workers that were silent for too long; they are theirs until they are taken back. */
  expired(): Holding[] {
    const now = this.#clock();
    return [...this.#held.values()].flatMap(({ holding, deadline }) => (deadline <= now ? holding : []));
  }

  /** Stops all workers; their leases stay until each has said how its attempt ended. */
  stopAll(reason: Error): void {
    for (const { holding } of this.#held.values()) holding.controller.abort(reason);
  }
}
