/** From measurements to a report: the numbers as they are handed out, rounded, beside what they say. */
import { basename } from 'node:path';
import type { SoundSource, VideoSource } from '../media/source.ts';
import { findingsOf, flickerSeries, sharpnessOf, sharpnessSeries } from './findings.ts';
import type { Measured } from './measured.ts';
import type { Finding, QualityReport } from './result.ts';
import { median, quantile } from './statistics.ts';
import { SYNC_NET_RATE } from './sync-net.ts';

/** The report; `notes` say what was not measured. */
export function writeUp(
  files: { readonly video: string; readonly source?: string | undefined },
  { video, sound }: { readonly video: VideoSource; readonly sound: SoundSource | undefined },
  measured: Measured,
  notes: readonly string[],
): QualityReport {
  const { sync, syncNet, mouth, faces, pixels, alignment, colors, timing, fps } = measured;
  const findings = findingsOf(measured);
  const faults = findings.filter(({ severity }) => severity === 'fault');
  const missing = faces.filter((face) => face === null).length;
  const sharpness = sharpnessSeries(measured).series;
  const flicker = flickerSeries(measured);
  return {
    format: 1,
    verdict: faults.length === 0 ? 'good' : 'faults',
    summary: summaryOf(faults),
    video: {
      ...{ name: basename(files.video), width: video.width, height: video.height, fps: rounded(fps)! },
      ...{ frames: video.frameCount, duration: rounded(video.duration)! },
      sound: sound ? basename(sound.path) : null,
      source: files.source === undefined ? null : basename(files.source),
    },
    findings,
    notes: [...notes],
    measures: {
      sync: sync
        ? {
            by: sync.by,
            offset: sync.offset === null ? null : rounded(sync.offset),
            confidence: rounded(sync.confidence) ?? 0,
            agreement: rounded(sync.agreement) ?? 0,
            windows: sync.windows.map((window) => ({
              start: rounded(window.start)!,
              end: rounded(window.end)!,
              offset: window.offset === null ? null : rounded(window.offset),
              confidence: rounded(window.confidence) ?? 0,
            })),
            curve: sync.curve.map((agreement, i) => ({
              lag: rounded((i - (sync.curve.length - 1) / 2) / fps)!,
              agreement: rounded(agreement) ?? 0,
            })),
          }
        : null,
      syncNet: syncNet
        ? {
            offset: rounded(syncNet.offset ?? undefined),
            confidence: rounded(syncNet.confidence) ?? 0,
            windows: syncNet.windows,
            curve: syncNet.curve.map((distance, i) => ({
              lag: rounded((i - (syncNet.curve.length - 1) / 2) / SYNC_NET_RATE)!,
              distance: rounded(distance) ?? 0,
            })),
          }
        : null,
      faces: { found: faces.length - missing, missing },
      sharpness: rounded(sharpnessOf(measured)),
      flicker: rounded(median(flicker)),
      seam: rounded(quantile(pixels.seam, 0.95)),
      tint: rounded(quantile(pixels.tint, 0.95)),
      outside: rounded(quantile(pixels.outside, 0.95)),
      colors: colors ? { kind: colors.kind, error: rounded(colors.error)! } : null,
      dropped: alignment?.dropped.map(({ frame }) => frame) ?? [],
      doubled: alignment?.doubled.map(({ frame }) => frame) ?? [],
      timing: {
        irregular: timing?.irregular.length ?? 0,
        soundStart: rounded(timing?.soundStart),
        soundLength: rounded(timing?.soundLength),
        videoLength: rounded(timing?.videoLength ?? video.duration)!,
      },
    },
    series: {
      opening: list(mouth?.opening ?? faces.map((face) => face?.opening ?? Number.NaN)),
      heard: list(sync?.heard ?? []),
      silence: list(mouth?.silence ?? []),
      sharpness: list(sharpness),
      seam: list(pixels.seam),
      flicker: list(flicker),
      outside: list(pixels.outside),
    },
  };
}

function summaryOf(faults: readonly Finding[]): string {
  if (faults.length === 0) return 'Nothing wrong was found.';
  const titles = faults.map(({ title }) => title);
  return `${faults.length === 1 ? 'One fault' : `${faults.length} faults`}: ${titles.join('; ')}.`;
}

function list(values: ArrayLike<number>): (number | null)[] {
  return Array.from(values, rounded);
}

/** Four digits behind the point; null where nothing was measured. */
function rounded(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : Math.round(value * 1e4) / 1e4;
}
