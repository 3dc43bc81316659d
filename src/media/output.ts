import { constants } from 'node:fs';
import { access, mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';

/** A video file format that can be written, chosen by the ending of the name. */
export interface OutputFormat {
  /** FFmpeg's muxer. */
  readonly muxer: string;
  readonly encoders: readonly [first: VideoEncoder, ...others: VideoEncoder[]];
  /** Sound codecs that are copied as they are; others are encoded once. */
  readonly copies: readonly string[];
  readonly soundEncoder: 'aac' | 'libopus';
}

/** The encoders that are used, by FFmpeg's names. */
export type VideoEncoder = 'libx264' | 'libx265' | 'libvpx-vp9';

// MP3 is never copied: its delay of some 50 ms is known to its own container alone.
const PCM = ['pcm_s16le', 'pcm_s24le', 'pcm_s32le'];
const MP4: OutputFormat = {
  muxer: 'mp4',
  encoders: ['libx264', 'libx265'],
  copies: ['aac'],
  soundEncoder: 'aac',
};
const FORMATS: Readonly<Record<string, OutputFormat>> = {
  '.mp4': MP4,
  '.m4v': MP4,
  '.mov': { ...MP4, muxer: 'mov', copies: ['aac', 'alac', ...PCM] },
  '.mkv': {
    muxer: 'matroska',
    encoders: ['libx264', 'libx265', 'libvpx-vp9'],
    copies: ['aac', 'alac', 'flac', 'opus', ...PCM],
    soundEncoder: 'aac',
  },
  '.webm': { muxer: 'webm', encoders: ['libvpx-vp9'], copies: ['opus'], soundEncoder: 'libopus' },
};

/**
 * The format that the ending of `path` names.
 *
 * @throws MuseTalkError `BAD_OPTION` for another ending.
 */
export function outputFormat(path: string): OutputFormat {
  const format = FORMATS[extname(path).toLowerCase()];
  if (format) return format;
  throw new MuseTalkError('BAD_OPTION', `videos are not written as "${extname(path) || basename(path)}"`, {
    hint: `End the name of the output with ${Object.keys(FORMATS).join(', ')}.`,
    facts: { path },
  });
}

/**
 * Runs `make` with a fresh folder beside `output`; the file that it names is synced and moved to `output`, so that
 * the output is there whole or not at all. Whatever happens, the folder is removed.
 *
 * @throws MuseTalkError `CANNOT_WRITE` when the place cannot be written to, or holds a file and `overwrite` is off.
 */
export async function produce<T>(
  output: string,
  { overwrite = false }: { overwrite?: boolean | undefined },
  make: (folder: string) => Promise<{ file: string; result: T }>,
): Promise<T> {
  await checkFree(output, overwrite);
  const folder = await mkdtemp(join(dirname(resolve(output)), '.musetalk-')).catch((cause) => {
    throw cannotWrite(output, cause);
  });
  try {
    const { file, result } = await make(folder);
    await settle(file, output);
    return result;
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Makes sure that the bytes of `file` are on the disk, then gives it its final name. */
export async function settle(file: string, name: string): Promise<void> {
  try {
    await sync(file);
    await rename(file, name);
    if (process.platform !== 'win32') await sync(dirname(resolve(name)));
  } catch (cause) {
    throw cannotWrite(name, cause);
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Makes sure that `output` may be written, before anything long is done for it.
 *
 * @throws MuseTalkError `CANNOT_WRITE` when it is a folder, a file and `overwrite` is off, or in a folder that is not
 * there or may not be written to.
 */
export async function checkFree(output: string, overwrite: boolean): Promise<void> {
  const there = await stat(output).catch(() => undefined);
  if (there?.isDirectory())
    throw new MuseTalkError('CANNOT_WRITE', `${output} is a folder`, {
      hint: 'Name a file.',
      facts: { output },
    });
  if (there && !overwrite)
    throw new MuseTalkError('CANNOT_WRITE', `${output} exists already`, {
      hint: 'Choose another name, or allow overwriting (--overwrite).',
      facts: { output },
    });
  await access(dirname(resolve(output)), constants.W_OK).catch((cause) => {
    throw cannotWrite(output, cause);
  });
}

/** The error for a failed write, with the reason in words. */
export function cannotWrite(path: string, cause: unknown): MuseTalkError {
  const [why, hint] = REASONS[(cause as NodeJS.ErrnoException)?.code ?? ''] ?? [
    cause instanceof Error ? cause.message : String(cause),
    'Write to another folder.',
  ];
  return new MuseTalkError('CANNOT_WRITE', `cannot write ${path}: ${why}`, { hint, facts: { path }, cause });
}

const REASONS: Readonly<Record<string, [why: string, hint: string]>> = {
  ENOSPC: ['the disk is full', 'Free some space, or write to another disk.'],
  EDQUOT: ['the disk quota is used up', 'Free some space, or write to another disk.'],
  EROFS: ['the file system is read-only', 'Write to another folder.'],
  EACCES: ['there is no permission', 'Write to another folder, or change its permissions.'],
  EPERM: ['there is no permission', 'Write to another folder, or change its permissions.'],
  ENOENT: ['its folder does not exist', 'Make the folder first.'],
  ENOTDIR: ['a part of the path is no folder', 'Check the path.'],
  ENAMETOOLONG: ['the name is too long', 'Choose a shorter name.'],
};
