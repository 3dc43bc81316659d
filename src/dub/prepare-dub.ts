/** The first half of a dub: whatever needs the whole clip, before any frame is drawn. */
import { join } from 'node:path';
import { readCoords, writeCoords } from '../avatar/coords.ts';
import { framesShown } from '../avatar/order.ts';
import { type PrepareOptions, prepareAvatar } from '../avatar/prepare.ts';
import type { FaceFinder } from '../face/finder.ts';
import type { LipModel } from '../lips/lip-model.ts';
import { landmarksFor } from '../lips/open-model.ts';
import type { MediaLimits } from '../media/limits.ts';
import { openVideo } from '../media/open-video.ts';
import { checkFree, outputFormat } from '../media/output.ts';
import { toNumber } from '../media/rate.ts';
import { readSound } from '../media/read-sound.ts';
import type { DubOptions } from '../options/dub.ts';
import type { Drawing } from './draw.ts';
import { faceChoice, openFinder } from './faces.ts';
import { hearing, primed } from './heard.ts';
import { openDubModel } from './models.ts';
import { type DubProgress, StageClock } from './progress.ts';
import { orderOf, restOf, silenceOf, silentOutside, type TimeRange } from './steps.ts';
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

/** Has a thing closed when the work ends, whichever way; gives it back. It may still be opening. */
export type Closing = <T extends Closable | Promise<Closable>>(thing: T) => T;

/** Does some work, and closes in the end what it opened. */
export async function closingAll<T>(work: (closing: Closing) => Promise<T>): Promise<T> {
  const opened: (Closable | Promise<Closable>)[] = [];
  try {
    return await work((thing) => {
      opened.push(thing);
      return thing;
    });
  } finally {
    // What did not open was heard of by whoever waited for it.
    for (const thing of opened.reverse())
      await (await Promise.resolve(thing).catch(() => undefined))?.close();
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
  const landmarks = run.model?.landmarks ?? (await landmarksFor(options));
  // mini and its finder are there in a second, in which others are waited for. Models of gigabytes are not loaded
  // before it is known that there is work for them.
  const early = landmarks === 'mesh';
  const loadModel = async () => run.model ?? closing(openDubModel(options));
  const openFaces = () => facesOf(run, options, landmarks, closing);
  const reading = begun(readSound(options.sound, { limits, signal }));
  const opening = early ? begun(openFaces()) : undefined;
  const loading = early ? begun(loadModel()) : undefined;
  const video = await openVideo(options.video, { fps: options.fps, limits, signal });
  let sound = await reading;

  clock.at('load');
  const model = await (loading ?? loadModel());
  if (readsSixteenBits(model, options)) {
    sound = await readSound(options.sound, { limits, signal, sixteenBit: true });
  }
  for (const warning of [...video.warnings, ...sound.warnings]) warn(warning);

  const order = orderOf(model, video, sound, options.syncMode);
  const key = await identityOf([options.video, options.sound, options.coords, options.parsing], {
    ...{ model: model.key, options: comparable(options), spoken: run.spoken, frames: order.frameCount },
  });
  const work = closing(await openWorkFolder(output, { resume, key }));

  const { frameCount: frames } = order;
  const silence = begun(silenceOf(sound, { fps: video.fps, frames, mode: options.silence, signal }));
  const hear = hearing(model, sound, { fps: video.fps, frames, signal });
  // A dub that goes on may begin anywhere, or share what it hears out.
  const heard = resume ? hear : closing(primed(hear));

  const avatar = closing(
    await prepareAvatar(model, video, {
      ...{
        folder: join(work.path, 'avatar'),
        frameCount: framesShown(order.mode, order),
        batchSize,
        key,
        signal,
      },
      faces: await (opening ?? openFaces()),
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

  const whole = restOf(await silence, avatar, order, options.silence);
  const rest = run.spoken ? silentOutside(whole, run.spoken, toNumber(video.fps)) : whole;
  return {
    drawing: { options, video, model, avatar, order, rest, heard },
    ...{ work, overwrite, clock, warnings },
    ...{ sourceFrames: avatar.frameCount, withoutFace: avatar.frameCount - avatar.faceCount },
  };
}

/** Work that goes on while other things are waited for; if it fails, whoever awaits it hears of that. */
function begun<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
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
  return { finder: run.finder ?? (await closing(openFinder(options, landmarks))) };
}

/** Options that change what is drawn or written. */
function comparable({ resume, overwrite, output, saveCoords, ...rest }: DubOptions): Partial<DubOptions> {
  return rest;
}

function restWarnings({ silence, coords }: DubOptions): string[] {
  if (silence !== 'close' || coords === undefined) return [];
  return ["boxes from a file do not tell how far a mouth is open: in silence the source's own mouths show"];
}
