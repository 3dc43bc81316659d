/** The product: a video whose mouth says another sound. */
import { join } from 'node:path';
import { readCoords, writeCoords } from '../avatar/coords.ts';
import { framesInOrder } from '../avatar/frames-in-order.ts';
import { framesShown, type Lengths, resultLength, sourceFrame } from '../avatar/order.ts';
import { parsingFolder } from '../avatar/parsing-folder.ts';
import { type Avatar, type PrepareOptions, prepareAvatar } from '../avatar/prepare.ts';
import { type RestPlan, restPlan } from '../avatar/rest.ts';
import { type Spoken, type Step, speak } from '../avatar/speak.ts';
import { MuseTalkError } from '../core/errors.ts';
import { skip, zip } from '../core/stream.ts';
import type { FaceFinder } from '../face/finder.ts';
import { beside } from '../image/beside.ts';
import type { LipModel } from '../lips/lip-model.ts';
import type { Parse } from '../lips/musetalk.ts';
import { openLipModel } from '../lips/open-model.ts';
import type { MediaLimits } from '../media/limits.ts';
import { openVideo } from '../media/open-video.ts';
import { checkFree, outputFormat } from '../media/output.ts';
import { readSound } from '../media/read-sound.ts';
import type { SoundSource, VideoSource } from '../media/source.ts';
import { checkOptions } from '../options/check.ts';
import { type DubInput, type DubOptions, dubOptions } from '../options/dub.ts';
import { closedMouth } from '../sound/silence.ts';
import { faceChoice, openFinder, openParser } from './faces.ts';
import { type DubProgress, type DubStage, StageClock } from './progress.ts';
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
  const { signal } = run;
  const clock = new StageClock(run.onProgress);
  const warnings: string[] = [];
  const warn = (warning: string) => {
    warnings.push(warning);
    run.onWarning?.(warning);
  };
  const opened: { close(): Promise<unknown> }[] = [];
  const closing: Closing = (thing) => {
    opened.push(thing);
    return thing;
  };
  let finished = false;

  try {
    outputFormat(options.output);
    // A run that was ended after it wrote its output and before it cleared up may be repeated.
    const overwrite = options.overwrite || (options.resume && (await isResumable(options.output)));
    await checkFree(options.output, overwrite);

    clock.at('open');
    const video = await openVideo(options.video, { fps: options.fps, limits: run.limits, signal });
    const sound = await readSound(options.sound, { limits: run.limits, signal });
    for (const warning of [...video.warnings, ...sound.warnings]) warn(warning);

    clock.at('load');
    const model =
      run.model ?? closing(await openLipModel(options, { parse: await parseOf(options, closing) }));
    signal?.throwIfAborted();

    const lengths: Lengths = { source: video.frameCount, sound: model.framesOf(sound, video.fps) };
    const frameCount = resultLength(options.syncMode, lengths);
    if (frameCount === 0) throw tooShort(sound);
    const plan: Plan = { options, lengths, frameCount };

    const key = await identityOf([options.video, options.sound, options.coords, options.parsing], {
      ...{ model: model.key, options: comparable(options), lengths },
    });
    const work = await openWorkFolder(
      options.output,
      options.resume ? { resume: true, key } : { resume: false, key },
    );
    opened.push({ close: () => work.close(finished) });

    const faces = await facesOf(run, options, model.landmarks, closing);
    const avatar = closing(
      await prepareAvatar(model, video, {
        folder: join(work.path, 'avatar'),
        frameCount: framesShown(options.syncMode, lengths),
        faces,
        find: {
          choice: faceChoice(options.face),
          detectEvery: options.compat === 'upstream' ? 1 : options.detectEvery,
        },
        batchSize: options.batchSize,
        key,
        onCoords:
          options.saveCoords === undefined ? undefined : (coords) => writeCoords(options.saveCoords!, coords),
        onProgress: ({ stage, done, total }) => clock.at(stage, done, total),
        signal,
      }),
    );
    for (const warning of [...avatar.warnings, ...restWarnings(options)]) warn(warning);

    const rest = await restOf(sound, video, avatar, plan, signal);
    const framesFrom = async function* (start: number) {
      const steps = stepsOf({ model, video, sound, rest, plan, signal }, start);
      const { batchSize, sideBySide } = options;
      for await (const spoken of speak(model, avatar, steps, {
        batchSize,
        keepOriginals: sideBySide,
        signal,
      })) {
        yield pictureOf(spoken);
        clock.at('draw', spoken.index + 1, frameCount);
      }
      clock.at('write');
    };
    const written = await writeResult(options.output, framesFrom, {
      ...{ fps: video.fps, width: video.width * (options.sideBySide ? 2 : 1), height: video.height },
      ...{ pixelAspect: video.pixelAspect, color: video.color, crf: options.crf, preset: options.preset },
      ...{
        sound: options.sound,
        overwrite: options.overwrite,
        frameCount,
        batchSize: options.batchSize,
        signal,
      },
      framesFolder: options.frames,
      segmentsFolder: options.resume ? join(work.path, 'segments') : undefined,
    });
    clock.end();
    finished = true;
    return {
      output: written.path,
      model: model.name,
      frameCount,
      duration: written.duration,
      sourceFrames: avatar.frameCount,
      withoutFace: avatar.frameCount - avatar.faceCount,
      seconds: clock.seconds,
      warnings,
    };
  } finally {
    for (const thing of opened.reverse()) await thing.close();
  }
}

