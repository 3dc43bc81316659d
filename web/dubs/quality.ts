/** What the page reads of a quality report; a report that lacks a part is shown without it. */

/** Something that stands out. */
export interface Finding {
  readonly fault: string;
  readonly message: string;
  /** Seconds, where it has a place in time. */
  readonly start: number | undefined;
  readonly end: number | undefined;
}

/** How far lips and sound are apart over a stretch of time. */
export interface OffsetPoint {
  /** Seconds: the middle of the stretch. */
  readonly time: number;
  /** Seconds by which the lips are late (above 0) or early. */
  readonly offset: number;
  /** 0 … 1: how sure the measure is. */
  readonly confidence: number;
}

/** A report as the page shows it. */
export interface Quality {
  readonly findings: readonly Finding[];
  readonly offsets: readonly OffsetPoint[];
  /** Whether a report of its own stands beside these numbers. */
  readonly hasPage: boolean;
}

/** Reads a report; undefined where it says nothing of quality. */
export function readQuality(report: unknown): Quality | undefined {
  const { faults, sync } = report as {
    faults?: { kind?: string; message?: string; start?: number; end?: number }[];
    sync?: { windows?: { start: number; end: number; offset: number | null; confidence: number }[] };
  };
  if (!Array.isArray(faults)) return undefined;
  const findings = faults.map(({ kind = '', message = kind, start, end }) => ({
    fault: kind,
    message,
    start,
    end,
  }));
  const offsets = (sync?.windows ?? []).flatMap(({ start, end, offset, confidence }) =>
    // The report says how late the sound is; the page, how late the lips are.
    offset === null ? [] : [{ time: (start + end) / 2, offset: 0 - offset, confidence }],
  );
  return { findings, offsets, hasPage: true };
}
