/** The product: a video whose mouth says another sound. */
import { join } from 'node:path';
import { readCoords, writeCoords } from '../avatar/coords.ts';
import { framesShown } from '../avatar/order.ts';
import { type PrepareOptions, prepareAvatar } from '../avatar/prepare.ts';
import { type Spoken, speak } from '../avatar/speak.ts';
import type { FaceFinder } from '../face/finder.ts';
import { beside } from '../image/beside.ts';
import type { LipModel } from '../lips/lip-model.ts';
import type { MediaLimits } from '../media/limits.ts';
import { openVideo } from '../media/open-video.ts';
import { checkFree, outputFormat } from '../media/output.ts';
import { toNumber } from '../media/rate.ts';
import { readSound } from '../media/read-sound.ts';
import { checkOptions } from '../options/check.ts';
import { type DubInput, type DubOptions, dubOptions } from '../options/dub.ts';
import { faceChoice, openFinder } from './faces.ts';
import { openDubModel } from './models.ts';
import { type DubProgress, type DubStage, StageClock } from './progress.ts';
import { orderOf, restOf, silentOutside, stepsFrom, type TimeRange } from './steps.ts';
import { identityOf, isResumable, openWorkFolder } from './work-folder.ts';
import { writeResult } from './write-result.ts';

/** What stands around a dub: who hears of it, who may stop it, and what is loaded already. */
export interface DubRun {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: DubProgress) => void) | undefined;
  /** Hears each warning as soon as it is known; all of them are in the report too. */
  readonly onWarning?: ((warning: string) => void) | undefined;
  /** A loaded model, used instead of the one that the options name, and left open. */
  readonly model?: LipModel | undefined;
  /** A face finder, used instead of the one that the options name, and left open. */
  readonly finder?: FaceFinder | undefined;
  /** What the inputs may ask for; more is refused. */
  readonly limits?: Partial<MediaLimits> | undefined;
  /** Seconds of the result in which the mouth is drawn; elsewhere the source's frames stay as they are. */
  readonly spoken?: readonly TimeRange[] | undefined;
}

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
  const opened: Closable[] = [];
  try {
    return await dubWith(options, run, (thing) => {
      opened.push(thing);
      return thing;
    });
  } finally {
    for (const thing of opened.reverse()) await thing.close();
  }
}

interface Closable {
  close(): Promise<unknown>;
}

/** Has a thing closed when the dub ends, whichever way; gives it back. */
type Closing = <T extends Closable>(thing: T) => T;

async function dubWith(options: DubOptions, run: DubRun, closing: Closing): Promise<DubReport> {
  const { output, batchSize, resume } = options;
  const { signal, limits } = run;
  const clock = new StageClock(run.onProgress);
  const warnings: string[] = [];
  const warn = (warning: string) => {
    warnings.push(warning);
    run.onWarning?.(warning);
  };

  outputFormat(output);
  // A run that was ended after it wrote its output and before it cleared up may be repeated.
  const overwrite = options.overwrite || (resume && (await isResumable(output)));
  await checkFree(output, overwrite);

  clock.at('open');
  const video = await openVideo(options.video, { fps: options.fps, limits, signal });
  let sound = await readSound(options.sound, { limits, signal });

  clock.at('load');
  const model = run.model ?? closing(await openDubModel(options));
  if (model.name === 'musetalk-1.0' && options.compat === 'upstream') {
    sound = await readSound(options.sound, { limits, signal, sixteenBit: true });
  }
  for (const warning of [...video.warnings, ...sound.warnings]) warn(warning);

  const order = orderOf(model, video, sound, options.syncMode);
  const key = await identityOf([options.video, options.sound, options.coords, options.parsing], {
    ...{ model: model.key, options: comparable(options), spoken: run.spoken, frames: order.frameCount },
  });
  const work = closing(await openWorkFolder(output, { resume, key }));

  const avatar = closing(
    await prepareAvatar(model, video, {
      ...{
        folder: join(work.path, 'avatar'),
        frameCount: framesShown(order.mode, order),
        batchSize,
        key,
        signal,
      },
      faces: await facesOf(run, options, model.landmarks, closing),
      find: {
        choice: faceChoice(options.face),
        detectEvery: options.compat === 'upstream' ? 1 : options.detectEvery,
      },
      onCoords:
        options.saveCoords === undefined ? undefined : (coords) => writeCoords(options.saveCoords!, coords),
      onProgress: ({ stage, done, total }) => clock.at(stage, done, total),
    }),
  );
  for (const warning of [...avatar.warnings, ...restWarnings(options)]) warn(warning);

  const heard = await restOf(sound, avatar, order, { silence: options.silence, signal });
  const rest = run.spoken ? silentOutside(heard, run.spoken, toNumber(video.fps)) : heard;
  const speaking = { batchSize, keepOriginals: options.sideBySide, signal };
  const framesFrom = async function* (start: number) {
    const steps = stepsFrom(start, { model, avatar, sound, order, rest, signal });
    for await (const spoken of speak(model, avatar, steps, speaking)) {
      yield pictureOf(spoken);
      clock.at('draw', spoken.index + 1, order.frameCount);
    }
    clock.at('write');
  };
  const written = await writeResult(output, framesFrom, {
    ...{ fps: video.fps, width: video.width * (options.sideBySide ? 2 : 1), height: video.height },
    ...{ pixelAspect: video.pixelAspect, color: video.color, crf: options.crf, preset: options.preset },
    ...{ sound: options.sound, overwrite, frameCount: order.frameCount, batchSize, signal },
    framesFolder: options.frames,
    segmentsFolder: resume ? join(work.path, 'segments') : undefined,
  });
  clock.end();
  work.finish();
  return {
    ...{ output: written.path, model: model.name, frameCount: order.frameCount, duration: written.duration },
    ...{ sourceFrames: avatar.frameCount, withoutFace: avatar.frameCount - avatar.faceCount },
    ...{ seconds: clock.seconds, warnings },
  };
}

/** Boxes from a file, or a finder. */
async function facesOf(
  run: DubRun,
  options: DubOptions,
  landmarks: LipModel['landmarks'],
  closing: Closing,
): Promise<PrepareOptions['faces']> {
  if (options.coords !== undefined) return { coords: await readCoords(options.coords) };
  return { finder: run.finder ?? closing(await openFinder(options, landmarks)) };
}

function pictureOf({ image, original }: Spoken) {
  return original ? beside(original, image) : image;
}

/** Options that change what is drawn or written. */
function comparable({ resume, overwrite, output, saveCoords, ...rest }: DubOptions): Partial<DubOptions> {
  return rest;
}

function restWarnings({ silence, coords }: DubOptions): string[] {
  if (silence !== 'close' || coords === undefined) return [];
  return ["boxes from a file do not tell how far a mouth is open: in silence the source's own mouths show"];
}
