/** The first half of a dub: whatever needs the whole clip, before any frame is drawn. */
import { join } from 'node:path';
import { readCoords, writeCoords } from '../avatar/coords.ts';
import { framesShown } from '../avatar/order.ts';
import { type PrepareOptions, prepareAvatar } from '../avatar/prepare.ts';
import type { FaceFinder } from '../face/finder.ts';
import type { LipModel } from '../lips/lip-model.ts';
import type { MediaLimits } from '../media/limits.ts';
import { openVideo } from '../media/open-video.ts';
import { checkFree, outputFormat } from '../media/output.ts';
import { toNumber } from '../media/rate.ts';
import { readSound } from '../media/read-sound.ts';
import type { DubOptions } from '../options/dub.ts';
import type { Drawing } from './draw.ts';
import { faceChoice, openFinder } from './faces.ts';
import { hearing } from './heard.ts';
import { openDubModel } from './models.ts';
import { type DubProgress, StageClock } from './progress.ts';
import { orderOf, restOf, silentOutside, type TimeRange } from './steps.ts';
import { identityOf, isResumable, openWorkFolder, type WorkFolder } from './work-folder.ts';

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

/** A dub that is ready to be drawn. */
export interface PreparedDub {
  readonly drawing: Drawing;
  readonly work: WorkFolder;
  readonly overwrite: boolean;
  /** Frames of the source that were prepared, and those of them that show no face. */
  readonly sourceFrames: number;
  readonly withoutFace: number;
  readonly clock: StageClock;
  readonly warnings: readonly string[];
}

interface Closable {
  close(): Promise<unknown>;
}

/** Has a thing closed when the work ends, whichever way; gives it back. */
export type Closing = <T extends Closable>(thing: T) => T;

/** Does some work, and closes in the end what it opened. */
export async function closingAll<T>(work: (closing: Closing) => Promise<T>): Promise<T> {
  const opened: Closable[] = [];
  try {
    return await work((thing) => {
      opened.push(thing);
      return thing;
    });
  } finally {
    for (const thing of opened.reverse()) await thing.close();
  }
}

/** Opens what a dub is made of, and prepares its avatar. @throws MuseTalkError with the codes of its stages. */
export async function prepareDub(options: DubOptions, run: DubRun, closing: Closing): Promise<PreparedDub> {
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
  if (readsSixteenBits(model, options)) {
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
  return {
    drawing: {
      ...{ options, video, model, avatar, order, rest },
      heard: hearing(model, sound, { fps: video.fps, frames: order.frameCount, signal }),
    },
    ...{ work, overwrite, clock, warnings },
    ...{ sourceFrames: avatar.frameCount, withoutFace: avatar.frameCount - avatar.faceCount },
  };
}

/** Upstream: 1.0 reads sounds as whole numbers of 16 bits. */
export function readsSixteenBits(model: LipModel, { compat }: Pick<DubOptions, 'compat'>): boolean {
  return model.name === 'musetalk-1.0' && compat === 'upstream';
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

/** Options that change what is drawn or written. */
function comparable({ resume, overwrite, output, saveCoords, ...rest }: DubOptions): Partial<DubOptions> {
  return rest;
}

function restWarnings({ silence, coords }: DubOptions): string[] {
  if (silence !== 'close' || coords === undefined) return [];
  return ["boxes from a file do not tell how far a mouth is open: in silence the source's own mouths show"];
}
