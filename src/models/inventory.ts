/** Says which files of the manifest are on this machine, and whether they are the published ones. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  leastBytes,
  MODEL_SETS,
  type ModelSet,
  NETWORKS,
  type Network,
  type NetworkFile,
  networkOf,
} from './manifest.ts';

/**
 * - `present`: there, and as large as published
 * - `other`: there under an accepted name or in another size, so that only loading it will tell
 * - `partial`: a download that was interrupted
 * - `missing`
 */
type FileState = 'present' | 'other' | 'partial' | 'missing';

/** A file of the manifest as it was found. */
export interface FoundFile {
  readonly file: NetworkFile;
  readonly state: FileState;
  /** Where it lies, or would lie. */
  readonly path: string;
  /** Bytes that are there: of the file, or of its unfinished download. */
  readonly bytes: number;
}

/** A network as it was found. */
export interface FoundNetwork {
  readonly network: Network;
  readonly files: readonly FoundFile[];
  /** Every file that it needs is there. */
  readonly ready: boolean;
}

/** A name of a model, and what it lacks. */
interface FoundSet {
  readonly set: ModelSet;
  readonly ready: boolean;
  /** Files that it needs and that are not there, by their paths under the folder. */
  readonly missing: readonly string[];
}

/** What is in a models folder; an absent folder holds nothing. */
export interface Inventory {
  readonly folder: string;
  readonly networks: readonly FoundNetwork[];
  readonly sets: readonly FoundSet[];
}

/** Where an unfinished download of a file lies. */
export function partOf(path: string): string {
  return `${path}.part`;
}

/** Looks at names and sizes; reads no contents. */
export async function takeInventory(folder: string): Promise<Inventory> {
  const networks = await Promise.all(NETWORKS.map((network) => findNetwork(folder, network)));
  const byName = new Map(networks.map((found) => [found.network.name, found]));
  const sets = MODEL_SETS.map((set) => {
    const needed = set.needs.map((name) => byName.get(networkOf(name).name)!);
    const missing = needed.flatMap(({ files }) => files.filter(isLacking).map(({ file }) => file.path));
    return { set, ready: missing.length === 0, missing };
  });
  return { folder, networks, sets };
}

/** The files of one network. */
export async function findNetwork(folder: string, network: Network): Promise<FoundNetwork> {
  const files = await Promise.all(network.files.map((file) => findFile(folder, file)));
  return { network, files, ready: !files.some(isLacking) };
}

function isLacking({ file, state }: FoundFile): boolean {
  return !file.optional && (state === 'missing' || state === 'partial');
}

async function findFile(folder: string, file: NetworkFile): Promise<FoundFile> {
  const path = join(folder, file.path);
  const bytes = await sizeOf(path);
  if (bytes !== undefined) return { file, path, bytes, state: hasItsSize(file, bytes) ? 'present' : 'other' };
  for (const name of file.also ?? []) {
    const other = join(folder, name);
    const otherBytes = await sizeOf(other);
    if (otherBytes !== undefined) return { file, path: other, bytes: otherBytes, state: 'other' };
  }
  const begun = await sizeOf(partOf(path));
  return { file, path, bytes: begun ?? 0, state: begun === undefined ? 'missing' : 'partial' };
}

function hasItsSize(file: NetworkFile, bytes: number): boolean {
  return typeof file.bytes === 'number' ? bytes === file.bytes : bytes >= leastBytes(file);
}

/** Bytes of a file; undefined where there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
}

/** What reading a file to its end says: `unknown` where the manifest has no hash to compare with. */
type Verdict = 'right' | 'wrong' | 'unknown';

/** A file with its SHA-256 and what that says. */
export interface VerifiedFile extends FoundFile {
  readonly sha256: string;
  readonly verdict: Verdict;
}

/** Who hears of the progress of a check, and who may stop it. */
export interface VerifyOptions {
  readonly onProgress?: ((progress: { path: string; done: number; total: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Reads the files of a network that are there, and compares each with the published hash. */
export async function* verifyNetwork(
  { files }: FoundNetwork,
  { onProgress, signal }: VerifyOptions = {},
): AsyncGenerator<VerifiedFile> {
  for (const found of files) {
    if (found.state === 'missing' || found.state === 'partial') continue;
    const { file, path, bytes: total } = found;
    const sha256 = await hashOf(path, { signal, onBytes: (done) => onProgress?.({ path, done, total }) });
    // Another name means another file format: its hash cannot be the published one.
    const known = file.sha256 !== undefined && path.endsWith(join(file.path));
    yield { ...found, sha256, verdict: !known ? 'unknown' : sha256 === file.sha256 ? 'right' : 'wrong' };
  }
}

/** SHA-256 of a file in hexadecimal. */
export async function hashOf(
  path: string,
  { signal, onBytes }: { signal?: AbortSignal | undefined; onBytes?: (done: number) => void } = {},
): Promise<string> {
  const hash = createHash('sha256');
  let done = 0;
  for await (const chunk of createReadStream(path, {
    highWaterMark: 2 ** 20,
    signal,
  }) as AsyncIterable<Buffer>) {
    signal?.throwIfAborted();
    hash.update(chunk);
    done += chunk.length;
    onBytes?.(done);
  }
  return hash.digest('hex');
}
