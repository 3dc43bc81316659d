/** The networks that look at faces, as the options of a dub name them. */
import { MuseTalkError } from '../core/errors.ts';
import { builtinFinder } from '../face/builtin.ts';
import type { FaceChoice, FaceFinder } from '../face/finder.ts';
import { loadFaceModels } from '../face/models.ts';
import { officialFinder } from '../face/official.ts';
import { loadOfficialFaces, locateOfficialFaces } from '../face/official-models.ts';
import { type FaceParser, loadFaceParser } from '../face/parse.ts';
import type { LipModel } from '../lips/lip-model.ts';
import { modelsFolderOf } from '../lips/model-store.ts';
import { cacheFolder } from '../nn/folders.ts';
import type { DubSettings } from '../options/dub.ts';

/** Which face the words of `--face` mean. */
export function faceChoice(words: string): FaceChoice {
  if (words === 'largest' || words === 'left' || words === 'right' || words === 'speaking') return words;
  const [x, y, frame] = words.split(/[,@]/).map(Number);
  return y === undefined ? x! : { x: x!, y, frame };
}

type FaceSettings = Pick<DubSettings, 'faceModel' | 'model' | 'models' | 'compat' | 'threads'>;

/**
 * What finds faces, by `--face-model`: upstream's networks where they are there or must be, else the built-in ones;
 * always these where the lip model needs the whole `mesh`.
 *
 * @throws MuseTalkError MODEL_MISSING, or as the networks' files.
 */
export async function openFinder(
  settings: FaceSettings,
  landmarks: LipModel['landmarks'] = 'points',
): Promise<FaceFinder> {
  const { faceModel, compat } = settings;
  if (landmarks === 'mesh' && faceModel === 'official') {
    throw new MuseTalkError('BAD_OPTION', 'mini needs the mesh of the built-in face finder', {
      hint: 'Leave out --face-model official, or choose an official model.',
    });
  }
  if (faceModel === 'builtin' || landmarks === 'mesh') return builtinFinder(await loadFaceModels());
  const folder = await modelsFolderOf(settings);
  const { s3fd, rtmpose } = await locateOfficialFaces(folder);
  if (s3fd !== undefined && rtmpose !== undefined) {
    return officialFinder(await loadOfficialFaces({ s3fd, rtmpose }, loadingOf(settings)), { compat });
  }
  if (faceModel === 'auto') return builtinFinder(await loadFaceModels());
  const missing = [
    s3fd ? [] : ['s3fd/s3fd-619a316812.pth'],
    rtmpose ? [] : ['dwpose/dw-ll_ucoco_384.pth'],
  ].flat();
  throw new MuseTalkError(
    'MODEL_MISSING',
    `the official face networks are not complete in ${folder}: missing ${missing.join(', ')}`,
    {
      hint: 'Fetch them with "musetalk models pull official-faces", or use --face-model builtin.',
      facts: { folder, missing },
    },
  );
}

/** The network that parses faces, where its file is there and `--face-model` does not exclude it. */
export async function openParser(settings: FaceSettings): Promise<FaceParser | undefined> {
  if (settings.faceModel === 'builtin') return undefined;
  const { bisenet } = await locateOfficialFaces(await modelsFolderOf(settings));
  return bisenet === undefined ? undefined : loadFaceParser(bisenet, loadingOf(settings));
}

function loadingOf({ threads }: FaceSettings) {
  return { cacheFolder: cacheFolder(), ...(threads !== undefined && { threads }) };
}
