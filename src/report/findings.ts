/** From measurements to sentences: what is a fault, when, and how bad. */
import { LIMITS } from './limits.ts';
import type { Measured } from './measured.ts';
import { movementInSilence, movementInSpeech, type Stretch } from './mouth.ts';
import type { Finding } from './result.ts';
import { median, quantile, runs } from './statistics.ts';

/** All findings, the gravest first. */
export function findingsOf(measured: Measured): Finding[] {
  const found = [
    syncFinding(measured),
    ...mouthFindings(measured),
    ...frameFindings(measured),
    colorFinding(measured),
    seamFinding(measured),
    tintFinding(measured),
    sharpnessFinding(measured),
    flickerFinding(measured),
    outsideFinding(measured),
    ...timingFindings(measured),
    faceFinding(measured),
  ].filter((finding) => finding !== undefined);
  return found.sort((a, b) => Number(a.severity === 'note') - Number(b.severity === 'note'));
}

const ms = (seconds: number) => `${Math.round(Math.abs(seconds) * 1000)} ms`;
const percent = (share: number) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
const levels = (value: number) => `${value.toFixed(1)} levels`;

function syncFinding({ sync, fps, faces }: Measured): Finding | undefined {
  if (sync?.offset == null || Math.abs(sync.offset) < LIMITS.sync) return undefined;
  const late = sync.offset > 0;
  const frames = Math.abs(sync.offset * fps).toFixed(1);
  return finding({
    code: late ? 'lips-early' : 'lips-late',
    title: `The sound comes ${ms(sync.offset)} ${late ? 'after' : 'before'} the lips`,
    detail: `Lips and sound agree best when the sound is moved by ${frames} frames ${late ? 'forward' : 'back'} (agreement ${sync.agreement.toFixed(2)}, with no shift ${sync.agreementAtZero.toFixed(2)}). Viewers notice from some 45 ms early or 125 ms late.`,
    ...{ value: sync.offset, limit: LIMITS.sync, unit: 's' },
    spans: [{ start: 0, end: faces.length / fps }],
    frames: [],
  });
}

function mouthFindings({ mouth, fps }: Measured): (Finding | undefined)[] {
  if (!mouth) return [];
  const moving = movementInSilence(mouth).filter(({ value }) => value > LIMITS.silence);
  const still = movementInSpeech(mouth).filter(({ value }) => value < LIMITS.speech);
  const worst = (list: readonly Stretch[], sign: 1 | -1) =>
    list.toSorted((a, b) => sign * (b.value - a.value)).map(({ start, end }) => (start + end) >> 1);
  return [
    moving.length > 0
      ? finding({
          code: 'moves-in-silence',
          title: 'The mouth moves while nothing is heard',
          detail: `Lips travel up to ${Math.max(...moving.map(({ value }) => value)).toFixed(2)} face heights a second in silence; people at rest stay below ${LIMITS.silence}.`,
          value: Math.max(...moving.map(({ value }) => value)),
          ...{ limit: LIMITS.silence, unit: 'face heights/s' },
          spans: spansOf(moving, fps),
          frames: worst(moving, 1),
        })
      : undefined,
    still.length > 0
      ? finding({
          code: 'frozen-mouth',
          title: 'The mouth stands still while someone speaks',
          detail: `Lips travel only ${Math.min(...still.map(({ value }) => value)).toFixed(3)} face heights a second in speech; those of people who speak move by more than ${LIMITS.speech}.`,
          value: Math.min(...still.map(({ value }) => value)),
          ...{ limit: LIMITS.speech, unit: 'face heights/s' },
          spans: spansOf(still, fps),
          frames: worst(still, -1),
        })
      : undefined,
  ];
}

function frameFindings({ alignment, fps }: Measured): (Finding | undefined)[] {
  if (!alignment) return [];
  const of = (code: 'dropped-frames' | 'doubled-frames', verb: string) => {
    const slips = code === 'dropped-frames' ? alignment.dropped : alignment.doubled;
    if (slips.length === 0) return undefined;
    const count = slips.reduce((sum, slip) => sum + slip.count, 0);
    return finding({
      code,
      title: `${count} ${count === 1 ? 'frame is' : 'frames are'} ${verb}`,
      detail: `Beside the source, the order of frames slips at ${slips
        .slice(0, 8)
        .map(({ frame }) => `frame ${frame}`)
        .join(', ')}${slips.length > 8 ? ' …' : ''}.`,
      ...{ value: count, limit: 1, unit: 'frames' },
      spans: slips.slice(0, 12).map(({ frame }) => ({ start: frame / fps, end: (frame + 1) / fps })),
      frames: slips.map(({ frame }) => frame),
    });
  };
  return [of('dropped-frames', 'left out'), of('doubled-frames', 'shown twice')];
}

const COLOR_TITLES = {
  'matrix-601-as-709': 'Colours were made with BT.601 and are read as BT.709',
  'matrix-709-as-601': 'Colours were made with BT.709 and are read as BT.601',
  'range-tv-as-pc': 'Blacks are grey and whites dull: studio range is read as full range',
  'range-pc-as-tv': 'Darks and lights are cut: full range is read as studio range',
  shifted: "The colours are not the source's",
} as const;

