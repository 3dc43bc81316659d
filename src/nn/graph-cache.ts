/**
 * Graphs whose weights stay in their own files. A 3.4 GB UNet must neither be read into this process nor be
 * copied: the graph is written into a cache folder and points, by ONNX's external data, at the bytes of the
 * checkpoint where they lie. ONNX Runtime only follows names inside the graph's own folder and no symbolic
 * links, so each file of weights gets a hard link there; where the file system forbids that (another disk) the
 * graph is put beside the weights, and where that folder is read-only the weights are copied once.
 *
 * An entry is named after a hash of the graph and of its weight files' contents. It is made under another name
 * and renamed into place, so two processes at once or one that is killed leave nothing half-written.
 */
import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, copyFile, link, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';
import type { OnnxModel } from './onnx-writer.ts';
import { leavesOf, writeOnnx } from './onnx-writer.ts';
import type { Value } from './value.ts';
import { nodesOf } from './value.ts';

/** A graph as the engine takes it: in memory, or at a place on disk where it points at weights in their files. */
export interface StoredGraph {
  readonly model: OnnxModel;
  /** The written graph, or `undefined` when the model is whole in memory. */
  readonly path: string | undefined;
}

/**
 * The ONNX model of `outputs`, written to disk if some of its weights lie in files.
 *
 * @throws MuseTalkError CANNOT_WRITE when neither the cache folder nor the weights' folder can be written.
 */
export async function storeGraph(
  outputs: Readonly<Record<string, Value>>,
  cacheFolder: string | undefined,
): Promise<StoredGraph> {
  const loaded = await loadConstants(outputs);
  const files = weightFiles(loaded);
  if (files.length === 0) return { model: writeOnnx(loaded), path: undefined };
  if (cacheFolder === undefined) {
    throw new MuseTalkError('GRAPH', 'a graph with weights in files needs a cache folder');
  }
  const names = new Map(files.map((file, i) => [file, `weights-${i}.bin`]));
  const model = writeOnnx(loaded, { locate: (file) => names.get(resolve(file.path))! });
  const key = await hashOf(model.bytes, files);
  const entry = join(cacheFolder, `graph-${key}`);
  const path = join(entry, 'model.onnx');
  if (await exists(path)) return { model, path };
  await mkdir(cacheFolder, { recursive: true }).catch(cannotWrite(cacheFolder));
  await prune(cacheFolder);
  const made = await make(entry, model, names);
  if (made) return { model, path };
  const beside = await makeBeside(key, loaded, files);
  if (beside) return beside;
  await make(entry, model, names, { copy: true });
  return { model, path };
}

/** Fetches every constant that is neither in memory nor in a file in a form that ONNX can read. */
async function loadConstants(
  outputs: Readonly<Record<string, Value>>,
): Promise<Readonly<Record<string, Value>>> {
  const values = Object.values(outputs);
  for (const leaf of leavesOf(nodesOf(values), values)) {
    if (leaf.source.kind !== 'constant' || !('load' in leaf.source.data)) continue;
    const tensor = await leaf.source.data.load();
    // The one place where a value changes: its numbers were promised and are now here.
    Object.assign(leaf.source, { data: { tensor } });
  }
  return outputs;
}

function weightFiles(outputs: Readonly<Record<string, Value>>): string[] {
  const values = Object.values(outputs);
  const files = new Set<string>();
  for (const leaf of leavesOf(nodesOf(values), values)) {
    if (leaf.source.kind === 'constant' && 'file' in leaf.source.data) {
      files.add(resolve(leaf.source.data.file.path));
    }
  }
  return [...files];
}

/** Makes the entry; `false` when the weights cannot be linked into it. */
async function make(
  entry: string,
  model: OnnxModel,
  names: ReadonlyMap<string, string>,
  { copy = false } = {},
): Promise<boolean> {
  const temporary = `${entry}.${process.pid}-${randomUUID()}.tmp`;
  try {
    await mkdir(temporary, { recursive: true });
    for (const [file, name] of names) {
      if (copy) await copyFile(file, join(temporary, name), constants.COPYFILE_FICLONE);
      else await link(file, join(temporary, name));
    }
    if (copy) await writeFile(join(temporary, COPIED), '');
    await writeSynced(join(temporary, 'model.onnx'), model.bytes);
    await rename(temporary, entry);
    return true;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    if (await exists(join(entry, 'model.onnx'))) return true; // another process was faster
    if (copy) throw cannotWriteError(entry, error);
    return false;
  }
}

/** A graph in the weights' own folder, for weights on another disk than the cache. */
async function makeBeside(
  key: string,
  outputs: Readonly<Record<string, Value>>,
  files: readonly string[],
): Promise<StoredGraph | undefined> {
  const folder = dirname(files[0]!);
  if (files.some((file) => dirname(file) !== folder)) return undefined;
  const model = writeOnnx(outputs, { locate: (file) => file.path.slice(folder.length + 1) });
  const path = join(folder, `.musetalk-${key}.onnx`);
  if (await exists(path)) return { model, path };
  const temporary = `${path}.${process.pid}-${randomUUID()}.tmp`;
  try {
    await access(folder, constants.W_OK);
    await writeSynced(temporary, model.bytes);
    await rename(temporary, path);
    return { model, path };
  } catch {
    await rm(temporary, { force: true });
    return undefined;
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Names a graph by what it computes. Hashing gigabytes at each start would take longer than loading them, so a
 * file of weights counts by its size, its time of change and samples of its bytes.
 */
async function hashOf(model: Uint8Array, files: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(model);
  for (const path of files) {
    const { size, mtimeMs } = await stat(path);
    hash.update(`${size} ${mtimeMs}`);
    const file = await open(path, 'r');
    try {
      const block = Buffer.alloc(Math.min(size, 65536));
      for (let i = 0; i < 16; i++) {
        const at = Math.floor(((size - block.length) * i) / 15);
        const { bytesRead } = await file.read(block, 0, block.length, at);
        hash.update(block.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  }
  return hash.digest('hex').slice(0, 24);
}

/** Marks an entry that holds the only copy of its weights. */
const COPIED = 'copied';

const DAY = 24 * 3600 * 1000;

/** Removes what killed processes left, and entries whose weights were deleted and live on by our link alone. */
async function prune(cacheFolder: string): Promise<void> {
  for (const name of await readdir(cacheFolder)) {
    if (!name.startsWith('graph-')) continue;
    const entry = join(cacheFolder, name);
    const { mtimeMs } = await stat(entry).catch(() => ({ mtimeMs: Date.now() }));
    const stale = name.endsWith('.tmp') && Date.now() - mtimeMs > DAY;
    if (stale || (await isOrphan(entry))) await rm(entry, { recursive: true, force: true });
  }
}

async function isOrphan(entry: string): Promise<boolean> {
  if (entry.endsWith('.tmp') || (await exists(join(entry, COPIED)))) return false;
  const link = await stat(join(entry, 'weights-0.bin')).catch(() => undefined);
  return link !== undefined && link.nlink === 1;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function cannotWrite(path: string): (cause: unknown) => never {
  return (cause) => {
    throw cannotWriteError(path, cause);
  };
}

function cannotWriteError(path: string, cause: unknown): MuseTalkError {
  return new MuseTalkError('CANNOT_WRITE', `cannot write ${path}`, {
    hint: 'Free some space, or choose another folder with MUSETALK_CACHE.',
    cause,
  });
}
