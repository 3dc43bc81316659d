/** What the page reads of a quality report; a report without a part is shown without it. */
import type { QualityReport, Finding as ReportFinding } from '../../src/report/result.ts';
import { textFor } from '../texts/texts.ts';

/** Something that stands out. */
export interface Finding {
  readonly title: string;
  readonly detail: string;
  /** Stretches in seconds; none where it is about the whole. */
  readonly spans: ReportFinding['spans'];
}

/** How far lips and sound are apart over a stretch of time. */
export interface OffsetPoint {
  /** Seconds. */
  readonly start: number;
  readonly end: number;
  /** Seconds by which the lips are late (above 0) or early. */
  readonly offset: number;
  /** 0 … 1: how sure the measure is. */
  readonly confidence: number;
}

/** A report as the page shows it. */
export interface Quality {
  readonly findings: readonly Finding[];
  readonly offsets: readonly OffsetPoint[];
}

/** Reads a report; undefined where it is none of quality. */
export function readQuality(report: unknown): Quality | undefined {
  const { findings, measures } = report as Partial<QualityReport>;
  if (!Array.isArray(findings)) return undefined;
  return {
    findings: findings.map(({ code, title, detail, spans }) => ({
      ...{ title: textFor(`finding.${code}`) ?? title, detail, spans },
    })),
    offsets: (measures?.sync?.windows ?? []).flatMap(({ offset, ...window }) =>
      // The report says how late the sound is; the page, how late the lips are.
      offset === null ? [] : [{ ...window, offset: 0 - offset }],
    ),
  };
}