function colorFinding({ colors }: Measured): Finding | undefined {
  if (!colors || colors.kind === 'same' || colors.error < LIMITS.colors) return undefined;
  return finding({
    code: 'colors',
    title: COLOR_TITLES[colors.kind],
    detail: `Outside the face, colours differ by ${levels(colors.error)} in the mean; undoing this mistake leaves ${levels(colors.left)}.`,
    ...{ value: colors.error, limit: LIMITS.colors, unit: 'levels' },
    spans: [],
    frames: [0],
  });
}

/** Seconds for which a seam must show in all: it stays as long as what was drawn, an odd shadow of a chin does not. */
const SEAM_SECONDS = 2.2;

function seamFinding(measured: Measured): Finding | undefined {
  const { seam } = measured.pixels;
  return overTime(measured, seam, {
    ...{ code: 'seam', limit: LIMITS.seam, unit: 'levels', title: 'A seam shows round the mouth' },
    least: SEAM_SECONDS,
    detail: (worst) =>
      `Along the edge of what was drawn, the picture steps by up to ${levels(worst)} where the source has no step.`,
  });
}

function tintFinding(measured: Measured): Finding | undefined {
  return overTime(measured, measured.pixels.tint, {
    ...{ code: 'tint', limit: LIMITS.tint, unit: 'levels', title: 'Cheeks and chin have another colour' },
    detail: (worst) => `Compared with the source, their mean colour is off by up to ${levels(worst)}.`,
  });
}

function sharpnessFinding(measured: Measured): Finding | undefined {
  const { series, against } = sharpnessSeries(measured);
  const limit = against === 'source' ? LIMITS.sharpness : LIMITS.sharpnessAlone;
  const value = sharpnessOf(measured);
  if (!(value < limit)) return undefined;
  // Of a source whose teeth show all the time, lips that are merely closed have a small share.
  if (against === 'source' && median(measured.pixels.mouthDetail) >= LIMITS.sharpBesideUpper)
    return undefined;
  const inverse = series.map((ratio) => -ratio);
  return finding({
    code: 'blurred-mouth',
    title: 'The mouth is blurred',
    detail: `It has ${percent(value)} of the fine detail of ${against === 'source' ? 'the source' : 'the upper face'}.`,
    ...{ value, limit, unit: '×' },
    spans: spansOf(
      runs(series.length, (i) => series[i]! < limit, 3),
      measured.fps,
    ),
    frames: worstFrames(inverse, measured.fps),
  });
}

/** Detail of the mouth in each frame: as a share of the source's, or where there is none of the upper face's. */
export function sharpnessSeries({ pixels, alignment }: Measured): {
  series: Float32Array;
  against: 'source' | 'upper face';
} {
  const { mouthDetail, sourceMouthDetail } = pixels;
  if (!alignment) return { series: mouthDetail, against: 'upper face' };
  return { series: mouthDetail.map((value, i) => value / sourceMouthDetail[i]!), against: 'source' };
}

/** Shares of a video's frames, from those with the least detail of the mouth to those with the most. */
const STATES = [0.1, 0.25, 0.5, 0.75, 0.9];

/**
 * How sharp the mouth is: as a share of the source's, or where there is none of the upper face's. Open mouths have more
 * detail than closed ones, and a dub opens at other times: so frames of like rank are compared, and the best of them
 * counts. A blur takes from all.
 */
export function sharpnessOf({ pixels, alignment }: Measured): number {
  const { mouthDetail, sourceMouthDetail } = pixels;
  if (!alignment) return median(mouthDetail);
  return Math.max(...STATES.map((q) => quantile(mouthDetail, q) / quantile(sourceMouthDetail, q)));
}

/** Flicker of cheeks and chin: as a multiple of the source's, or where there is none of the upper face's. */
export function flickerSeries({ pixels, alignment }: Measured): Float32Array {
  const { flicker, upperFlicker, sourceFlicker } = pixels;
  // A still face has next to none, of which nothing may be a multiple.
  const usual = alignment ? sourceFlicker : upperFlicker;
  return flicker.map((value, i) => value / Math.max(usual[i]!, STILL));
}

/** Levels of flicker that noise and encoding make of a still picture. */
const STILL = 0.5;

function flickerFinding(measured: Measured): Finding | undefined {
  if (!measured.alignment) return undefined; // lips that move shake cheeks too: only a source tells what is usual
  const series = flickerSeries(measured);
  const value = median(series);
  if (!(value > LIMITS.flicker)) return undefined;
  return finding({
    code: 'flicker',
    title: 'Cheeks and chin flicker',
    detail: `They jump to and fro ${value.toFixed(1)} times as much as the source's.`,
    ...{ value, limit: LIMITS.flicker, unit: '×' },
    spans: spansOf(
      runs(series.length, (i) => series[i]! > LIMITS.flicker, 3),
      measured.fps,
    ),
    frames: worstFrames(series, measured.fps),
  });
}

