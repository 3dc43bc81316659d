import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
let told = false;

/** A file or folder of the shared material, or `undefined` (with one printed line) where there is none. */
export function sharedPath(...parts: string[]): string | undefined {
  const folder = resolve(process.env.MUSETALK_SHARED ?? join(root, '..', 'shared'));
  const path = join(folder, ...parts);
  if (existsSync(path)) return path;
  if (!told) console.log(`skipped: no shared test material at ${parts.join('/')} (set MUSETALK_SHARED)`);
  told = true;
  return undefined;
}

/** A file or folder of the test data that is committed with the project. */
export function fixturePath(...parts: string[]): string {
  return join(root, 'test', 'golden', ...parts);
}

/** A limit on |actual − expected|: `abs + rel × |expected|`; or every element equal. */
export type Tolerance = 'exact' | { abs: number; rel: number };

/** One recorded case: what was run, with which files, and how closely its outputs must be met. */
export interface GoldenCase {
  readonly name: string;
  readonly what: string;
  // biome-ignore lint/suspicious/noExplicitAny: each topic has parameters of its own
  readonly params: Record<string, any>;
  readonly inputs: Record<string, string | string[]>;
  readonly outputs: Record<string, string | string[]>;
  readonly tolerance: Tolerance;
  readonly tolerances?: Record<string, Tolerance & { mean_abs?: number }>;
  readonly output_tolerances?: Record<string, Tolerance>;
}

/** The recorded cases of one topic, and the folder that their file names are relative to. */
export interface Golden {
  readonly folder: string;
  readonly cases: readonly GoldenCase[];
  // biome-ignore lint/suspicious/noExplicitAny: a manifest may hold further tables
  readonly manifest: Record<string, any>;
}

/**
 * The golden cases of `topic`: the committed subset, or all of them when `MUSETALK_GOLDEN=full` asks for it and
 * the shared material is present. Cases whose files are not all there are left out of the subset.
 */
export function golden(topic: string): Golden {
  const full = process.env.MUSETALK_GOLDEN === 'full' ? sharedPath('golden', topic) : undefined;
  const folder = full ?? fixturePath(topic);
  if (!existsSync(join(folder, 'manifest.json'))) return { folder, cases: [], manifest: {} };
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  const cases = (manifest.cases as GoldenCase[]).filter((c) =>
    [...Object.values(c.inputs), ...Object.values(c.outputs)]
      .flat()
      .every((file) => existsSync(join(folder, file))),
  );
  return { folder, cases, manifest };
}
