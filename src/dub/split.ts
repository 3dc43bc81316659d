/**
 * One dub shared out among processes. What needs the whole clip is done once and left in a folder (the plan): faces,
 * avatar, rest in silence, what is heard. Then each part, a stretch of whole segments, can be drawn by anybody who
 * reads that folder, and in the end the segments of all parts are joined. Segments and batches are those of a dub
 * that is not shared out, and every frame is encoded once: the result has the same bytes.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openAvatar } from '../avatar/prepare.ts';
import { MuseTalkError } from '../core/errors.ts';
import { openVideo } from '../media/open-video.ts';
import { settle } from '../media/output.ts';
import { toNumber } from '../media/rate.ts';
import { readSound } from '../media/read-sound.ts';
import type { Rational } from '../media/source.ts';
import { checkOptions } from '../options/check.ts';
import { type DubInput, type DubOptions, dubOptions } from '../options/dub.ts';
import { type Drawing, drawFrom, encodingOf } from './draw.ts';
import { type DubReport, drawDub } from './dub.ts';
import { type Heard, hearing, keepHeard, keptHeard } from './heard.ts';
import { openDubModel } from './models.ts';
import {
  type Closing,
  closingAll,
  type DubRun,
  type PreparedDub,
  prepareDub,
  readsSixteenBits,
} from './prepare-dub.ts';
import { type DubStage, StageClock } from './progress.ts';
import { type Order, orderBy } from './steps.ts';
import { resumeFolder } from './work-folder.ts';
import { joinTo, type PlannedSegment, planSegments, writeSegments } from './write-result.ts';

/** A stretch of a dub's segments. */
export interface DubPart {
  /** Number of its first segment, and how many there are. */
  readonly first: number;
  readonly count: number;
  /** Frames in them. */
  readonly frames: number;
}

/** A dub that waits for its parts. */
export interface DubPlan {
  /** Where what all parts need lies; it must stay there until the parts are joined. */
  readonly folder: string;
  readonly model: string;
  readonly parts: readonly DubPart[];
}

/** What is kept of a plan beside avatar and conditions. */
interface PlanFile {
  readonly format: 1;
  readonly model: string;
  readonly fps: Rational;
  readonly order: Pick<Order, 'mode' | 'source' | 'sound'>;
  /** Shape of a condition that is kept; none where they are heard again. */
  readonly heard: readonly number[] | undefined;
  /** Weights (float32) and donors (int32) of the rest, in base64. */
  readonly rest: { readonly weights: string; readonly donors: string };
  readonly facts: Pick<DubReport, 'sourceFrames' | 'withoutFace' | 'seconds' | 'warnings'>;
}

const PLAN = 'plan.json';
const HEARD = 'heard.bin';
/** What a finished part leaves beside its segments: the seconds that it took. */
const PART = 'part.json';

/**
 * Begins a dub: all of it when it lasts no longer than a part and a half, else what needs the whole clip, which then
 * waits in the dub's folder for work (`resume` is understood).
 *
 * @throws MuseTalkError as `dub`.
 */
export async function beginDub(
  input: DubInput,
  run: DubRun,
  { partSeconds }: { partSeconds: number },
): Promise<DubReport | DubPlan> {
  const options = checkOptions(dubOptions, { ...input, resume: true });
  return closingAll(async (closing) => {
    const prepared = await prepareDub(options, run, closing);
    const { video, order } = prepared.drawing;
    const seconds = order.frameCount / toNumber(video.fps);
    if (seconds <= 1.5 * partSeconds || options.frames !== undefined) return drawDub(prepared, run);
    return keepPlan(prepared, { count: Math.ceil(seconds / partSeconds) });
  });
}

async function keepPlan(prepared: PreparedDub, { count }: { count: number }): Promise<DubPlan> {
  const { drawing, work, clock, warnings, sourceFrames, withoutFace } = prepared;
  const { model, video, order, rest } = drawing;
  clock.at('prepare', sourceFrames, sourceFrames);
  const heard = await keepHeard(join(work.path, HEARD), drawing.heard);
  clock.end();
  const { mode, source, sound } = order;
  const plan: PlanFile = {
    ...{ format: 1, model: model.name, fps: video.fps, order: { mode, source, sound }, heard },
    rest: { weights: textOf(rest.weights), donors: textOf(rest.donors) },
    facts: { sourceFrames, withoutFace, seconds: clock.seconds, warnings },
  };
  await writeWhole(join(work.path, PLAN), JSON.stringify(plan));
  const segments = segmentsOf(plan, drawing.options);
  return { folder: work.path, model: model.name, parts: partsOf(segments, count) };
}

/** Parts whose numbers of segments differ by one at most. */
function partsOf(segments: readonly PlannedSegment[], most: number): DubPart[] {
  const count = Math.min(most, segments.length);
  const starts = Array.from({ length: count + 1 }, (_, i) => Math.floor((i * segments.length) / count));
  return starts.slice(0, -1).map((first, i) => {
    const own = segments.slice(first, starts[i + 1]);
    return { first, count: own.length, frames: own.reduce((sum, { frameCount }) => sum + frameCount, 0) };
  });
}

/** What a part is drawn from, and into. */
export interface PartFolders {
  /** Of the plan; only read. */
  readonly plan: string;
  /** For the segments of this part; those that are there already are kept. */
  readonly part: string;
}

/**
 * Draws the segments of a part. `input` is the one of the whole dub; its output is not touched.
 *
 * @throws MuseTalkError as `dub`; WORK_MISSING where the plan is not there, or was made with another model.
 */