function outsideFinding(measured: Measured): Finding | undefined {
  return overTime(measured, measured.pixels.outside, {
    ...{ code: 'changed-outside', limit: LIMITS.outside, unit: 'share' },
    title: 'Pixels have changed outside the face',
    detail: (worst) =>
      `Up to ${percent(worst)} of the picture that a dub must leave alone differs from the source.`,
  });
}

function timingFindings({ timing, fps }: Measured): (Finding | undefined)[] {
  if (!timing) return [];
  const { irregular, soundStart, soundLength, videoLength } = timing;
  const late = soundStart ?? 0;
  const spare = soundLength === undefined ? 0 : late + soundLength - videoLength;
  return [
    irregular.length > 0
      ? finding({
          code: 'timing',
          severity: irregular.length > 2 ? 'note' : 'fault',
          title: irregular.length > 2 ? 'Frames are not evenly spaced' : 'The clock has a gap',
          detail: `${irregular.length} frames are shown much longer or shorter than the others.`,
          ...{ value: irregular.length, limit: 1, unit: 'frames' },
          spans: irregular.slice(0, 12).map((frame) => ({ start: frame / fps, end: (frame + 1) / fps })),
          frames: [],
        })
      : undefined,
    Math.abs(late) > LIMITS.start
      ? finding({
          code: 'timing',
          title: `The sound track begins ${ms(late)} ${late > 0 ? 'after' : 'before'} the pictures`,
          detail: 'Players that ignore the clocks of the streams will show them out of step.',
          ...{ value: late, limit: LIMITS.start, unit: 's', spans: [], frames: [], severity: 'note' },
        })
      : undefined,
    Math.abs(spare) > LIMITS.length
      ? finding({
          code: 'length',
          title: `The sound ends ${ms(spare)} ${spare > 0 ? 'after' : 'before'} the pictures`,
          detail: `Pictures last ${videoLength.toFixed(2)} s, sound ${soundLength!.toFixed(2)} s.`,
          ...{ value: spare, limit: LIMITS.length, unit: 's', spans: [], frames: [] },
        })
      : undefined,
  ];
}

function faceFinding({ faces, fps }: Measured): Finding | undefined {
  const missing = faces.filter((face) => face === null).length;
  if (missing === 0) return undefined;
  const gaps = runs(faces.length, (i) => faces[i] === null);
  return finding({
    code: 'no-face',
    severity: 'note',
    title: missing === faces.length ? 'No face was found' : `${missing} frames show no face`,
    detail: `${percent(missing / faces.length)} of the frames; a dub leaves them as they are, and nothing is measured in them.`,
    ...{ value: missing, limit: 1, unit: 'frames' },
    spans: spansOf(gaps, fps),
    frames: gaps.map(({ start, end }) => (start + end) >> 1),
  });
}

interface OverTime {
  readonly code: Finding['code'];
  readonly limit: number;
  readonly unit: string;
  readonly title: string;
  readonly detail: (worst: number) => string;
  /** Seconds above the limit in all, of a video that is at least twice as long. */
  readonly least?: number;
}

/** Seconds above a limit from which on people see something. */
const LEAST_SECONDS = 0.15;

/** A fault where a series stays above its limit for a while. */
function overTime(
  { fps }: Measured,
  series: Float32Array,
  { detail, limit, least: inAll = 0, ...about }: OverTime,
): Finding | undefined {
  const least = Math.max(2, Math.round(LEAST_SECONDS * fps));
  const over = runs(series.length, (i) => series[i]! > limit, least);
  const total = over.reduce((sum, { start, end }) => sum + end - start, 0);
  if (total === 0 || total < Math.min(inAll * fps, series.length / 2)) return undefined;
  const value = quantile(
    over.flatMap(({ start, end }) => [...series.subarray(start, end)]),
    1,
  );
  const spans = spansOf(over, fps);
  return finding({ ...about, limit, detail: detail(value), value, spans, frames: worstFrames(series, fps) });
}

/** At most four frames with the highest values, half a second apart. */
function worstFrames(series: ArrayLike<number>, fps: number): number[] {
  const order = Array.from(series, (value, frame) => ({ value, frame }))
    .filter(({ value }) => Number.isFinite(value))
    .sort((a, b) => b.value - a.value);
  const chosen: number[] = [];
  for (const { frame } of order) {
    if (chosen.every((other) => Math.abs(other - frame) > fps / 2)) chosen.push(frame);
    if (chosen.length === 4) break;
  }
  return chosen;
}

/** Stretches as seconds, those that touch joined. */
function spansOf(stretches: readonly { start: number; end: number }[], fps: number): Finding['spans'] {
  const joined: { start: number; end: number }[] = [];
  for (const { start, end } of stretches) {
    const last = joined.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else joined.push({ start, end });
  }
  return joined
    .sort((a, b) => b.end - b.start - (a.end - a.start))
    .slice(0, 12)
    .sort((a, b) => a.start - b.start)
    .map(({ start, end }) => ({ start: round(start / fps), end: round(end / fps) }));
}

function finding(given: Omit<Finding, 'severity'> & Partial<Pick<Finding, 'severity'>>): Finding {
  return { severity: 'fault', ...given, value: round(given.value), frames: given.frames.slice(0, 4) };
}

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
