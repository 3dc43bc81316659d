/**
 * Learning rates over time: functions from the number of updates made to the rate of the next one. Update 0 is
 * the first, so that a warm-up begins at a rate of 0, as upstream's do.
 */
export type Schedule = (update: number) => number;

/** Up in a straight line over `warmUp` updates, then in a straight line to 0 at `total`. 1.5, both stages. */
export function linearSchedule({ rate, warmUp, total }: ScheduleOptions): Schedule {
  return (update) =>
    rate *
    (update < warmUp
      ? update / Math.max(1, warmUp)
      : Math.max(0, (total - update) / Math.max(1, total - warmUp)));
}

/** Up in a straight line, then by half a cosine to `floor` (a rate) at `total`, where it stays. 1.0 and mini. */
export function cosineSchedule({
  rate,
  warmUp,
  total,
  floor = 0,
}: ScheduleOptions & { floor?: number }): Schedule {
  return (update) => {
    if (update < warmUp) return (rate * update) / Math.max(1, warmUp);
    const done = Math.min(1, (update - warmUp) / Math.max(1, total - warmUp));
    return floor + ((rate - floor) * (1 + Math.cos(Math.PI * done))) / 2;
  };
}

/** How the rate of learning goes with the updates. */
export interface ScheduleOptions {
  /** The highest rate. */
  rate: number;
  /** Updates until it is reached. */
  warmUp: number;
  /** Updates in all. */
  total: number;
}
