/** The project's own sources, as text: for the tests and checks that read them. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** One `import` or `export … from` of a file. */
export interface Import {
  /** Path of the file, from the root of the project, with slashes. */
  readonly file: string;
  /** What is imported: such a path too, or the name of a package or of a module of Node. */
  readonly target: string;
  /** Gone after compilation. */
  readonly typeOnly: boolean;
}

/** TypeScript files under a folder of the project, tests and declarations left out, in the order of their names. */
export function sourcesUnder(folder: string): string[] {
  return filesUnder(folder).filter((file) => /(?<!\.test|\.d)\.tsx?$/.test(file));
}

/** All files under a folder of the project, as paths from its root; none where there is no such folder. */
export function filesUnder(folder: string): string[] {
  let entries: ReturnType<typeof read>;
  try {
    entries = read(folder);
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1))
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !path.includes('node_modules/'))
    .sort();
}

function read(folder: string) {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true });
}

/** The text of a file, given by its path from the root. */
export function textOf(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

// Statements begin a line, so that examples within comments are not taken for one.
const STATEMENT = /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;
const DYNAMIC = /\bimport\('([^']+)'\)/g;

/** What a file imports, in any way. */
export function importsOf(file: string): Import[] {
  const text = textOf(file);
  const found = (name: string, typeOnly: boolean): Import => ({
    file,
    target: resolved(file, name),
    typeOnly,
  });
  return [
    ...Array.from(text.matchAll(STATEMENT), ([, type, name]) => found(name!, type !== undefined)),
    ...Array.from(text.matchAll(DYNAMIC), ([, name]) => found(name!, false)),
  ];
}

function resolved(file: string, name: string): string {
  return name.startsWith('.') ? normalize(join(dirname(file), name)).replaceAll('\\', '/') : name;
}
