/** Plots over time as SVG that stretches to any width; words stand beside it in HTML, so that they keep their size. */
import { escaped } from './html.ts';

/** A line of a plot. */
export interface PlotLine {
  readonly name: string;
  /** One value for each frame; null where there is none. */
  readonly values: readonly (number | null)[];
  readonly tone: 'main' | 'second' | 'third';
}

/** What a plot shows. */
export interface Plot {
  readonly title: string;
  readonly about: string;
  readonly lines: readonly PlotLine[];
  /** Seconds of the whole axis. */
  readonly duration: number;
  /** Values at the bottom and at the top. */
  readonly range: readonly [number, number];
  /** How a value is written. */
  readonly format: (value: number) => string;
  /** Takes half of a wide page. */
  readonly small?: boolean | undefined;
  /** A limit, drawn as a dashed line. */
  readonly limits?: readonly number[] | undefined;
  /** Stretches that are shaded: quietly, or as a fault. Seconds. */
  readonly spans?: readonly {
    readonly start: number;
    readonly end: number;
    readonly kind: 'quiet' | 'fault';
  }[];
}

const WIDTH = 1000;
const HEIGHT = 160;

/** Points of a line at most: more than a screen has pixels. */
const MOST_POINTS = 1200;

/** A plot with its heading, legend and axes. */
export function plotHtml(plot: Plot): string {
  const { title, about, lines, duration, range, format } = plot;
  const keys = lines.map(({ name, tone }) => `<span class="key ${tone}">${escaped(name)}</span>`).join('');
  const legend = lines.length > 1 ? `<div class="legend">${keys}</div>` : '';
  const ticks = (plot.small ? [0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1])
    .map((share) => `<span>${(share * duration).toFixed(duration < 20 ? 1 : 0)} s</span>`)
    .join('');
  return `<figure class="plot${plot.small ? ' small' : ''}"><figcaption><h3>${escaped(title)}</h3><p>${escaped(about)}</p></figcaption>${legend}
<div class="frame"><div class="values"><span>${format(range[1])}</span><span>${format(range[0])}</span></div>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${escaped(title)}">
${spansSvg(plot)}${limitsSvg(plot)}${lines.map((line) => lineSvg(line, plot)).join('')}
</svg></div><div class="ticks">${ticks}</div></figure>`;
}

function spansSvg({ spans = [], duration }: Plot): string {
  return spans
    .map(({ start, end, kind }) => {
      const x = (start / duration) * WIDTH;
      const width = Math.max(2, ((end - start) / duration) * WIDTH);
      return `<rect class="${kind}" x="${x.toFixed(1)}" width="${width.toFixed(1)}" y="0" height="${HEIGHT}"/>`;
    })
    .join('');
}

function limitsSvg({ limits = [], range }: Plot): string {
  return limits
    .filter((limit) => limit >= range[0] && limit <= range[1])
    .map((limit) => `<path class="limit" d="M0 ${place(limit, range)}H${WIDTH}"/>`)
    .join('');
}

function lineSvg({ values, tone }: PlotLine, { range }: Plot): string {
  let path = '';
  let drawing = false;
  for (const { at, value } of thinned(values)) {
    if (value === null) {
      drawing = false;
      continue;
    }
    const x = (((at + 0.5) / values.length) * WIDTH).toFixed(1);
    path += `${drawing ? 'L' : 'M'}${x} ${place(value, range)}`;
    if (!drawing) path += 'h.1'; // a single point shows too
    drawing = true;
  }
  return `<path class="line ${tone}" d="${path}"/>`;
}

function place(value: number, [low, high]: Plot['range']): string {
  const share = Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
  return (HEIGHT - 3 - share * (HEIGHT - 6)).toFixed(1);
}

/** The least and the greatest value of each group, where there are too many, so that no peak is lost. */
function thinned(values: readonly (number | null)[]): { at: number; value: number | null }[] {
  const size = Math.ceil((2 * values.length) / MOST_POINTS);
  if (size <= 2) return values.map((value, at) => ({ at, value }));
  const points: { at: number; value: number | null }[] = [];
  for (let from = 0; from < values.length; from += size) {
    const group = values.slice(from, from + size).filter((value) => value !== null);
    if (group.length === 0) points.push({ at: from, value: null });
    else
      points.push(
        { at: from, value: Math.min(...group) },
        { at: from + size / 2, value: Math.max(...group) },
      );
  }
  return points;
}

/** A measure for each lag between lips and sound. */
export interface LagCurve {
  readonly title: string;
  readonly about: string;
  /** Lags in seconds, as far below zero as above. */
  readonly points: readonly { readonly lag: number; readonly value: number }[];
  readonly range: readonly [number, number];
  /** The lag that was believed. */
  readonly offset: number | null;
}

/** A curve over lags as a plot of its own, with the offset marked. */
export function curveHtml({ title, about, points, range, offset }: LagCurve): string {
  const reach = points.at(-1)?.lag ?? 1;
  const x = (lag: number) => (((lag / reach + 1) / 2) * WIDTH).toFixed(1);
  const line = points
    .map(({ lag, value }, i) => `${i === 0 ? 'M' : 'L'}${x(lag)} ${place(value, range)}`)
    .join('');
  const mark = offset === null ? '' : `<path class="best" d="M${x(offset)} 0V${HEIGHT}"/>`;
  const ms = Math.round(reach * 1000);
  const ticks = [-ms, -ms / 2, 0, ms / 2, ms].map((lag) => `<span>${Math.round(lag)} ms</span>`).join('');
  return `<figure class="plot small lags"><figcaption><h3>${escaped(title)}</h3><p>${escaped(about)}</p></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${escaped(title)}">
<path class="limit" d="M${WIDTH / 2} 0V${HEIGHT}"/>${mark}<path class="line main" d="${line}"/></svg><div class="ticks">${ticks}</div></figure>`;
}
