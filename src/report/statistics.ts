/** Numbers that stand for many, written once for all measures. NaN entries are frames without a measurement. */

/** The value that a share `q` (0 … 1) of the finite values lies under; NaN where there are none. */
export function quantile(values: ArrayLike<number>, q: number): number {
  const sorted = Array.from(values)
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low]! + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)]! - sorted[low]!);
}

/** The middle one of the finite values. */
export function median(values: ArrayLike<number>): number {
  return quantile(values, 0.5);
}

/** Runs of consecutive indices for which `test` holds, `end` excluded, at least `least` long. */
export function runs(
  count: number,
  test: (i: number) => boolean,
  least = 1,
): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = [];
  let start = -1;
  for (let i = 0; i <= count; i++) {
    const holds = i < count && test(i);
    if (holds && start < 0) start = i;
    if (!holds && start >= 0) {
      if (i - start >= least) found.push({ start, end: i });
      start = -1;
    }
  }
  return found;
}
