/**
 * Where the service keeps what belongs to whom. Every path is made here, from ids that were made here: nothing that a
 * client wrote becomes a part of a path.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, copyFile, link, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';
import { cannotWrite } from '../media/output.ts';

const ID = /^[0-9a-z]{26}$/;

/** A new id: the time in milliseconds, so that ids sort by age, and 80 random bits. */
export function newId(): string {
  const time = Date.now().toString(36).padStart(10, '0');
  return (
    time +
    BigInt(`0x${randomBytes(10).toString('hex')}`)
      .toString(36)
      .padStart(16, '0')
      .slice(-16)
  );
}

/** Whether a text can be an id; nothing else is ever joined to a path. */
export function isId(text: string): boolean {
  return ID.test(text);
}

/** The folder of the service: the one that is given, else `MUSETALK_DATA`, else one in the user's home. */
export function dataFolder(given?: string): string {
  return given ?? (process.env.MUSETALK_DATA || join(homedir(), '.local', 'share', 'musetalk', 'service'));
}

/** The folders of uploads, jobs and the queue. */
export class Files {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  async make(): Promise<void> {
    try {
      for (const folder of [this.uploads, this.jobs, this.queue])
        await mkdir(folder, { recursive: true, mode: 0o700 });
      await access(this.root, constants.W_OK);
    } catch (cause) {
      throw cannotWrite(this.root, cause);
    }
  }

  get uploads(): string {
    return join(this.root, 'uploads');
  }

  get jobs(): string {
    return join(this.root, 'jobs');
  }

  get queue(): string {
    return join(this.root, 'queue');
  }

  job(id: string): string {
    return join(this.jobs, checked(id));
  }

  upload(id: string): string {
    return join(this.uploads, checked(id));
  }

  /** Gives a file a second name, or copies it where the file system knows no second names. */
  async share(from: string, to: string): Promise<void> {
    await link(from, to).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'EEXIST') throw error;
      await copyFile(from, to, constants.COPYFILE_FICLONE);
    });
  }

  /**
   * The folder in which the attempt with this fence works, at a job or at a part of it. It takes over what the
   * attempt before left, by renaming: a late worker of that attempt then finds no place to write to.
   */
  async openWork(id: string, fence: number, part?: number): Promise<string> {
    const folder = this.job(id);
    const place = (number: number) => join(folder, workName(number, part));
    const own = place(fence);
    const older = (await fencesIn(folder, part)).filter((other) => other < fence);
    const newest = Math.max(...older);
    if (older.length > 0) await rename(place(newest), own).catch(ignoreMissing);
    for (const other of older) await rm(place(other), { recursive: true, force: true });
    await mkdir(own, { recursive: true });
    return own;
  }

  /** Removes a job's folder with all that is in it. */
  async removeJob(id: string): Promise<void> {
    await rm(this.job(id), { recursive: true, force: true, maxRetries: 5 });
  }

  async removeUpload(id: string): Promise<void> {
    for (const ending of ['', '.json', '.part', '.json.part'])
      await rm(`${this.upload(id)}${ending}`, { force: true });
  }
}

/** The name of the folder of an attempt at a job, or at a part of it. */
export function workName(fence: number, part?: number): string {
  return `${part === undefined ? 'work' : `part-${part}`}-${fence}`;
}

/** The numbers of the attempts at a job, or at a part of it, among the names in its folder. */
export function fencesAmong(names: readonly string[], part?: number): number[] {
  const stem = workName(0, part).slice(0, -1);
  const endings = names.flatMap((name) => (name.startsWith(stem) ? name.slice(stem.length) : []));
  return endings.filter((text) => /^\d+$/.test(text)).map(Number);
}

/** The name of an input in its job's folder: the video, then the sounds. */
export function inputName(index: number): string {
  return index === 0 ? 'video' : index === 1 ? 'sound' : `sound-${index}`;
}

/** The folders that the newest attempts at the parts of a job left, in the order of the parts. */
export async function partFolders(folder: string, count: number): Promise<string[]> {
  const folders: string[] = [];
  for (let part = 0; part < count; part++)
    folders.push(join(folder, workName(Math.max(0, ...(await fencesIn(folder, part))), part)));
  return folders;
}

async function fencesIn(folder: string, part: number | undefined): Promise<number[]> {
  return fencesAmong((await readdir(folder).catch(ignoreMissing)) ?? [], part);
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

function checked(id: string): string {
  if (isId(id)) return id;
  throw new MuseTalkError('NOT_FOUND', 'there is nothing under this id', {});
}

/** Bytes of a file; undefined where there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
}
