/** A signal with an end, and what it holds. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Lets go of the timer and of the other signals; call it when the work is done. */
  end(): void;
}

/**
 * A signal that is aborted after a time, or with one of `signals`.
 *
 * `AbortSignal.any([…, AbortSignal.timeout(…)])` says the same, but Node 20 may collect the timeout before it fires,
 * and then whoever waits for it waits for ever.
 */
export function deadline(milliseconds: number, ...signals: readonly AbortSignal[]): Deadline {
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(new DOMException('The time is over', 'TimeoutError')),
    milliseconds,
  );
  const follow = (event: Event) => controller.abort((event.target as AbortSignal).reason);
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason);
    else signal.addEventListener('abort', follow, { once: true });
  }
  return {
    signal: controller.signal,
    end() {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', follow);
    },
  };
}