interface Plan {
  readonly options: DubOptions;
  readonly lengths: Lengths;
  readonly frameCount: number;
}

type Closing = <T extends { close(): Promise<unknown> }>(thing: T) => T;

/** Class maps from a folder, or a network that makes them, where it is there. */
async function parseOf(options: DubOptions, closing: Closing): Promise<Parse | undefined> {
  if (options.parsing !== undefined) return parsingFolder(options.parsing);
  const parser = await openParser(options);
  return parser && closing(parser).parse;
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

/** How the mouth of each frame rests in silence. */
async function restOf(
  sound: SoundSource,
  video: VideoSource,
  avatar: Avatar,
  { options, lengths, frameCount }: Plan,
  signal: AbortSignal | undefined,
): Promise<RestPlan> {
  const weights = new Float32Array(frameCount);
  if (options.silence !== 'model') {
    let frame = 0;
    for await (const weight of closedMouth(sound.samples(), { fps: video.fps })) {
      if (frame === frameCount) break;
      signal?.throwIfAborted();
      weights[frame++] = weight;
    }
  }
  return restPlan(weights, {
    mode: options.silence,
    sourceOf: (frame) => sourceFrame(options.syncMode, frame, lengths),
    sourceCount: avatar.frameCount,
    opening: avatar.opening,
  });
}

interface StepParts {
  readonly model: LipModel;
  readonly video: VideoSource;
  readonly sound: SoundSource;
  readonly rest: RestPlan;
  readonly plan: Plan;
  readonly signal: AbortSignal | undefined;
}

/** What goes into each frame of the result, from `start` on. */
async function* stepsOf(
  { model, video, sound, rest, plan, signal }: StepParts,
  start: number,
): AsyncGenerator<Step> {
  const { options, lengths, frameCount } = plan;
  function* order() {
    for (let index = start; index < frameCount; index++) yield sourceFrame(options.syncMode, index, lengths);
  }
  const heard = model.conditions(sound, { fps: video.fps, frames: frameCount, signal });
  let index = start;
  for await (const [frame, condition] of zip(framesInOrder(video, order()), skip(heard, start))) {
    yield { index, frame, condition, rest: rest.weights[index]!, donor: rest.donors[index]! };
    index++;
  }
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

function tooShort({ path, duration }: SoundSource): MuseTalkError {
  return new MuseTalkError('NO_SOUND', `${path} lasts ${duration.toFixed(3)} s: less than half a frame`, {
    hint: 'Give a sound with speech in it.',
    facts: { path, duration },
  });
}