export async function drawPart(
  input: DubInput,
  { first, count, frames }: DubPart,
  folders: PartFolders,
  run: DubRun,
): Promise<void> {
  const options = checkOptions(dubOptions, input);
  const clock = new StageClock(run.onProgress);
  await closingAll(async (closing) => {
    clock.at('open');
    const drawing = await openDrawing(options, folders.plan, run, closing);
    const segments = segmentsOf({ order: drawing.order, fps: drawing.video.fps }, options)
      .slice(first, first + count)
      .map((segment) => ({ ...segment, path: join(folders.part, segment.name) }));
    const { signal } = run;
    const onFrame = (index: number) => clock.at('draw', index + 1 - segments[0]!.start, frames);
    const framesFrom = (start: number) => drawFrom(start, drawing, { signal, onFrame });
    await writeSegments(segments, framesFrom, { ...encodingOf(drawing), output: options.output, signal });
  });
  clock.end();
  await writeWhole(join(folders.part, PART), JSON.stringify(clock.seconds));
}

/** Everything that frames are drawn from, as the plan has it. */
async function openDrawing(
  options: DubOptions,
  folder: string,
  run: DubRun,
  closing: Closing,
): Promise<Drawing> {
  const { signal, limits } = run;
  const plan = await readPlan(folder);
  const video = await openVideo(options.video, { fps: options.fps, limits, signal });
  const model = run.model ?? closing(await openDubModel(options));
  if (model.name !== plan.model) throw badPlan(folder, `it was made with ${plan.model}, not ${model.name}`);
  const order = orderBy(plan.order.mode, plan.order);
  const avatar = closing(await openAvatar(model, video, join(folder, 'avatar')));
  const rest = {
    weights: new Float32Array(numbersOf(plan.rest.weights)),
    donors: new Int32Array(numbersOf(plan.rest.donors)),
  };
  let heard: Heard;
  if (plan.heard) heard = keptHeard(join(folder, HEARD), plan.heard);
  else {
    const sixteenBit = readsSixteenBits(model, options);
    const sound = await readSound(options.sound, { limits, signal, sixteenBit });
    heard = hearing(model, sound, { fps: video.fps, frames: order.frameCount, signal });
  }
  return { options, video, model, avatar, order, rest, heard };
}

/**
 * Joins the segments of all parts, adds the sound, and writes the result.
 *
 * @param parts folders of the parts, in their order.
 * @throws MuseTalkError CANNOT_WRITE; WORK_MISSING where a part is missing.
 */
export async function joinParts(
  input: DubInput,
  parts: readonly string[],
  run: Pick<DubRun, 'signal' | 'onProgress'>,
): Promise<DubReport> {
  const options = checkOptions(dubOptions, input);
  const { output, sound } = options;
  const folder = resumeFolder(output);
  const clock = new StageClock(run.onProgress);
  clock.at('write');
  const plan = await readPlan(folder);
  const planned = segmentsOf(plan, options);
  const found = partsOf(planned, parts.length);
  const segments = parts.flatMap((part, i) =>
    planned
      .slice(found[i]!.first, found[i]!.first + found[i]!.count)
      .map(({ name, frameCount }) => ({ path: join(part, name), frameCount })),
  );
  const times = [plan.facts.seconds, ...(await Promise.all(parts.map(secondsOf)))];
  const written = await joinTo(output, segments, { fps: plan.fps, sound, folder, signal: run.signal });
  clock.end();
  const { sourceFrames, withoutFace, warnings } = plan.facts;
  return {
    ...{ output, model: plan.model, frameCount: written.frameCount, duration: written.duration },
    ...{ sourceFrames, withoutFace, warnings, seconds: added([...times, clock.seconds]) },
  };
}

type Seconds = DubReport['seconds'];

async function secondsOf(part: string): Promise<Seconds> {
  const text = await readFile(join(part, PART), 'utf8').catch((cause) => {
    throw badPlan(part, 'a part is not finished', cause);
  });
  return JSON.parse(text) as Seconds;
}

function added(times: readonly Seconds[]): Seconds {
  const sums: Partial<Record<DubStage, number>> = {};
  for (const seconds of times)
    for (const [stage, value] of Object.entries(seconds) as [DubStage, number][])
      sums[stage] = (sums[stage] ?? 0) + value;
  return sums;
}

function segmentsOf(
  { order, fps }: Pick<PlanFile, 'order' | 'fps'>,
  { batchSize }: Pick<DubOptions, 'batchSize'>,
): PlannedSegment[] {
  return planSegments({ frameCount: orderBy(order.mode, order).frameCount, fps, batchSize });
}

async function readPlan(folder: string): Promise<PlanFile> {
  try {
    return JSON.parse(await readFile(join(folder, PLAN), 'utf8')) as PlanFile;
  } catch (cause) {
    throw badPlan(folder, 'its plan is not there', cause);
  }
}

function badPlan(folder: string, why: string, cause?: unknown): MuseTalkError {
  return new MuseTalkError('WORK_MISSING', `cannot go on with the dub in ${folder}: ${why}`, {
    hint: 'Begin the dub again.',
    facts: { folder },
    cause,
  });
}

async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text);
  await settle(`${path}.part`, path);
}

function textOf({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

/** Bytes at a place of their own, where they may be read as numbers. */
function numbersOf(text: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(text, 'base64')).buffer;
}
