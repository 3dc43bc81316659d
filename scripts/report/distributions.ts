/**
 * Prints what a quality report measures on good video: clips encoded again, beside themselves and alone. The limits in
 * `src/report/limits.ts` lie beyond these numbers.
 *
 *     node --import tsx scripts/report/distributions.ts CLIP…
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { builtinFinder } from '../../src/face/builtin.ts';
import { loadFaceModels } from '../../src/face/models.ts';
import { openVideo } from '../../src/media/open-video.ts';
import { writeVideo } from '../../src/media/write-video.ts';
import { type ReportFiles, reportOn } from '../../src/report/quality-report.ts';
import { quantile } from '../../src/report/statistics.ts';

/** Coarser than what a dub is written with. */
const CRF = 23;

const finder = builtinFinder(await loadFaceModels());
const folder = await mkdtemp(join(tmpdir(), 'musetalk distributions '));
const columns = new Map<string, number[]>();
for (const clip of process.argv.slice(2)) {
  const video = join(folder, 'again.mp4');
  const { fps, width, height, color, frames } = await openVideo(clip);
  const options = { fps, width, height, color, crf: CRF, preset: 'veryfast', overwrite: true } as const;
  await writeVideo(video, frames(), { ...options, sound: { path: clip } });
  const beside = await measuresOf({ video, source: clip });
  const { sharpness, codes } = await measuresOf({ video });
  const row = { ...beside, sharpnessAlone: sharpness, codes: undefined };
  for (const [name, value] of Object.entries(row))
    if (typeof value === 'number') columns.set(name, [...(columns.get(name) ?? []), value]);
  const numbers = Object.entries(row).flatMap(([name, value]) => (value == null ? [] : `${name} ${value}`));
  console.log(`${basename(clip)}: ${numbers.join(', ')}; found: ${beside.codes} / alone: ${codes}`);
}
for (const [name, values] of columns)
  console.log(`${name.padEnd(16)} ${[0, 0.5, 1].map((q) => quantile(values, q).toFixed(3)).join(' … ')}`);
await finder.close();
await rm(folder, { recursive: true, force: true });

async function measuresOf(files: ReportFiles) {
  const { report } = await reportOn(files, { finder });
  const { sync, sharpness, flicker, seam, tint, outside, colors, dropped, doubled } = report.measures;
  return {
    ...{ offset: sync?.offset, confidence: sync?.confidence, sharpness, flicker, seam, tint, outside },
    ...{ colors: colors?.error, slips: dropped.length + doubled.length },
    codes: report.findings.map(({ code, severity }) => `${code} (${severity})`).join(' ') || 'nothing',
  };
}
