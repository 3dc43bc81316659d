import { MuseTalkError } from '../core/errors.ts';
import { builtinFinder } from '../face/builtin.ts';
import type { FaceChoice, FaceFinder } from '../face/finder.ts';
import { loadFaceModels } from '../face/models.ts';
import type { DubSettings } from '../options/dub.ts';

/** Which face the words of `--face` mean. */
export function faceChoice(words: string): FaceChoice {
  if (words === 'largest' || words === 'left' || words === 'right') return words;
  const [x, y] = words.split(',').map(Number);
  return y === undefined ? x! : { x: x!, y };
}

/**
 * What finds faces, by `--face-model`.
 *
 * @throws MuseTalkError MODEL_MISSING.
 */
export async function openFinder({
  faceModel,
}: Pick<DubSettings, 'faceModel' | 'models'>): Promise<FaceFinder> {
  if (faceModel !== 'official') return builtinFinder(await loadFaceModels());
  throw new MuseTalkError('MODEL_MISSING', 'the official face networks are not there', {});
}
