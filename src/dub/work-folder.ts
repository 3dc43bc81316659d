/** Where a dub keeps what it has done so far: beside its output, where there is room for the result as well. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { cannotWrite } from '../media/output.ts';

/** The folder of one dub, for what is not the result. */
export interface WorkFolder {
  readonly path: string;
  /** Removes it; with `resume` only when the dub is `finished`. */
  close(finished: boolean): Promise<void>;
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
      const path = await mkdtemp(join(dirname(resolve(output)), `.${basename(output)}-`));
      return { path, close: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
    }
    const path = resumeFolder(resolve(output));
    const known = await readFile(join(path, 'key'), 'utf8').catch(() => undefined);
    if (known !== key) {
      await rm(path, { recursive: true, force: true });
      await mkdir(path);
      await writeFile(join(path, 'key'), key);
    }
    return {
      path,
      close: async (finished) => {
        if (finished) await rm(path, { recursive: true, force: true, maxRetries: 3 });
      },
    };
  } catch (cause) {
    throw cannotWrite(output, cause);
  }
}

/** Names inputs by size and time of change, folders by those of their files, and values as they are. */
export async function identityOf(paths: readonly (string | undefined)[], values: unknown): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(values));
  for (const path of paths) hash.update(path === undefined ? '-' : await describe(path));
  return hash.digest('hex');
}

async function describe(path: string): Promise<string> {
  const found = await stat(path);
  if (!found.isDirectory()) return `${resolve(path)} ${found.size} ${found.mtimeMs}\n`;
  const names = (await readdir(path)).sort();
  const files = await Promise.all(names.map(async (name) => ({ name, ...(await stat(join(path, name))) })));
  return files.map(({ name, size, mtimeMs }) => `${resolve(path)} ${name} ${size} ${mtimeMs}\n`).join('');
}
