/** Makes training data of a folder of videos. Videos that are done are left alone, so a run can be taken up again. */
import { readdir, stat } from 'node:fs/promises';
import { dirname, extname, join, parse, relative, resolve, sep } from 'node:path';
import { MuseTalkError } from '../../core/errors.ts';
import { type FaceModels, loadFaceModels } from '../../face/models.ts';
import { type OpeningEars, openEars } from '../../lips/heard-opening.ts';
import type { PrepareSettings } from '../../options/train.ts';
import { withFolder } from '../folder-lock.ts';
import { prepareVideo } from './prepare-video.ts';
import { appendToIndex, readIndex, type VideoEntry } from './prepared.ts';

/** Who hears of the progress, and who may stop it. */
export interface PrepareRun {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { done: number; total: number; video: string }) => void) | undefined;
  /** A video, or a part of it, that was left out, and why. */
  readonly onSkipped?: ((video: string, reason: string) => void) | undefined;
}

/** What the folder holds after a run. */
export interface PrepareReport {
  readonly data: string;
  readonly videos: number;
  readonly clips: number;
  readonly seconds: number;
  readonly speakers: number;
  readonly skipped: readonly { readonly video: string; readonly reason: string }[];
}

const VIDEOS = /^\.(?:mp4|m4v|mov|mkv|webm|avi|mpe?g|ts|mts|m2ts|wmv|flv|3gp|ogv)$/i;

/**
 * Prepares every video under a folder, or one video.
 *
 * @throws MuseTalkError NOT_FOUND when there is no video, NO_FACE when none could be used, CONFLICT when another
 *   run writes into the same folder, CANNOT_WRITE.
 */
export async function prepareData(
  source: string,
  data: string,
  settings: PrepareSettings,
  run: PrepareRun = {},
): Promise<PrepareReport> {
  const videos = await videosIn(resolve(source));
  return withFolder(data, () => prepareAll(videos, data, settings, run));
}

async function prepareAll(
  videos: readonly Named[],
  data: string,
  settings: PrepareSettings,
  { signal, onProgress, onSkipped }: PrepareRun,
): Promise<PrepareReport> {
  const { videos: known } = await readIndex(data);
  let models: FaceModels | undefined;
  let ears: OpeningEars | undefined;
  try {
    for (const [done, { video, name, speaker }] of videos.entries()) {
      onProgress?.({ done, total: videos.length, video });
      const { size, mtimeMs: modified } = await stat(video);
      const before = known.get(video);
      if (
        before &&
        before.size === size &&
        before.modified === modified &&
        !(before.skipped && settings.retry)
      )
        continue;
      models ??= await loadFaceModels();
      ears ??= await openEars();
      const facts = { video, size, modified };
      try {
        const { clips, left } = await prepareVideo(
          { video, name, speaker, data },
          { models, ears, settings, signal },
        );
        for (const reason of left) onSkipped?.(video, reason);
        await appendToIndex(data, [...clips, { ...facts, clips: clips.map(({ clip }) => clip) }]);
      } catch (error) {
        if (signal?.aborted || !isOfVideo(error)) throw error;
        onSkipped?.(video, error.message);
        await appendToIndex(data, [{ ...facts, skipped: error.message, code: error.code }]);
      }
    }
  } finally {
    await models?.close();
    await ears?.close();
  }
  onProgress?.({ done: videos.length, total: videos.length, video: '' });
  return reportOf(data, new Set(videos.map(({ video }) => video)));
}

/** Faults that lie in one video; a full disk or a broken installation would meet the next one too. */
function isOfVideo(error: unknown): error is MuseTalkError {
  return error instanceof MuseTalkError && !['CANNOT_WRITE', 'MODEL_MISSING', 'ENGINE'].includes(error.code);
}

async function reportOf(data: string, asked: ReadonlySet<string>): Promise<PrepareReport> {
  const { clips, videos } = await readIndex(data);
  const mine = clips.filter(({ video }) => asked.has(video));
  const skipped = [...videos.values()].flatMap(({ video, skipped: reason }: VideoEntry) =>
    reason !== undefined && asked.has(video) ? [{ video, reason }] : [],
  );
  if (mine.length === 0) {
    throw new MuseTalkError('NO_FACE', `none of ${asked.size} videos can be learned from`, {
      hint: skipped[0] ? `The first of them: ${skipped[0].reason}` : 'Give videos that show one face.',
      facts: { skipped },
    });
  }
  return {
    data,
    videos: asked.size,
    clips: mine.length,
    seconds: mine.reduce((sum, { frames }) => sum + frames, 0) / 25,
    speakers: new Set(mine.map(({ speaker }) => speaker)).size,
    skipped,
  };
}

interface Named {
  readonly video: string;
  readonly name: string;
  readonly speaker: string;
}

/** Videos under a folder with names for their clips. Who speaks is the folder's name, or the file's own. */
async function videosIn(source: string): Promise<Named[]> {
  const found = await stat(source).catch((cause) => {
    throw new MuseTalkError('NOT_FOUND', `there is no ${source}`, {
      hint: 'Name a folder with videos, or a video.',
      cause,
    });
  });
  const root = found.isDirectory() ? source : dirname(source);
  const files = found.isDirectory()
    ? (await readdir(source, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile() && VIDEOS.test(extname(entry.name)))
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
    : [source];
  if (files.length === 0) {
    throw new MuseTalkError('NOT_FOUND', `there is no video in ${source}`, {
      hint: 'Videos are told by their endings, such as .mp4, .mov, .mkv, .webm, .avi, .mpg.',
    });
  }
  const stems = files.map((file) => stemOf(relative(root, file)));
  return files.map((video, i) => {
    const taken = stems.filter((stem) => stem === stems[i]).length > 1;
    const name = taken ? `${stems[i]}${extname(video).replace('.', '-')}` : stems[i]!;
    const folder = dirname(relative(root, video));
    return { video, name, speaker: folder === '.' ? parse(video).name : folder.split(sep).join('/') };
  });
}

/** `s1/b a.mp4` → `s1-b_a` */
function stemOf(path: string): string {
  const { dir, name } = parse(path);
  return [...dir.split(sep).filter(Boolean), name].join('-').replace(/[^\p{L}\p{N}._-]/gu, '_');
}
