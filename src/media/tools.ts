import { execFile } from 'node:child_process';
import { accessSync, chmodSync, constants, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { MuseTalkError } from '../core/errors.ts';

/** The two programs that are used. */
export type ToolName = 'ffmpeg' | 'ffprobe';

/** A program of FFmpeg as it was found on this machine. */
export interface MediaTool {
  readonly path: string;
  /** As it says itself: `5.1.9-0+deb12u1`, or the name of a nightly build. */
  readonly version: string;
  /** Release as a number, 5.1 for 5.1.9; undefined for a nightly build, which carries none. */
  readonly release: number | undefined;
  /** Where it was found: the environment, PATH, or the optional npm package. */
  readonly source: 'environment' | 'PATH' | 'npm package';
  readonly warnings: readonly string[];
}

/** Both programs. */
export type MediaTools = Readonly<Record<ToolName, MediaTool>>;

/** The oldest release that is taken from PATH. */
const OLDEST = 5.1;

/** From this release on the known faults of playlist readers are closed; it matters for files of strangers. */
const ADVISED = 8.1;

const found = new Map<string, Promise<MediaTool>>();

/**
 * Where ffmpeg and ffprobe are: `FFMPEG_PATH` and `FFPROBE_PATH` (a program, or the folder that holds it), then
 * PATH, then the optional packages `@ffmpeg-installer/ffmpeg` and `@ffprobe-installer/ffprobe`.
 *
 * @throws MuseTalkError `MEDIA_TOOL` when one of them is nowhere.
 */
export async function findTools(): Promise<MediaTools> {
  const [ffmpeg, ffprobe] = await Promise.all([findTool('ffmpeg'), findTool('ffprobe')]);
  return { ffmpeg, ffprobe };
}

/** One of the two programs; looked for once per setting of the environment. */
export function findTool(name: ToolName): Promise<MediaTool> {
  const { FFMPEG_PATH, FFPROBE_PATH, PATH } = process.env;
  const key = JSON.stringify([name, FFMPEG_PATH, FFPROBE_PATH, PATH]);
  let tool = found.get(key);
  if (tool === undefined) {
    tool = search(name);
    found.set(key, tool);
    tool.catch(() => found.delete(key)); // it may be installed while we run
  }
  return tool;
}

async function search(name: ToolName): Promise<MediaTool> {
  const named = fromEnvironment(name);
  if (named) return inspect(name, named, 'environment', []);

  const refused: string[] = [];
  for (const path of onPath(name)) {
    const tool = await inspect(name, path, 'PATH', []).catch(() => undefined);
    if (tool && (tool.release ?? OLDEST) >= OLDEST) return tool;
    refused.push(tool ? `${path} is ${tool.version}, older than ${OLDEST}` : `${path} does not run`);
  }
  const packaged = fromPackage(name);
  if (packaged) return inspect(name, packaged, 'npm package', refused);

  throw new MuseTalkError('MEDIA_TOOL', [`${name} was not found`, ...refused].join('; '), {
    hint: `Install FFmpeg ${OLDEST} or newer (ffmpeg.org), or set FFMPEG_PATH to it, or npm install @${name}-installer/${name}.`,
    facts: { name, refused },
  });
}

/** The program that the environment names; ffprobe is also looked for beside `FFMPEG_PATH`. */
function fromEnvironment(name: ToolName): string | undefined {
  const own = process.env[name === 'ffmpeg' ? 'FFMPEG_PATH' : 'FFPROBE_PATH'];
  if (own) {
    const path = programAt(own, name);
    if (path) return path;
    throw new MuseTalkError('MEDIA_TOOL', `no ${name} at ${own}, which the environment names`, {
      hint: 'Set FFMPEG_PATH (and FFPROBE_PATH) to a program or its folder, or unset it.',
      facts: { name, path: own },
    });
  }
  const beside = process.env.FFMPEG_PATH;
  return name === 'ffprobe' && beside
    ? (programAt(beside, name) ?? programAt(join(beside, '..'), name))
    : undefined;
}

function programAt(path: string, name: ToolName): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile()) return name === 'ffprobe' && /ffmpeg(\.exe)?$/.test(path) ? undefined : path;
  const inside = join(path, programName(name));
  return stat?.isDirectory() && statSync(inside, { throwIfNoEntry: false })?.isFile() ? inside : undefined;
}

function onPath(name: ToolName): string[] {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return folders.map((folder) => join(folder, programName(name))).filter(isExecutable);
}

/** The binary of the optional package; its install script may not have run, so it is made executable here. */
function fromPackage(name: ToolName): string | undefined {
  const require = createRequire(import.meta.url);
  try {
    const installer = require.resolve(`@${name}-installer/${name}`);
    const binary = `@${name}-installer/${process.platform}-${process.arch}/${programName(name)}`;
    const path = createRequire(installer).resolve(binary);
    if (!isExecutable(path)) chmodSync(path, 0o755);
    return path;
  } catch {
    return undefined;
  }
}

async function inspect(
  name: ToolName,
  path: string,
  source: MediaTool['source'],
  refused: readonly string[],
): Promise<MediaTool> {
  const { stdout } = await promisify(execFile)(path, ['-version'], { timeout: 20_000 }).catch((cause) => {
    throw new MuseTalkError('MEDIA_TOOL', `${path} does not run: ${cause.message}`, { cause });
  });
  const version = /^ff\w+ version (\S+)/.exec(stdout)?.[1];
  if (version === undefined)
    throw new MuseTalkError(
      'MEDIA_TOOL',
      `${path} is not ${name}: its -version says "${stdout.slice(0, 60)}"`,
    );
  const release = releaseOf(version);
  return { path, version, release, source, warnings: [...refused, ...ageWarnings(name, release)] };
}

/** 5.1 for `5.1.9-0+deb12u1` and `n5.1.2`; undefined for `N-47683-g0e8eb07980`. */
export function releaseOf(version: string): number | undefined {
  const match = /^n?(\d+)\.(\d+)/.exec(version);
  return match ? Number(`${match[1]}.${match[2]}`) : undefined;
}

function ageWarnings(name: ToolName, release: number | undefined): string[] {
  if (release === undefined)
    return [
      `this ${name} is a nightly build of unknown age; prefer a release from ${ADVISED} on for files of strangers`,
    ];
  if (release < ADVISED)
    return [
      `${name} ${release} lacks fixes of security faults that ${ADVISED} has; update it before you read files of strangers`,
    ];
  return [];
}

function programName(name: ToolName): string {
  return process.platform === 'win32' ? `${name}.exe` : name;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
