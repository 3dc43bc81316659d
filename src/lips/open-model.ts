import { cacheFolder } from '../nn/folders.ts';
import type { DubSettings } from '../options/dub.ts';
import type { LipModel } from './lip-model.ts';
import { locateMuseTalk } from './model-store.ts';
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
  /** What parses faces instead of the model's own way. */
  readonly parse?: Parse | undefined;
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
  const name = nameOf(settings);
  const { models, decoder } = settings;
  const files = await locateMuseTalk({ model: name, models, tiny: decoder === 'taesd' });
  const { audioPaddingLengthLeft, audioPaddingLengthRight, ...rest } = settings;
  return openMuseTalk(files, {
    ...rest,
    ...options,
    audioPaddingLeft: audioPaddingLengthLeft,
    audioPaddingRight: audioPaddingLengthRight,
    cacheFolder: options.cacheFolder ?? cacheFolder(),
  });
}

/** `--version` of upstream chooses the model where `--model` does not. */
function nameOf({ model, version }: Pick<ModelSettings, 'model' | 'version'>): string {
  const byVersion =
    version && (version.startsWith('v') ? version === 'v1' : version === '1.0')
      ? 'musetalk-1.0'
      : 'musetalk-1.5';
  return model === 'auto' ? byVersion : model;
}
