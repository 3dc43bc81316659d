/**
 * Prepared data on disk: a folder with `index.jsonl`, and for each clip of a face a few files in `clips/`.
 *
 * - `NAME.crops`, `NAME.shapes`, `NAME.json`: what mini learns from, cut out by the steady box
 * - `NAME.pictures`: the face with room around it, a JPEG for each frame; `NAME.track.safetensors`: where it is
 * - `NAME.wav`: 16 kHz, 16 bits, mono; absent where the video is silent
 * - `NAME.heard-….safetensors`, `NAME.latents-….safetensors`: what frozen networks say, made when first needed
 */
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MuseTalkError } from '../../core/errors.ts';

/** A clip: frames of one face without a cut, at 25 frames a second. */
export interface ClipEntry {
  readonly clip: string;
  /** Who speaks, as far as folders tell. */
  readonly speaker: string;
  /** The file it was cut from, and its first frame there. */
  readonly video: string;
  readonly first: number;
  readonly frames: number;
  /** Pixels of the video. */
  readonly width: number;
  readonly height: number;
  /** Width of the face in pixels of the video: the median over the frames. */
  readonly faceWidth: number;
  readonly sound: boolean;
  /** Seconds by which the sound was moved to meet the lips; positive: it came late. */
  readonly shifted?: number;
}

/** What became of a video. */
export interface VideoEntry {
  readonly video: string;
  /** Bytes and time of the last change (ms), by which a changed file is noticed. */
  readonly size: number;
  readonly modified: number;
  /** The clips that were made of it, or why there are none. */
  readonly clips?: readonly string[];
  readonly skipped?: string;
  readonly code?: string;
}

/** The lines of an index. */
export interface Index {
  readonly clips: readonly ClipEntry[];
  readonly videos: ReadonlyMap<string, VideoEntry>;
}

const INDEX = 'index.jsonl';

/** Where the file of a clip lies. */
export function clipFile(data: string, clip: string, ending: string): string {
  return join(data, 'clips', `${clip}.${ending}`);
}

/** Adds lines to an index, at once. */
export async function appendToIndex(data: string, lines: readonly (ClipEntry | VideoEntry)[]): Promise<void> {
  await mkdir(data, { recursive: true });
  // A line that was cut off by the end of an earlier run must not swallow the next one.
  const before = await readFile(join(data, INDEX), 'utf8').catch(() => '');
  const start = before === '' || before.endsWith('\n') ? '' : '\n';
  await appendFile(join(data, INDEX), start + lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

/** The index of a folder; an absent one is empty. A later line about a video replaces the earlier one. */
export async function readIndex(data: string): Promise<Index> {
  const text = await readFile(join(data, INDEX), 'utf8').catch(() => '');
  const clips = new Map<string, ClipEntry>();
  const videos = new Map<string, VideoEntry>();
  for (const line of text.split('\n')) {
    const entry = parsed(line);
    if (entry === undefined) continue;
    if ('clip' in entry) clips.set(entry.clip, entry);
    else videos.set(entry.video, entry);
  }
  const known = new Set([...videos.values()].flatMap(({ clips }) => clips ?? []));
  return { clips: [...clips.values()].filter(({ clip }) => known.has(clip)), videos };
}

function parsed(line: string): ClipEntry | VideoEntry | undefined {
  try {
    const entry = JSON.parse(line) as Partial<ClipEntry & VideoEntry>;
    return typeof entry.video === 'string' ? (entry as ClipEntry | VideoEntry) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The clips of a folder, by name.
 *
 * @throws MuseTalkError NOT_FOUND when there are none.
 */
export async function readClips(data: string): Promise<ClipEntry[]> {
  const { clips } = await readIndex(data);
  if (clips.length === 0) {
    throw new MuseTalkError('NOT_FOUND', `${data} holds no prepared clips`, {
      hint: 'Prepare videos first: musetalk train prepare FOLDER -o DATA',
      facts: { data },
    });
  }
  return clips.toSorted((a, b) => (a.clip < b.clip ? -1 : 1));
}

/** Clips to learn from, and clips to be looked at only. */
export interface Split<C> {
  readonly learned: readonly C[];
  readonly heldBack: readonly C[];
}

/**
 * Holds back about a share of the clips, the same ones each time whatever else lies beside them: which ones follows
 * from their names. Of two or more clips at least one is held back, and at least one is not.
 */
export function splitClips<C extends { readonly clip: string }>(
  clips: readonly C[],
  share: number,
): Split<C> {
  if (share <= 0 || clips.length < 2) return { learned: clips, heldBack: [] };
  const ranked = clips.toSorted((a, b) => drawOf(a.clip) - drawOf(b.clip));
  const below = ranked.filter(({ clip }) => drawOf(clip) < share).length;
  const count = Math.min(Math.max(below, 1), clips.length - 1);
  const held = new Set(ranked.slice(0, count).map(({ clip }) => clip));
  return {
    learned: clips.filter(({ clip }) => !held.has(clip)),
    heldBack: clips.filter(({ clip }) => held.has(clip)),
  };
}

/** A number in 0 … 1 that follows from a name (FNV-1a, mixed). */
function drawOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const letter of name) hash = Math.imul(hash ^ letter.codePointAt(0)!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
