/** Where a dub keeps what it has done so far: beside its output, where there is room for the result as well. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { cannotWrite } from '../media/output.ts';

/** The folder of one dub, for what is not the result. */
export interface WorkFolder {
  readonly path: string;
  /** Says that nothing of it is needed any more. */
  finish(): void;
  /** Removes it; a folder that can be resumed only when the work is finished. */
  close(): Promise<void>;
}

/** Name of the folder of a dub that can be resumed. */
export function resumeFolder(output: string): string {
  return `${output}.resume`;
}

/** Whether an earlier run on `output` left its work. */
export async function isResumable(output: string): Promise<boolean> {
  return stat(resumeFolder(output)).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/**
 * A folder for the work on `output`. With `resume` it is always the same one, and what lies there from an earlier
 * run is kept if that run had the same `key`.
 *
 * @throws MuseTalkError CANNOT_WRITE.
 */
export async function openWorkFolder(
  output: string,
  { resume, key }: { resume: boolean; key: string },
): Promise<WorkFolder> {
  try {
    if (!resume) {
      return workFolder(await mkdtemp(join(dirname(resolve(output)), `.${basename(output)}-`)), {
        keep: false,
      });
    }
    const path = resumeFolder(resolve(output));
    const known = await readFile(join(path, 'key'), 'utf8').catch(() => undefined);
    if (known !== key) {
      await rm(path, { recursive: true, force: true });
      await mkdir(path);
      await writeFile(join(path, 'key'), key);
    }
    return workFolder(path, { keep: true });
  } catch (cause) {
    throw cannotWrite(output, cause);
  }
}

function workFolder(path: string, { keep }: { keep: boolean }): WorkFolder {
  let kept = keep;
  return {
    path,
    finish: () => {
      kept = false;
    },
    close: async () => {
      if (!kept) await rm(path, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Names inputs by size and time of change, folders by those of their files, and values as they are. */
export async function identityOf(paths: readonly (string | undefined)[], values: unknown): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(values));
  for (const path of paths) hash.update(path === undefined ? '-' : await describe(path));
  return hash.digest('hex');
}

/** A path that cannot be read is told by whoever needs it. */
async function describe(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return `${resolve(path)} -\n`;
  if (!found.isDirectory()) return `${resolve(path)} ${found.size} ${found.mtimeMs}\n`;
  const names = (await readdir(path)).sort();
  const files = await Promise.all(names.map(async (name) => ({ name, ...(await stat(join(path, name))) })));
  return files.map(({ name, size, mtimeMs }) => `${resolve(path)} ${name} ${size} ${mtimeMs}\n`).join('');
}
