/** The report as one HTML file that holds all it needs: it runs nothing and asks for nothing. */
import { LIMITS } from '../limits.ts';
import type { ReportResult } from '../quality-report.ts';
import type { Finding, QualityReport } from '../result.ts';
import type { Thumbnail } from '../thumbnails.ts';
import { escaped } from './html.ts';
import { measuresHtml } from './measures.ts';
import { curveHtml, type LagCurve, type Plot, plotHtml } from './plot.ts';
import { STYLE } from './style.ts';

/** The whole page. */
export function reportPage({ report, thumbnails }: ReportResult): string {
  const { name } = report.video;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Quality of ${escaped(name)}</title><style>${STYLE}</style></head>
<body><main>
${heading(report)}
${measuresHtml(report)}
${findings(report, thumbnails)}
<h2>Over time</h2>
<p class="lead">Dashed: where faults begin.</p>
<div class="plots">${plotsOf(report).map(plotHtml).join('\n')}</div>
${curves(report)}
${notes(report)}
</main></body></html>
`;
}

/** A tick, and a flag. */
const MARKS = {
  good: '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M5 12.5l4.5 4.5L19 7.5"/></svg>',
  faults: '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6.5 21V4h11l-2.5 4 2.5 4h-11"/></svg>',
} as const;

function heading({ verdict, summary, video, findings }: QualityReport): string {
  const faults = findings.filter(({ severity }) => severity === 'fault').length;
  const title = verdict === 'good' ? 'Good' : `${faults} ${faults === 1 ? 'fault' : 'faults'} found`;
  const facts = [
    `${video.width} × ${video.height}`,
    `${trimmed(video.fps)} fps`,
    `${video.frames} frames`,
    `${video.duration.toFixed(2)} s`,
    video.source === null ? 'no source given' : `beside ${video.source}`,
  ];
  const text =
    verdict === 'good' ? summary : 'The worst come first below, with the moments in which they show.';
  return `<header><p class="eyebrow">Lip sync quality report</p><h1>${escaped(video.name)}</h1>
<p class="facts">${facts.map(escaped).join(' · ')}</p></header>
<section class="verdict ${verdict}">${MARKS[verdict]}<div><h2>${title}</h2><p>${escaped(text)}</p></div></section>`;
}

function findings({ findings: list }: QualityReport, thumbnails: readonly Thumbnail[]): string {
  if (list.length === 0) return '';
  const cards = list.map(({ severity, title, detail, spans }, i) => {
    const when =
      spans.length === 0
        ? 'throughout'
        : spans.map(({ start, end }) => `${seconds(start)} – ${seconds(end)}`).join(', ');
    const shots = thumbnails
      .filter(({ finding }) => finding === i)
      .map(shot)
      .join('');
    return `<article class="finding ${severity}"><span class="mark">${severity === 'fault' ? 'Fault' : 'Note'}</span>
<h3>${escaped(title)}</h3><p>${escaped(detail)}</p><p class="when">${when}</p>${shots ? `<div class="shots">${shots}</div>` : ''}</article>`;
  });
  return `<h2>Findings</h2>${cards.join('\n')}`;
}

function shot({ frame, paired, width, height, jpeg }: Thumbnail): string {
  const data = Buffer.from(jpeg).toString('base64');
  const words = paired
    ? `<span>dub, frame ${frame}</span><span>source</span>`
    : `<span>frame ${frame}</span>`;
  return `<figure><img src="data:image/jpeg;base64,${data}" width="${width}" height="${height}" alt="Face in frame ${frame}"><figcaption>${words}</figcaption></figure>`;
}

function plotsOf({ series, video, findings, measures }: QualityReport): Plot[] {
  const { duration } = video;
  const faultsOf = (...codes: Finding['code'][]) =>
    findings
      .filter(({ code }) => codes.includes(code))
      .flatMap(({ spans }) => spans.map((span) => ({ ...span, kind: 'fault' as const })));
  const simple = (
    title: string,
    about: string,
    values: readonly (number | null)[],
    high: number,
    limit: number,
    codes: Finding['code'][],
    format = (value: number) => value.toFixed(1),
  ): Plot | undefined =>
    values.every((value) => value === null)
      ? undefined
      : {
          ...{ title, about, duration, format, limits: [limit], spans: faultsOf(...codes), small: true },
          lines: [{ name: title.toLowerCase(), values, tone: 'main' }],
          range: [0, Math.max(high, greatest(values))],
        };
  const windows = measures.sync?.windows ?? [];
  const plots: (Plot | undefined)[] = [
    {
      title: 'Mouth and sound',
      about: 'How far the lips are apart, and how far the sound asks for. Shaded: silence.',
      lines: [
        { name: 'seen', values: scaled(series.opening), tone: 'main' },
        ...(series.heard.length > 0
          ? [{ name: 'heard', values: scaled(series.heard), tone: 'second' as const }]
          : []),
      ],
      ...{ duration, range: [0, 1] as const, format: (value: number) => (value === 0 ? 'closed' : 'open') },
      spans: [...silences(series.silence, video.fps), ...faultsOf('moves-in-silence', 'frozen-mouth')],
    },
    windows.length > 1
      ? {
          title: 'Lip offset',
          about: 'In windows of three seconds; above zero the sound comes late. Gaps: nothing can be said.',
          lines: [{ name: 'offset', values: windows.map(({ offset }) => offset), tone: 'main' }],
          ...{ duration, range: [-0.3, 0.3], format: (value: number) => `${Math.round(value * 1000)} ms` },
          ...{ limits: [-LIMITS.sync, 0, LIMITS.sync], spans: faultsOf('lips-early', 'lips-late') },
        }
      : undefined,
    simple(
      'Sharpness of the mouth',
      'Its fine detail beside that of the same frame of the source, or of the upper face. An open mouth has more.',
      series.sharpness,
      1.5,
      video.source === null ? LIMITS.sharpnessAlone : LIMITS.sharpness,
      ['blurred-mouth'],
    ),
    simple(
      'Seam',
      'Height of the step round what was drawn, in levels of 255.',
      series.seam,
      8,
      LIMITS.seam,
      ['seam'],
    ),
    simple(
      'Flicker',
      'How much cheeks and chin jump to and fro, as a multiple of what is usual.',
      series.flicker,
      3,
      LIMITS.flicker,
      ['flicker'],
    ),
    simple(
      'Changed outside',
      'Share of the picture outside the face that differs from the source.',
      series.outside,
      0.02,
      LIMITS.outside,
      ['changed-outside'],
      (value) => `${(value * 100).toFixed(0)} %`,
    ),
  ];
  return plots.filter((plot) => plot !== undefined);
}

/** Values from their 2nd to their 98th percentile as 0 … 1, so that two unlike measures can be laid over each other. */
function scaled(values: readonly (number | null)[]): (number | null)[] {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  const low = sorted[Math.floor(0.02 * sorted.length)] ?? 0;
  const high = sorted[Math.floor(0.98 * (sorted.length - 1))] ?? 1;
  // A mouth that stands still must not be blown up to a lively one.
  return values.map((value) => (value === null ? null : (value - low) / Math.max(high - low, 0.02)));
}

function greatest(values: readonly (number | null)[]): number {
  return values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
}

function silences(silence: readonly (number | null)[], fps: number): NonNullable<Plot['spans']> {
  const spans: { start: number; end: number; kind: 'quiet' }[] = [];
  for (const [i, weight] of silence.entries()) {
    if ((weight ?? 0) < 0.5) continue;
    const last = spans.at(-1);
    if (last && Math.abs(last.end - i / fps) < 1e-6) last.end = (i + 1) / fps;
    else spans.push({ start: i / fps, end: (i + 1) / fps, kind: 'quiet' });
  }
  return spans;
}

function curves({ measures: { sync, syncNet } }: QualityReport): string {
  const list: LagCurve[] = [];
  if (sync)
    list.push({
      title: 'Agreement by lag',
      about: `How well the lips agree with ${sync.by === 'mini' ? 'the opening that is heard' : 'loudness'} when the sound is moved; the peak is the offset.`,
      points: sync.curve.map(({ lag, agreement }) => ({ lag, value: agreement })),
      ...{ range: [-1, 1], offset: sync.offset },
    });
  if (syncNet && syncNet.windows > 0) {
    const points = syncNet.curve.map(({ lag, distance }) => ({ lag, value: distance }));
    const values = points.map(({ value }) => value);
    list.push({
      title: 'SyncNet by lag',
      about:
        'How far apart what it sees and what it hears lie when the sound is moved; the lowest point is the offset.',
      points,
      ...{ range: [Math.min(...values) - 0.02, Math.max(...values) + 0.02], offset: syncNet.offset },
    });
  }
  return `<div class="pair">${list.map(curveHtml).join('')}</div>`;
}

function notes({ notes: list }: QualityReport): string {
  if (list.length === 0) return '';
  return `<h2>What was not measured</h2><ul>${list.map((note) => `<li>${escaped(note)}</li>`).join('')}</ul>`;
}

function seconds(value: number): string {
  return `${value.toFixed(2)} s`;
}

function trimmed(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}
