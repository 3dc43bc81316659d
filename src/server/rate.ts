import { MuseTalkError } from '../core/errors.ts';

interface Bucket {
  tokens: number;
  at: number;
}

/** A limit on requests a minute, for each owner by itself: a bucket that fills evenly and holds a minute's worth. */
export class RateLimit {
  readonly #perMinute: number;
  readonly #clock: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** `clock` gives seconds that never run backward. */
  constructor(perMinute: number, clock = () => performance.now() / 1000) {
    this.#perMinute = perMinute;
    this.#clock = clock;
  }

  /** @throws MuseTalkError RATE_LIMITED with the seconds to wait in `facts.retryAfter`. */
  take(owner: string): void {
    const now = this.#clock();
    const perSecond = this.#perMinute / 60;
    const { tokens, at } = this.#buckets.get(owner) ?? { tokens: this.#perMinute, at: now };
    const filled = Math.min(this.#perMinute, tokens + (now - at) * perSecond);
    if (filled < 1) {
      const retryAfter = Math.ceil((1 - filled) / perSecond);
      throw new MuseTalkError('RATE_LIMITED', `more than ${this.#perMinute} requests a minute`, {
        hint: `Try again in ${retryAfter} s.`,
        facts: { limit: this.#perMinute, retryAfter },
      });
    }
    this.#buckets.set(owner, { tokens: filled - 1, at: now });
    if (this.#buckets.size > 10_000) this.#forgetFull(now);
  }

  #forgetFull(now: number): void {
    for (const [owner, { at }] of this.#buckets) if (now - at > 60) this.#buckets.delete(owner);
  }
}
