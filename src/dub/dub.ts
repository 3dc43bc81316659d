/** The product: a video whose mouth says another sound. */
import { join } from 'node:path';
import { checkOptions } from '../options/check.ts';
import { type DubInput, dubOptions } from '../options/dub.ts';
import { drawFrom, encodingOf } from './draw.ts';
import { closingAll, type DubRun, type PreparedDub, prepareDub } from './prepare-dub.ts';
import type { DubStage } from './progress.ts';
import { writeResult } from './write-result.ts';

/** What a dub did. */
export interface DubReport {
  readonly output: string;
  readonly model: string;
  readonly frameCount: number;
  /** Seconds of the result. */
  readonly duration: number;
  /** Frames of the source that were prepared, and those of them that show no face. */
  readonly sourceFrames: number;
  readonly withoutFace: number;
  /** Seconds that each stage took. */
  readonly seconds: Readonly<Partial<Record<DubStage, number>>>;
  readonly warnings: readonly string[];
}

/**
 * Writes to `output` the video with the mouth drawn anew, so that it says `sound`. The output is there whole or not at
 * all; after an error or an abort nothing is left, but for the folder of a run that can be resumed.
 *
 * @throws MuseTalkError with the codes of its stages; the signal's reason after an abort.
 */
export async function dub(input: DubInput, run: DubRun = {}): Promise<DubReport> {
  const options = checkOptions(dubOptions, input);
  return closingAll(async (closing) => drawDub(await prepareDub(options, run, closing), run));
}

/** Draws all of a dub that is prepared, and writes it. */
export async function drawDub(prepared: PreparedDub, { signal }: DubRun): Promise<DubReport> {
  const { drawing, work, overwrite, clock, warnings, sourceFrames, withoutFace } = prepared;
  const { options, model, order } = drawing;
  const { output, sound, batchSize } = options;
  const { frameCount } = order;
  const onFrame = (index: number) => {
    clock.at('draw', index + 1, frameCount);
    if (index + 1 === frameCount) clock.at('write');
  };
  const framesFrom = (start: number) => drawFrom(start, drawing, { signal, onFrame });
  const written = await writeResult(output, framesFrom, {
    ...{ ...encodingOf(drawing), sound, overwrite, frameCount, batchSize, signal },
    framesFolder: options.frames,
    segmentsFolder: options.resume ? join(work.path, 'segments') : undefined,
  });
  clock.end();
  work.finish();
  return {
    ...{ output: written.path, model: model.name, frameCount, duration: written.duration },
    ...{ sourceFrames, withoutFace, seconds: clock.seconds, warnings },
  };
}
