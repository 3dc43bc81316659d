/** The runner of the service: a dub or a part of one, or a preview of one frame, in a worker process. */
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DubReport } from '../../dub/dub.ts';
import { preview } from '../../dub/preview.ts';
import { SharedModel } from '../../dub/run-tasks.ts';
import { beginDub, type DubPlan, drawPart, joinParts } from '../../dub/split.ts';
import { resumeFolder } from '../../dub/work-folder.ts';
import { type Image, image } from '../../image/image.ts';
import type { LipModel } from '../../lips/lip-model.ts';
import { modelName } from '../../lips/open-model.ts';
import { encodePng } from '../../media/write-frames.ts';
import { checkOptions } from '../../options/check.ts';
import type { DubInput, DubSettings } from '../../options/dub.ts';
import { previewSettings } from '../../options/preview.ts';
import { inputName, partFolders } from '../files.ts';
import type { DubJobRequest, DubResult, PartJobRequest } from '../view.ts';
import { leaveReport } from './leave-report.ts';
import type { JobRun, SplitWork } from './runner.ts';
import { SPEECH, soundOfSegments } from './segments.ts';

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
  const request = run.request as DubJobRequest | PartJobRequest | PreviewJob;
  if (request.kind === 'preview') return runPreview(run, request);
  return request.kind === 'part' ? runPart(run, request) : runDub(run, request);
}

/** What an attempt keeps of its result while only the report is left to do. */
const DONE = 'done.json';

/** A dub that continues where an attempt before it was cut off: begun, or put together of its parts, then measured. */
async function runDub(run: JobRun, request: DubJobRequest): Promise<DubResult | SplitWork> {
  const { work, settings } = run;
  let result = await readFile(join(work, DONE), 'utf8').then(
    (text) => JSON.parse(text) as DubResult,
    () => undefined,
  );
  if (!result) {
    const made = await begin(run, request);
    if ('parts' in made) return { split: requestsFor(made, request, basename(work)) };
    const file = basename(made.output);
    result = { ...resultOf(made), file, bytes: (await stat(made.output)).size };
    await writeFile(join(work, DONE), JSON.stringify(result));
  }
  await forgetParts(run, result.file);
  if (!settings.report) return result;
  const took = Object.values(result.seconds as DubReport['seconds']).reduce((sum, value) => sum + value, 0);
  const { face } = request.settings as { face?: string };
  const quality = await leaveReport({ ...run, file: result.file, face, took });
  return { ...result, quality };
}

async function begin(run: JobRun, request: DubJobRequest): Promise<DubReport | DubPlan> {
  const { folder, parts, settings, signal, onProgress, onWarning } = run;
  const { segments } = request;
  const spoken = segments.length > 0;
  const { fps } = request.settings as { fps?: string | number };
  if (spoken) await soundOfSegments(folder, segments, { fps, signal });
  const input = {
    ...inputOf(run, { ...request, spoken }),
    ...(request.boxes && { coords: join(folder, 'boxes.json') }),
  };
  if (parts !== undefined) {
    const report = await joinParts(input, await partFolders(folder, parts), { signal, onProgress });
    for (const warning of report.warnings) onWarning(warning);
    return report;
  }
  onProgress({ stage: 'load', done: 0, total: 0, elapsed: 0 });
  const { limits, splitSeconds } = settings;
  return withModel(run, request, (model) => {
    const around = { model, signal, limits, spoken: spoken ? segments : undefined, onProgress, onWarning };
    return beginDub(input, around, { partSeconds: splitSeconds || Number.POSITIVE_INFINITY });
  });
}

function inputOf(
  { folder, work, settings: { models, threads } }: JobRun,
  { settings, format, spoken }: Pick<PartJobRequest, 'settings' | 'format' | 'spoken'>,
): DubInput {
  return {
    ...settings,
    ...{ video: join(folder, inputName(0)), output: join(work, `result.${format}`) },
    ...{ models, threads, resume: true, overwrite: true },
    sound: join(folder, spoken ? SPEECH : inputName(1)),
    // With parts that speak the sound was made as long as the video.
    ...(spoken && { syncMode: 'cut_off' as const }),
  } as DubInput;
}

/** Draws with the model that the request names; it stays loaded for a while. */
async function withModel<T>(
  { settings: { models, threads } }: JobRun,
  { settings }: Pick<DubJobRequest, 'settings'>,
  draw: (model: LipModel) => Promise<T>,
): Promise<T> {
  clearTimeout(release);
  try {
    // By its own name, so that a part finds the model loaded that prepared it.
    const model = await modelName({ models, version: undefined, model: settings.model });
    return await draw(await shared.open({ ...settings, model, models, threads } as Partial<DubSettings>));
  } finally {
    release = setTimeout(() => void shared.close(), IDLE_MS);
    release.unref();
  }
}

function requestsFor(
  { model, parts }: DubPlan,
  { settings, format, segments }: DubJobRequest,
  plan: string,
): PartJobRequest[] {
  const spoken = segments.length > 0;
  return parts.map((part) => ({
    ...{ kind: 'part', settings: { ...settings, model }, format, spoken, plan, part },
  }));
}

/** A part of a dub that was split: its segments lie in the folder of the attempt. */
async function runPart(run: JobRun, request: PartJobRequest): Promise<Record<string, never>> {
  const { folder, work, settings, signal, onProgress, onWarning } = run;
  const input = inputOf(run, request);
  const plan = resumeFolder(join(folder, request.plan, basename(input.output)));
  await withModel(run, request, (model) =>
    drawPart(
      input,
      request.part,
      { plan, part: work },
      { ...{ model, signal, limits: settings.limits, onProgress, onWarning } },
    ),
  );
  return {};
}

/** Frees the room of what a result was made of. */
async function forgetParts({ folder, work, parts = 0 }: JobRun, file: string): Promise<void> {
  for (const path of [resumeFolder(join(work, file)), ...(await partFolders(folder, parts))])
    await rm(path, { recursive: true, force: true });
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
