import { cacheFolder } from '../nn/folders.ts';
import type { DubSettings } from '../options/dub.ts';
import type { LipModel } from './lip-model.ts';
import { openMini } from './mini.ts';
import { bundledMini, isMini } from './mini-networks.ts';
import { locateMuseTalk, versionsIn } from './model-store.ts';
import { openMuseTalk, type Parse } from './musetalk.ts';

/** The options that choose a lip model and shape what it does. */
export type ModelSettings = Pick<
  DubSettings,
  | 'model'
  | 'models'
  | 'version'
  | 'decoder'
  | 'latents'
  | 'seed'
  | 'compat'
  | 'bboxShift'
  | 'extraMargin'
  | 'parsingMode'
  | 'leftCheekWidth'
  | 'rightCheekWidth'
  | 'audioPaddingLengthLeft'
  | 'audioPaddingLengthRight'
  | 'threads'
>;

/** What a caller may put in place of the model's own parts. */
export interface OpenModelOptions {
  /** Gives what parses faces; asked only by models that have a use for it. */
  readonly openParse?: (() => Promise<Parse | undefined>) | undefined;
  /** Part of the face over which the mask is blurred; the model's own by default. */
  readonly blur?: number | undefined;
  /** Where derived graphs are kept; the user's cache folder by default. */
  readonly cacheFolder?: string | undefined;
}

/**
 * Loads the lip model that the options name.
 *
 * @throws MuseTalkError MODEL_MISSING with the list of files that are not there, NOT_FOUND, BAD_WEIGHTS, WRONG_FILE.
 */
export async function openLipModel(
  settings: ModelSettings,
  options: OpenModelOptions = {},
): Promise<LipModel> {
  const name = await modelName(settings);
  const { models, decoder, threads } = settings;
  if (name === 'mini') return openMini(bundledMini(), { threads });
  if (await isMini(name)) return openMini(name, { threads });
  const files = await locateMuseTalk({ model: name, models, tiny: decoder === 'taesd' });
  const { audioPaddingLengthLeft, audioPaddingLengthRight, ...rest } = settings;
  const { openParse, blur } = options;
  return openMuseTalk(files, {
    ...rest,
    parse: await openParse?.(),
    blur,
    audioPaddingLeft: audioPaddingLengthLeft,
    audioPaddingRight: audioPaddingLengthRight,
    cacheFolder: options.cacheFolder ?? cacheFolder(),
  });
}

/** What a finder must see for the model that the options name, before that is loaded. */
export async function landmarksFor(settings: ModelSettings): Promise<LipModel['landmarks']> {
  const name = await modelName(settings);
  return name === 'mini' || (await isMini(name)) ? 'mesh' : 'points';
}

/**
 * The model that is meant: the one that is named, else the one of upstream's `--version`, else the best one in the
 * models folder, else mini, which is always there.
 */
export async function modelName({
  model,
  version,
  models,
}: Pick<ModelSettings, 'model' | 'version' | 'models'>): Promise<string> {
  if (model !== 'auto') return model;
  if (version) return version === 'v1' || version === '1.0' ? 'musetalk-1.0' : 'musetalk-1.5';
  const [best] = await versionsIn(models);
  if (best) return `musetalk-${best}`;
  // A folder that was named must hold something; its absence is told by whoever looks for the files.
  return models === undefined ? 'mini' : 'musetalk-1.5';
}
