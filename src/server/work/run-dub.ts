/** The runner of the service: a dub, or a preview of one frame, in a worker process. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DubReport, dub } from '../../dub/dub.ts';
import { preview } from '../../dub/preview.ts';
import { writeImage } from '../../media/write-frames.ts';
import { checkOptions } from '../../options/check.ts';
import type { DubInput } from '../../options/dub.ts';
import { previewSettings } from '../../options/preview.ts';
import type { DubJobRequest, DubResult } from '../view.ts';
import type { JobRun } from './runner.ts';

interface PreviewJob {
  readonly kind: 'preview';
  readonly settings: Readonly<Record<string, unknown>>;
  readonly time: number;
}

/** Runs what the request asks for. */
export async function runJob(run: JobRun): Promise<unknown> {
  const request = run.request as DubJobRequest | PreviewJob;
  return request.kind === 'preview' ? runPreview(run, request) : runDub(run, request);
}

/** A dub that continues where an attempt before it was cut off. */
async function runDub(
  { folder, work, settings: { models, threads, limits }, signal, onProgress, onWarning }: JobRun,
  { settings, format, boxes }: DubJobRequest,
): Promise<DubResult> {
  const file = `result.${format}`;
  const output = join(work, file);
  const input = {
    ...settings,
    ...{ video: join(folder, 'video'), sound: join(folder, 'sound'), output },
    ...{ models, threads, resume: true, overwrite: true },
    ...(boxes && { coords: join(folder, 'boxes.json') }),
  } as DubInput;
  const report = await dub(input, { signal, limits, onProgress, onWarning });
  const { output: _, ...facts } = report;
  await writeFile(join(work, 'report.json'), JSON.stringify(facts));
  return { ...resultOf(report), file, bytes: (await stat(output)).size };
}

function resultOf({ frameCount: frames, duration, model, sourceFrames, withoutFace, seconds }: DubReport) {
  return { frames, duration, fps: frames / duration, model, sourceFrames, withoutFace, seconds };
}

/** A picture as a data: address, with the numbers behind it. */
async function runPreview({ folder, settings: { models }, signal }: JobRun, { settings, time }: PreviewJob) {
  const known = Object.keys(previewSettings.shape);
  const chosen = Object.fromEntries(Object.entries(settings).filter(([name]) => known.includes(name)));
  const options = checkOptions(previewSettings, { ...chosen, models, time });
  const { picture, ...facts } = await preview(join(folder, 'video'), options, { signal });
  const path = join(folder, 'preview.png');
  await writeImage(path, picture);
  return { picture: `data:image/png;base64,${(await readFile(path)).toString('base64')}`, ...facts };
}
