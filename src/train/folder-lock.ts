/** Keeps a folder to one run at a time. */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';

const LOCK = 'in-use.json';

/** Folders of this process, which a lock's number of a process cannot tell apart. */
const mine = new Set<string>();

/** Who writes into a folder. */
interface Owner {
  readonly process: number;
  readonly host: string;
  readonly since: string;
}

/**
 * Runs `work` while no other run may write into the folder, which is made where there is none. A lock that a killed
 * process left behind does not count.
 *
 * @throws MuseTalkError CONFLICT when another run holds the folder, CANNOT_WRITE; what `work` throws.
 */
export async function withFolder<R>(folder: string, work: () => Promise<R>): Promise<R> {
  const key = resolve(folder);
  const path = join(key, LOCK);
  if (mine.has(key)) throw held(folder, path);
  mine.add(key);
  try {
    await takeLock(folder, path);
    try {
      return await work();
    } finally {
      await rm(path, { force: true });
    }
  } finally {
    mine.delete(key);
  }
}

async function takeLock(folder: string, path: string): Promise<void> {
  const owner: Owner = { process: process.pid, host: hostname(), since: new Date().toISOString() };
  for (let attempt = 0; attempt < 2; attempt++) {
    if (await created(folder, path, owner)) return;
    const text = await readFile(path, 'utf8').catch(() => '');
    if (isAlive(text)) throw held(folder, path, text);
    await discard(path, text);
  }
  throw held(folder, path);
}

async function created(folder: string, path: string, owner: Owner): Promise<boolean> {
  try {
    await mkdir(folder, { recursive: true });
    const file = await open(path, 'wx');
    await file.writeFile(JSON.stringify(owner)).finally(() => file.close());
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new MuseTalkError('CANNOT_WRITE', `${folder} cannot be written to`, {
      hint: 'Name a folder that can be written.',
      facts: { folder },
      cause,
    });
  }
}

/** Removes the lock that was read, and no newer one that another process has put in its place. */
async function discard(path: string, text: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  await rename(path, aside).catch(() => undefined);
  const moved = await readFile(aside, 'utf8').catch(() => text);
  if (moved === text) await rm(aside, { force: true });
  else await rename(aside, path);
}

/** Whether its process runs, as far as can be told: one on another machine may. */
function isAlive(text: string): boolean {
  const owner = parsed(text);
  if (owner === undefined) return false;
  if (owner.host !== hostname()) return true;
  if (owner.process === process.pid) return false;
  try {
    process.kill(owner.process, 0);
    return true;
  } catch (error) {
    // A process of another user runs as well.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function parsed(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<Owner>;
    return typeof owner.process === 'number' && typeof owner.host === 'string' ? (owner as Owner) : undefined;
  } catch {
    return undefined;
  }
}

function held(folder: string, path: string, text = ''): MuseTalkError {
  const owner = parsed(text);
  const who = owner ? ` (process ${owner.process} on ${owner.host}, since ${owner.since})` : '';
  return new MuseTalkError('CONFLICT', `another run writes into ${folder}${who}`, {
    hint: `Wait until it has ended or give another folder with -o. If nothing runs, remove ${path}.`,
    facts: { folder, ...owner },
  });
}
