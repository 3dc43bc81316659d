import { open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';
import { DEFAULT_LIMITS, type MediaLimits } from './limits.ts';

/** What a file is, by its first bytes; its name plays no part. */
export interface MediaKind {
  /** As people call it: `MP4`, `Matroska`, `PNG`. */
  readonly name: string;
  /** FFmpeg's demuxer that reads it, and no other. */
  readonly demuxer: string;
  /** A still picture is read by `sharp` (BMP by FFmpeg); everything else by FFmpeg. */
  readonly family: 'moving' | 'sound' | 'still';
}

interface Signature extends MediaKind {
  readonly matches: (head: Buffer) => boolean;
}

/** Enough for the slowest sign: three packets of a transport stream. */
const HEAD_BYTES = 4096;

const at = (offset: number, bytes: string) => (head: Buffer) =>
  head.subarray(offset, offset + bytes.length).equals(Buffer.from(bytes, 'latin1'));
const any =
  (...tests: ((head: Buffer) => boolean)[]) =>
  (head: Buffer) =>
    tests.some((test) => test(head));
const all =
  (...tests: ((head: Buffer) => boolean)[]) =>
  (head: Buffer) =>
    tests.every((test) => test(head));
const boxes = ['ftyp', 'moov', 'mdat', 'free', 'skip', 'wide', 'pnot'].map((type) => at(4, type));

/** One row a kind. The order matters only where a short sign could be the beginning of a longer one. */
const SIGNATURES: readonly Signature[] = [
  { name: 'MP4 or QuickTime', demuxer: 'mov', family: 'moving', matches: any(...boxes) },
  { name: 'Matroska or WebM', demuxer: 'matroska', family: 'moving', matches: at(0, '\x1a\x45\xdf\xa3') },
  {
    name: 'AVI',
    demuxer: 'avi',
    family: 'moving',
    matches: all(at(0, 'RIFF'), any(at(8, 'AVI '), at(8, 'AVIX'))),
  },
  { name: 'MPEG programme', demuxer: 'mpeg', family: 'moving', matches: at(0, '\0\0\x01\xba') },
  { name: 'MPEG transport stream', demuxer: 'mpegts', family: 'moving', matches: isTransportStream },
  { name: 'Flash video', demuxer: 'flv', family: 'moving', matches: at(0, 'FLV\x01') },
  {
    name: 'Windows Media',
    demuxer: 'asf',
    family: 'moving',
    matches: at(0, '\x30\x26\xb2\x75\x8e\x66\xcf\x11'),
  },
  { name: 'GIF', demuxer: 'gif', family: 'moving', matches: any(at(0, 'GIF87a'), at(0, 'GIF89a')) },
  { name: 'Ogg', demuxer: 'ogg', family: 'moving', matches: at(0, 'OggS') },
  {
    name: 'WAV',
    demuxer: 'wav',
    family: 'sound',
    matches: all(any(at(0, 'RIFF'), at(0, 'RF64')), at(8, 'WAVE')),
  },
  { name: 'FLAC', demuxer: 'flac', family: 'sound', matches: at(0, 'fLaC') },
  {
    name: 'AIFF',
    demuxer: 'aiff',
    family: 'sound',
    matches: all(at(0, 'FORM'), any(at(8, 'AIFF'), at(8, 'AIFC'))),
  },
  { name: 'CAF', demuxer: 'caf', family: 'sound', matches: at(0, 'caff\0\x01') },
  { name: 'AU', demuxer: 'au', family: 'sound', matches: at(0, '.snd') },
  { name: 'AMR', demuxer: 'amr', family: 'sound', matches: at(0, '#!AMR') },
  { name: 'MP3', demuxer: 'mp3', family: 'sound', matches: at(0, 'ID3') },
  { name: 'AAC', demuxer: 'aac', family: 'sound', matches: isAdts },
  { name: 'MP3', demuxer: 'mp3', family: 'sound', matches: isMpegAudio },
  { name: 'PNG', demuxer: 'png_pipe', family: 'still', matches: at(0, '\x89PNG\r\n\x1a\n') },
  { name: 'JPEG', demuxer: 'jpeg_pipe', family: 'still', matches: at(0, '\xff\xd8\xff') },
  { name: 'WebP', demuxer: 'webp_pipe', family: 'still', matches: all(at(0, 'RIFF'), at(8, 'WEBP')) },
  { name: 'TIFF', demuxer: 'tiff_pipe', family: 'still', matches: any(at(0, 'II*\0'), at(0, 'MM\0*')) },
  { name: 'BMP', demuxer: 'bmp_pipe', family: 'still', matches: all(at(0, 'BM'), at(6, '\0\0\0\0')) },
];

/** Files that make a reader open other files or addresses, or that people take for media. Never opened. */
const REFUSED: readonly [name: string, sign: RegExp][] = [
  ['a playlist (HLS)', /^#EXTM3U/],
  ['a concatenation script', /^ffconcat version/],
  ['a concatenation script', /^(#[^\n]*\n\s*)*file\s/],
  ['a session description (SDP)', /^v=0\s/],
  ['a stream manifest', /^(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(MPD|SmoothStreamingMedia|smil|playlist)\b/is],
  ['a drawing (SVG)', /^(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!doctype svg[^>]*>\s*)?<svg\b/is],
  ['a web page', /^(<!doctype html|<html|<head|<body)/i],
  ['XML', /^<\?xml/],
  ['a Git LFS pointer, not the file itself', /^version https:\/\/git-lfs/],
  ['a PDF', /^%PDF/],
  ['a ZIP archive', /^PK\W\W/],
];

/**
 * The kind of a media file by its first bytes, so that FFmpeg never has to guess.
 *
 * @throws MuseTalkError `NOT_FOUND` without a readable file, `BAD_FILE` for an empty one, `TOO_LARGE` above the
 * limit, `WRONG_FILE` for anything that is no media file by itself (playlists, scripts, pages, text).
 */
export async function sniff(
  path: string,
  { bytes } = DEFAULT_LIMITS as Pick<MediaLimits, 'bytes'>,
): Promise<MediaKind> {
  const head = await readHead(path, bytes);
  const kind = kindOf(head);
  if (kind) return kind;
  const refused = refusalOf(head);
  throw new MuseTalkError('WRONG_FILE', `${path} is ${refused ?? 'no media file that is known here'}`, {
    hint: 'Give a video (MP4, MOV, MKV, WebM, AVI, MPEG), a sound (WAV, MP3, M4A, FLAC, Ogg) or a picture (PNG, JPEG, WebP, TIFF, BMP).',
    facts: { path, begins: head.subarray(0, 16).toString('hex') },
  });
}

/** The kind that the first bytes of a file say, if they say any. */
export function kindOf(head: Buffer): MediaKind | undefined {
  const found = SIGNATURES.find(({ matches }) => matches(head));
  return found && { name: found.name, demuxer: found.demuxer, family: found.family };
}

function refusalOf(head: Buffer): string | undefined {
  const text = head
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart();
  const known = REFUSED.find(([, sign]) => sign.test(text))?.[0];
  if (known) return known;
  const printable = head.every((byte) => byte >= 32 || byte === 9 || byte === 10 || byte === 13);
  return printable ? 'text' : undefined;
}

async function readHead(path: string, limit: number): Promise<Buffer> {
  try {
    const { size } = await fileOrThrow(path);
    if (size === 0)
      throw new MuseTalkError('BAD_FILE', `${path} is empty`, {
        hint: 'Copy or download the file again.',
        facts: { path },
      });
    if (size > limit)
      throw new MuseTalkError('TOO_LARGE', `${path} has ${size} bytes, more than ${limit}`, {
        facts: { path, size, limit },
      });
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof MuseTalkError) throw cause;
    throw notReadable(path, cause);
  }
}

async function fileOrThrow(path: string) {
  const info = await stat(path);
  if (info.isFile()) return info;
  throw new MuseTalkError('WRONG_FILE', `${path} is ${info.isDirectory() ? 'a folder' : 'no regular file'}`, {
    hint: 'Give the path of a media file.',
    facts: { path },
  });
}

/** The error for a path that could not be opened: absent, forbidden, or no path at all. */
export function notReadable(path: string, cause: unknown): MuseTalkError {
  const reasons: Record<string, string> = {
    ENOENT: 'does not exist',
    ENOTDIR: 'does not exist: a part of the path is no folder',
    EACCES: 'may not be read',
    EPERM: 'may not be read',
    ENAMETOOLONG: 'has a name that is too long',
    ERR_INVALID_ARG_VALUE: 'is no path: it holds a zero byte',
  };
  const { code = '', message = String(cause) } = (cause ?? {}) as NodeJS.ErrnoException;
  return new MuseTalkError(
    'NOT_FOUND',
    `${resolveQuietly(path)} ${reasons[code] ?? `cannot be opened: ${message}`}`,
    {
      hint: 'Check the spelling and the permissions.',
      facts: { path },
      cause,
    },
  );
}

function resolveQuietly(path: string): string {
  return path.includes('\0') ? JSON.stringify(path) : resolve(path);
}

/** Sync bytes at the beginning of three packets of 188 (or of 192 with time codes, as cameras write). */
function isTransportStream(head: Buffer): boolean {
  const synced = (first: number, step: number) =>
    [0, 1, 2].every((i) => head[first + i * step] === 0x47 || (i > 0 && first + i * step >= head.length));
  return head.length >= 188 && (synced(0, 188) || synced(4, 192));
}

/** A frame of AAC in ADTS: twelve ones, layer 0. */
function isAdts(head: Buffer): boolean {
  return head[0] === 0xff && (head[1]! & 0xf6) === 0xf0;
}

/** A frame of MPEG audio, layers 1 to 3, with a bit rate and a sample rate that exist. */
function isMpegAudio(head: Buffer): boolean {
  const [b0, b1, b2] = [head[0], head[1] ?? 0, head[2] ?? 0xff];
  const layer = b1 & 0x06;
  return (
    b0 === 0xff &&
    (b1 & 0xe0) === 0xe0 &&
    layer !== 0 &&
    (b1 & 0x18) !== 0x08 &&
    (b2 & 0xf0) !== 0xf0 &&
    (b2 & 0x0c) !== 0x0c
  );
}
