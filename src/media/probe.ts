import { resolve } from 'node:path';
import { MuseTalkError } from '../core/errors.ts';
import { inputFile, runTool, streamTool } from './ffmpeg.ts';
import { DEFAULT_LIMITS, type MediaLimits } from './limits.ts';
import { rational, toNumber } from './rate.ts';
import { type MediaKind, sniff } from './sniff.ts';
import type { ColorTags, Rational } from './source.ts';

/** The pictures of a file, as its headers describe them. */
export interface VideoStream {
  /** Number of the stream in the file. */
  readonly index: number;
  readonly codec: string;
  /** Pixels as shown, after rotation. */
  readonly width: number;
  readonly height: number;
  /** Degrees that a player turns the stored picture clockwise: 0, 90, 180 or 270. */
  readonly rotation: 0 | 90 | 180 | 270;
  readonly pixelAspect: Rational;
  /** Average frame rate as the file declares it; undefined where it declares none. */
  readonly declaredRate: Rational | undefined;
  /** Frames as the file declares them, often absent and sometimes wrong; `readTimestamps` counts. */
  readonly declaredFrames: number | undefined;
  readonly pixelFormat: string;
  readonly bitDepth: number;
  readonly alpha: boolean;
  readonly color: ColorTags;
}

/** The sound of a file, as its headers describe it. */
export interface SoundStream {
  readonly index: number;
  readonly codec: string;
  /** Hertz. */
  readonly rate: number;
  readonly channels: number;
  /** Seconds from the first picture (without one: from the beginning of the file) to the first sample. */
  readonly start: number;
  /** Seconds from the beginning of the file, as FFmpeg counts it, to that picture. */
  readonly origin: number;
  /** Seconds as declared; undefined where the file does not say. */
  readonly duration: number | undefined;
}

/** What a file holds, by its headers; nothing was decoded. */
export interface Probe {
  readonly path: string;
  readonly kind: MediaKind;
  /** Seconds as declared; undefined where the file does not say. */
  readonly duration: number | undefined;
  /** The first stream of moving pictures that is no cover art. */
  readonly video: VideoStream | undefined;
  /** The first stream of sound. */
  readonly sound: SoundStream | undefined;
}

