/** The measures of a report as a list: each with its number, and a scale that shows where faults begin. */
import { LIMITS } from '../limits.ts';
import type { Finding, QualityReport } from '../result.ts';
import { escaped } from './html.ts';

interface Measure {
  readonly name: string;
  readonly value: string;
  readonly about: string;
  /** Findings that make this measure a bad one. */
  readonly codes: readonly Finding['code'][];
  readonly scale?: Scale | undefined;
}

/** From … to, what of it is good, and where the measure lies; null where it is not known. */
interface Scale {
  readonly range: readonly [number, number];
  readonly good: readonly [number, number];
  readonly at: number | null;
}

/** The list of what was measured. */
export function measuresHtml(report: QualityReport): string {
  const faulty = new Set(
    report.findings.filter(({ severity }) => severity === 'fault').map(({ code }) => code),
  );
  const rows = measuresOf(report).map(({ name, value, about, codes, scale }) => {
    const bad = codes.some((code) => faulty.has(code)) ? ' class="bad"' : '';
    return `<div${bad}><dt>${escaped(name)}</dt><dd><b>${escaped(value)}</b>${scale ? scaleSvg(scale, name) : ''}<small>${escaped(about)}</small></dd></div>`;
  });
  return `<dl class="measures">${rows.join('')}</dl>`;
}

const WIDTH = 100;
const HEIGHT = 10;

function scaleSvg({ range: [low, high], good, at }: Scale, name: string): string {
  const x = (value: number) =>
    (1 + (Math.min(high, Math.max(low, value)) - low) * ((WIDTH - 2) / (high - low))).toFixed(1);
  const needle = at === null ? '' : `<path class="needle" d="M${x(at)} 0V${HEIGHT}"/>`;
  return `<svg class="scale" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${escaped(name)}, beside what is good">
<path class="all" d="M0 ${HEIGHT / 2}H${WIDTH}"/><path class="good" d="M${x(good[0])} ${HEIGHT / 2}H${x(good[1])}"/>${needle}</svg>`;
}

function measuresOf({ measures, video }: QualityReport): Measure[] {
  const { sync, syncNet, faces, sharpness, seam, flicker, outside, dropped, doubled, colors } = measures;
  const alone = video.source === null;
  const beside = alone ? 'of the upper face' : 'of the source';
  const offset = sync?.offset ?? null;
  const sharpFrom = alone ? LIMITS.sharpnessAlone : LIMITS.sharpness;
  const list: (Measure | undefined)[] = [
    {
      name: 'Lips against sound',
      value: offset === null ? 'unknown' : milliseconds(offset),
      about: sync ? `confidence ${sync.confidence.toFixed(2)}` : 'no sound',
      codes: ['lips-early', 'lips-late'],
      scale: sync ? { range: [-0.24, 0.24], good: [-LIMITS.sync, LIMITS.sync], at: offset } : undefined,
    },
    syncNet
      ? {
          name: 'SyncNet',
          value: syncNet.offset === null ? 'unknown' : milliseconds(syncNet.offset),
          about: `confidence ${syncNet.confidence.toFixed(2)}`,
          codes: [],
          scale: { range: [-0.24, 0.24], good: [-LIMITS.sync, LIMITS.sync], at: syncNet.offset },
        }
      : undefined,
    {
      name: 'Sharpness of the mouth',
      value: times(sharpness),
      about: beside,
      codes: ['blurred-mouth'],
      scale: { range: [0, 1.5], good: [sharpFrom, 1.5], at: sharpness },
    },
    {
      name: 'Flicker',
      value: times(flicker),
      about: beside,
      codes: ['flicker'],
      scale: alone ? undefined : upTo(LIMITS.flicker, flicker),
    },
    seam === null
      ? undefined
      : {
          ...{ name: 'Seam', value: seam.toFixed(1), about: 'levels of 255' },
          ...{ codes: ['seam', 'tint'], scale: upTo(LIMITS.seam, seam) },
        },
    outside === null
      ? undefined
      : {
          ...{ name: 'Changed outside', value: `${(outside * 100).toFixed(1)} %`, about: 'of the picture' },
          ...{ codes: ['changed-outside'], scale: upTo(LIMITS.outside, outside) },
        },
    colors
      ? {
          ...{ name: 'Colours', value: colors.error.toFixed(1), about: 'levels off, outside the face' },
          ...{ codes: ['colors'], scale: { range: [0, 8], good: [0, colorsTo(colors)], at: colors.error } },
        }
      : undefined,
    alone
      ? undefined
      : {
          name: 'Order of frames',
          value: `${dropped.length} · ${doubled.length}`,
          about: 'left out · doubled',
          codes: ['dropped-frames', 'doubled-frames'],
        },
    {
      ...{ name: 'Frames with a face', value: String(faces.found), about: `of ${video.frames}` },
      codes: [],
    },
  ];
  return list.filter((measure) => measure !== undefined);
}

/** Noise of encoding, in no direction, is good beyond the limit. */
function colorsTo({ kind, error }: { readonly kind: string; readonly error: number }): number {
  return kind === 'same' ? Math.max(LIMITS.colors, error) : LIMITS.colors;
}

function upTo(limit: number, at: number | null): Scale {
  return { range: [0, 2 * limit], good: [0, limit], at };
}

function milliseconds(seconds: number): string {
  const value = Math.round(seconds * 1000);
  return `${value < 0 ? '−' : ''}${Math.abs(value)} ms`;
}

function times(value: number | null): string {
  return value === null ? 'unknown' : `${value.toFixed(2)} ×`;
}
