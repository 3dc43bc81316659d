import { parsingFolder } from '../avatar/parsing-folder.ts';
import type { FaceParser } from '../face/parse.ts';
import type { LipModel } from '../lips/lip-model.ts';
import { openLipModel } from '../lips/open-model.ts';
import type { DubSettings } from '../options/dub.ts';
import { openParser } from './faces.ts';

/**
 * The lip model that the settings of a dub name, together with what parses faces for it: maps from a folder, or the
 * network whose file is in the models folder. Both are closed as one.
 *
 * @throws MuseTalkError as `openLipModel`, and NOT_FOUND for a folder without maps.
 */
export async function openDubModel(settings: DubSettings): Promise<LipModel> {
  let parser: FaceParser | undefined;
  const openParse = async () => {
    if (settings.parsing !== undefined) return parsingFolder(settings.parsing);
    parser = await openParser(settings);
    return parser?.parse;
  };
  try {
    const model = await openLipModel(settings, { openParse });
    const close = async () => {
      await Promise.all([model.close(), parser?.close()]);
    };
    return { ...model, close };
  } catch (error) {
    await parser?.close();
    throw error;
  }
}