/** What bounds the reading of headers. */
export interface ProbeOptions {
  readonly limits?: Partial<MediaLimits> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Seconds of wall clock for reading headers; a file that takes longer is hostile or on a dead disk. */
const HEADER_TIMEOUT = 60;

/** Seconds of processor time for headers and packets: a thousand times what hours of film take. */
const HEADER_CPU_TIME = 300;

/**
 * The streams of a video or sound file, read from its headers.
 *
 * @throws MuseTalkError `NOT_FOUND`, `WRONG_FILE` (no media file), `BAD_FILE` (damaged), `TOO_LARGE` (a limit).
 */
export async function probe(path: string, { limits: own, signal }: ProbeOptions = {}): Promise<Probe> {
  const limits = { ...DEFAULT_LIMITS, ...own };
  const kind = await sniff(path, limits);
  const printed = await runTool('ffprobe', [...HEADERS, '-of', 'json', ...inputFile(path, kind.demuxer)], {
    ...probing(path, signal),
    timeout: HEADER_TIMEOUT,
  });
  return checked(path, kind, printed.toString('utf8'), limits);
}

/** When a picture is shown, as its packet says. */
export interface PicturePacket {
  /** Number of its stream. */
  readonly stream: number;
  /** Seconds in the file's own clock; not a number where the packet does not say. */
  readonly time: number;
  /** Seconds; 0 where it does not say. */
  readonly duration: number;
  /** Can be decoded without earlier ones. */
  readonly key: boolean;
  /** Decoded for others' sake, but cut off by an edit list. */
  readonly discarded: boolean;
}

/** What a file holds by its headers, and what its packets say. */
export interface PacketProbe {
  readonly found: Probe;
  /** The packets of all streams of pictures. */
  readonly pictures: readonly PicturePacket[];
  /** Streams of sound in which there is a packet: a muxer can announce a stream and write none of it. */
  readonly sounds: ReadonlySet<number>;
}

/** As `probe`, and all packets: both in one look, since starting ffprobe costs more than reading does. */
export async function probePackets(
  path: string,
  { limits: own, signal }: ProbeOptions = {},
): Promise<PacketProbe> {
  const limits = { ...DEFAULT_LIMITS, ...own };
  const kind = await sniff(path, limits);
  const pictures: PicturePacket[] = [];
  const sounds = new Set<number>();
  const headers: string[] = [];
  let inPackets = false;
  for await (const line of linesOf(path, kind, signal)) {
    if (inPackets) inPackets = !/^ {0,4}\]/.test(line);
    if (inPackets) {
      const packet = readPacket(line);
      if (packet?.type === 'video') pictures.push(packet);
      else if (packet?.type === 'audio') sounds.add(packet.stream);
    } else headers.push(line);
    inPackets ||= /^ *"packets": \[/.test(line);
    refuseAbove(path, 'frames', pictures.length, limits.frames);
    refuseAbove(path, 'lines of headers', headers.length, MOST_LINES);
  }
  return { found: checked(path, kind, headers.join('\n'), limits), pictures, sounds };
}

const HEADERS = ['-show_streams', '-show_format'];

/** Lines that headers may take; those of honest files take some tens. */
const MOST_LINES = 100_000;

function probing(path: string, signal: AbortSignal | undefined) {
  return { task: `read ${path}`, blame: 'BAD_FILE', signal, cpuTime: HEADER_CPU_TIME } as const;
}

/** What ffprobe prints of headers and packets, each packet in a line of its own. */
async function* linesOf(
  path: string,
  kind: MediaKind,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void, undefined> {
  const entries = 'packet=codec_type,stream_index,pts_time,duration_time,flags';
  const args = [...HEADERS, '-show_entries', entries, '-of', 'json=compact=1'];
  const decoder = new TextDecoder();
  let rest = '';
  const printed = streamTool('ffprobe', [...args, ...inputFile(path, kind.demuxer)], probing(path, signal));
  for await (const chunk of printed) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  yield rest;
}

/**
 * A line such as `{ "codec_type": "video", "stream_index": 0, "pts_time": "0.04", "flags": "K__" },`. Undefined for the
 * lines of what hangs on a packet.
 */
function readPacket(line: string): (PicturePacket & { readonly type: string }) | undefined {
  if (!/^ *\{ "codec_type"/.test(line)) return undefined;
  const fields = new Map([...line.matchAll(/"(\w+)": "?([^",]*)/g)].map(([, name, value]) => [name, value]));
  const flags = fields.get('flags') ?? '';
  return {
    type: fields.get('codec_type')!,
    stream: Number(fields.get('stream_index')),
    time: Number(fields.get('pts_time') ?? Number.NaN),
    duration: Number(fields.get('duration_time')) || 0,
    key: flags.startsWith('K'),
    discarded: flags[1] === 'D',
  };
}

function checked(path: string, kind: MediaKind, printed: string, limits: MediaLimits): Probe {
  const { streams, ...described } = describe(resolve(path), kind, parse(path, printed));
  checkLimits(described, limits, streams);
  return described;
}

/** The parts of ffprobe's JSON that are read here. */
interface Printed {
  readonly streams?: readonly PrintedStream[];
  readonly format?: {
    readonly duration?: string;
    readonly start_time?: string;
    readonly nb_streams?: number;
  };
}

interface PrintedStream {
  readonly index: number;
  readonly codec_type?: string;
  readonly codec_name?: string;
  readonly width?: number;
  readonly height?: number;
  readonly sample_aspect_ratio?: string;
  readonly avg_frame_rate?: string;
  readonly r_frame_rate?: string;
  readonly nb_frames?: string;
  readonly pix_fmt?: string;
  readonly color_space?: string;
  readonly color_primaries?: string;
  readonly color_transfer?: string;
  readonly color_range?: string;
  readonly sample_rate?: string;
  readonly channels?: number;
  readonly start_time?: string;
  readonly duration?: string;
  readonly disposition?: { readonly attached_pic?: number };
  readonly tags?: Readonly<Record<string, string>>;
  readonly side_data_list?: readonly { readonly rotation?: number }[];
}

function parse(path: string, printed: string): Printed {
  try {
    return JSON.parse(printed) as Printed;
  } catch (cause) {
    throw new MuseTalkError('MEDIA_TOOL', `ffprobe's description of ${path} cannot be read`, { cause });
  }
}

function describe(path: string, kind: MediaKind, printed: Printed): Probe & { streams: number } {
  const streams = printed.streams ?? [];
  const start = Number(printed.format?.start_time ?? 0) || 0;
  const video = streams.find((s) => s.codec_type === 'video' && !s.disposition?.attached_pic);
  const sound = streams.find((s) => s.codec_type === 'audio');
  return {
    path,
    kind,
    duration: seconds(printed.format?.duration),
    video: video && describeVideo(video),
    sound: sound && describeSound(sound, start, Number(video?.start_time ?? start)),
    streams: printed.format?.nb_streams ?? streams.length,
  };
}

function describeVideo(stream: PrintedStream): VideoStream {
  const rotation = rotationOf(stream);
  const sideways = rotation === 90 || rotation === 270;
  const [width = 0, height = 0] = sideways ? [stream.height, stream.width] : [stream.width, stream.height];
  const aspect = fraction(stream.sample_aspect_ratio, ':') ?? { num: 1, den: 1 };
  const pixelFormat = stream.pix_fmt ?? 'unknown';
  return {
    index: stream.index,
    codec: stream.codec_name ?? 'unknown',
    width,
    height,
    rotation,
    pixelAspect: sideways ? { num: aspect.den, den: aspect.num } : aspect,
    declaredRate: fraction(stream.avg_frame_rate, '/') ?? fraction(stream.r_frame_rate, '/'),
    declaredFrames: stream.nb_frames === undefined ? undefined : Number(stream.nb_frames),
    pixelFormat,
    bitDepth: bitDepthOf(pixelFormat),
    alpha: hasAlpha(stream),
    color: {
      space: known(stream.color_space),
      primaries: known(stream.color_primaries),
      transfer: known(stream.color_transfer),
      range: pixelFormat.startsWith('yuvj') ? 'pc' : rangeOf(stream.color_range),
    },
  };
}

/** Pictures that begin later than this after the sound do not set its clock: the speech before them counts. */
const LATEST_ORIGIN = 0.1;

function describeSound(stream: PrintedStream, fileStart: number, pictureStart: number): SoundStream {
  const late = pictureStart - fileStart;
  const origin = late > 0 && late <= LATEST_ORIGIN ? late : 0;
  return {
    index: stream.index,
    codec: stream.codec_name ?? 'unknown',
    rate: Number(stream.sample_rate ?? 0),
    channels: stream.channels ?? 0,
    start: firstSample(Number(stream.start_time ?? fileStart) || 0) - fileStart - origin,
    origin,
    duration: seconds(stream.duration),
  };
}

/** A stream that begins just before 0 (Opus) has a run-in there, which its decoder leaves out. */
function firstSample(start: number): number {
  return start > -LATEST_ORIGIN ? Math.max(0, start) : start;
}

function seconds(text: string | undefined): number | undefined {
  const value = Number(text);
  return text !== undefined && Number.isFinite(value) && value >= 0 ? value : undefined;
}

function known(tag: string | undefined): string | undefined {
  return tag === undefined || /^(unknown|unspecified|reserved)$/.test(tag) ? undefined : tag;
}

function rangeOf(tag: string | undefined): 'tv' | 'pc' | undefined {
  return tag === 'tv' || tag === 'pc' ? tag : undefined;
}

/** A fraction that ffprobe printed, `30000/1001` or `16:15`; undefined for 0/0, 0/1 and the like. */
function fraction(text: string | undefined, sign: '/' | ':'): Rational | undefined {
  const [num = 0, den = 0] = (text ?? '').split(sign).map(Number);
  return num > 0 && den > 0 ? rational(num, den) : undefined;
}

/** ffprobe says degrees counter-clockwise; other angles than quarter turns are not applied. */
function rotationOf(stream: PrintedStream): 0 | 90 | 180 | 270 {
  const counterClockwise = stream.side_data_list?.find((s) => s.rotation !== undefined)?.rotation;
  const clockwise = counterClockwise === undefined ? Number(stream.tags?.rotate ?? 0) : -counterClockwise;
  const quarter = Math.round(clockwise / 90);
  if (!(Math.abs(clockwise - quarter * 90) <= 1)) return 0;
  return ((((quarter % 4) + 4) % 4) * 90) as 0 | 90 | 180 | 270;
}

function bitDepthOf(pixelFormat: string): number {
  const deep = /(?:p|gray|gbrp|gbrap|x|p0)(9|10|12|14|16)(?:le|be)$/.exec(pixelFormat)?.[1];
  if (deep) return Number(deep);
  return /48|64/.test(pixelFormat) ? 16 : 8;
}

/** Formats with an alpha plane; VP8 and VP9 in WebM keep it in a second stream that only a tag tells of. */
function hasAlpha({ pix_fmt = '', tags }: PrintedStream): boolean {
  return /^(yuva|rgba|bgra|argb|abgr|gbrap|ya\d|pal8$)/.test(pix_fmt) || tags?.alpha_mode === '1';
}

function checkLimits({ path, video, sound, duration }: Probe, limits: MediaLimits, streams: number): void {
  const seconds = duration ?? sound?.duration ?? 0;
  refuseAbove(path, 'streams', streams, limits.streams);
  refuseAbove(path, 'seconds', seconds, limits.duration);
  if (sound) refuseAbove(path, 'sound channels', sound.channels, limits.channels);
  if (!video) return;
  const pixels = video.width * video.height;
  const frames = video.declaredFrames ?? (video.declaredRate ? seconds * toNumber(video.declaredRate) : 0);
  refuseAbove(path, 'pixels in a picture', pixels, limits.pixels);
  refuseAbove(path, 'frames', Math.floor(frames), limits.frames);
  refuseAbove(path, 'pixels in all', pixels * Math.floor(frames), limits.totalPixels);
}

/** @throws MuseTalkError `TOO_LARGE` when a file has more of something than it may. */
export function refuseAbove(path: string, what: string, value: number, limit: number): void {
  if (value <= limit) return;
  throw new MuseTalkError(
    'TOO_LARGE',
    `${path} has ${Math.round(value)} ${what}; at most ${limit} are taken`,
    {
      hint: 'Cut or scale the file down first.',
      facts: { path, what, value, limit },
    },
  );
}
