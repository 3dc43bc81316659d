/**
 * Fair order between owners, by start-time fair queueing (Goyal, Vin, Cheng 1996) with jobs of equal weight: each
 * job gets a turn number, and the lowest goes first. An owner's jobs get numbers one after another, none lower than
 * the number that is being served; so a hundred jobs of one do not stand before the first of another, and none waits
 * for ever.
 */
export class FairOrder {
  #serving = 0;
  readonly #next = new Map<string, number>();

  /** The turn of the owner's next job. */
  turnFor(owner: string): number {
    const turn = Math.max(this.#serving, this.#next.get(owner) ?? 0);
    this.#next.set(owner, turn + 1);
    return turn;
  }

  /** Follows a job that came from the store. */
  restore({ owner, turn }: { owner: string; turn: number }): void {
    this.#next.set(owner, Math.max(turn + 1, this.#next.get(owner) ?? 0));
  }

  /** Says which turn is being served now. */
  serve(turn: number): void {
    this.#serving = Math.max(this.#serving, turn);
    if (this.#next.size > 10_000)
      for (const [owner, next] of this.#next) if (next <= this.#serving) this.#next.delete(owner);
  }
}

/** Which of two jobs goes first. */
export function byTurn(a: { turn: number; sequence: number }, b: { turn: number; sequence: number }): number {
  return a.turn - b.turn || a.sequence - b.sequence;
}
