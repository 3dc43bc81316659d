/** The runner of the service: a dub, or a preview of one frame, in a worker process. */
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DubReport, dub } from '../../dub/dub.ts';
import { preview } from '../../dub/preview.ts';
import { SharedModel } from '../../dub/run-tasks.ts';
import { type Image, image } from '../../image/image.ts';
import { encodePng } from '../../media/write-frames.ts';
import { checkOptions } from '../../options/check.ts';
import type { DubInput, DubSettings } from '../../options/dub.ts';
import { previewSettings } from '../../options/preview.ts';
import type { DubJobRequest, DubResult } from '../view.ts';
import type { JobRun } from './runner.ts';
import { soundOfSegments } from './segments.ts';

/** The model of the last dub stays loaded for the next one, as long as it asks for the same. */
const shared = new SharedModel(undefined);
let release: NodeJS.Timeout | undefined;

/** Milliseconds without a dub after which its memory is given back. */
const IDLE_MS = 300_000;

interface PreviewJob {
  readonly kind: 'preview';
  readonly settings: Readonly<Record<string, unknown>>;
  readonly time: number;
  readonly layers?: boolean;
}

/** Runs what the request asks for. */
export async function runJob(run: JobRun): Promise<unknown> {
  const request = run.request as DubJobRequest | PreviewJob;
  return request.kind === 'preview' ? runPreview(run, request) : runDub(run, request);
}

/** A dub that continues where an attempt before it was cut off. */
async function runDub(
  { folder, work, settings: { models, threads, limits }, signal, onProgress, onWarning }: JobRun,
  { settings, format, boxes, segments }: DubJobRequest,
): Promise<DubResult> {
  const file = `result.${format}`;
  const output = join(work, file);
  const parts = segments.length > 0;
  const fps = settings.fps as string | number | undefined;
  const input = {
    ...settings,
    ...{ video: join(folder, 'video'), output, models, threads, resume: true, overwrite: true },
    sound: parts ? await soundOfSegments(folder, segments, { fps, signal }) : join(folder, 'sound'),
    // With parts the sound was made as long as the video.
    ...(parts && { syncMode: 'cut_off' as const }),
    ...(boxes && { coords: join(folder, 'boxes.json') }),
  } as DubInput;
  const spoken = parts ? segments : undefined;
  onProgress({ stage: 'load', done: 0, total: 0, elapsed: 0 });
  clearTimeout(release);
  const model = await shared.open({ ...settings, models, threads } as Partial<DubSettings>);
  try {
    const report = await dub(input, { model, signal, limits, spoken, onProgress, onWarning });
    return await finish(report, work, file);
  } finally {
    release = setTimeout(() => void shared.close(), IDLE_MS);
    release.unref();
  }
}

/** Leaves the report beside the video; gives what the job's record keeps. */
async function finish(report: DubReport, work: string, file: string): Promise<DubResult> {
  const { output: _, ...facts } = report;
  await writeFile(join(work, 'report.json'), JSON.stringify(facts));
  return { ...resultOf(report), file, bytes: (await stat(join(work, file))).size };
}

function resultOf({ frameCount: frames, duration, model, sourceFrames, withoutFace, seconds }: DubReport) {
  return { frames, duration, fps: frames / duration, model, sourceFrames, withoutFace, seconds };
}

/** A picture as a data: address, with the numbers behind it. */
async function runPreview(
  { folder, settings: { models }, signal }: JobRun,
  { settings, time, layers: wanted }: PreviewJob,
) {
  const known = Object.keys(previewSettings.shape);
  const chosen = Object.fromEntries(Object.entries(settings).filter(([name]) => known.includes(name)));
  const options = checkOptions(previewSettings, { ...chosen, models, time });
  const { picture, layers, ...facts } = await preview(join(folder, 'video'), options, {
    ...{ signal, layers: wanted },
  });
  if (!layers) return { picture: await dataAddress(picture), ...facts };
  const { frame, mask, ...places } = layers;
  const { width, height } = frame;
  return {
    picture: await dataAddress(frame),
    ...facts,
    layers: { width, height, ...places, maskAt: mask.crop, maskPicture: await dataAddress(veil(mask.mask)) },
  };
}

/** A mask as something to lay over a picture: white, as opaque as the mask is strong. */
function veil({ width, height, data }: Image): Image {
  const picture = image(width, height, 4, new Uint8Array(width * height * 4).fill(255));
  for (const [i, strength] of data.entries()) picture.data[i * 4 + 3] = strength;
  return picture;
}

async function dataAddress(picture: Image): Promise<string> {
  return `data:image/png;base64,${(await encodePng(picture)).toString('base64')}`;
}
