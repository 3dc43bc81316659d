/** The quality report of a finished dub: measured beside the result, and never a reason for a dub to fail. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deadline } from '../../core/deadline.ts';
import { MuseTalkError } from '../../core/errors.ts';
import { faceChoice } from '../../dub/faces.ts';
import { reportPage } from '../../report/page/page.ts';
import { reportOn } from '../../report/quality-report.ts';
import type { QualityReport } from '../../report/result.ts';
import { inputName } from '../files.ts';
import type { JobRun } from './runner.ts';

/** Attempts at a report after which there will be none: it may be what ended the process. */
const MOST_TRIES = 2;

/** Seconds that a report may take, beside twice what the dub took. */
const LEAST_PATIENCE = 60;

/** What a report is made of. */
export interface ReportOf extends Pick<JobRun, 'folder' | 'work' | 'settings' | 'signal'> {
  /** Name of the video in the attempt's folder. */
  readonly file: string;
  /** Which face was dubbed, in the words of `--face`. */
  readonly face: string | undefined;
  /** Seconds that the dub took. */
  readonly took: number;
  readonly onProgress: JobRun['onProgress'];
  readonly onWarning: JobRun['onWarning'];
}

/**
 * Leaves `report.json` and `report.html` beside the result; gives the verdict, or nothing where none was reached.
 *
 * @throws the signal's reason after an abort, and nothing else.
 */
export async function leaveReport({
  folder,
  work,
  settings,
  signal,
  ...rest
}: ReportOf): Promise<QualityReport['verdict'] | undefined> {
  const { file, face, took, onProgress, onWarning } = rest;
  const { limits, models } = settings;
  const started = performance.now();
  const patience = deadline(1000 * (LEAST_PATIENCE + 2 * took), signal);
  try {
    if (!(await mayTry(join(work, 'report.tries')))) return undefined;
    const found = await reportOn(
      { video: join(work, file), source: join(folder, inputName(0)) },
      {
        ...{ limits, models, signal: patience.signal },
        choice: face === undefined ? undefined : faceChoice(face),
        onProgress: ({ done, total }) =>
          onProgress({ stage: 'report', done, total, elapsed: took + (performance.now() - started) / 1000 }),
      },
    );
    await writeWhole(join(work, 'report.html'), reportPage(found));
    await writeWhole(join(work, 'report.json'), JSON.stringify(found.report));
    return found.report.verdict;
  } catch (error) {
    signal.throwIfAborted();
    const why = error instanceof MuseTalkError ? error.code : (error as Error).name;
    onWarning(`the quality of this dub could not be measured (${why})`);
    return undefined;
  } finally {
    patience.end();
  }
}

/** Counts the tries on disk, so that one that ends the process is known to the next. */
async function mayTry(path: string): Promise<boolean> {
  const before = Number(await readFile(path, 'utf8').catch(() => 0));
  if (before >= MOST_TRIES) return false;
  await writeFile(path, String(before + 1));
  return true;
}

/** Under another name first, so that a report is there whole or not at all. */
async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text);
  await rename(`${path}.part`, path);
}
