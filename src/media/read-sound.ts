import { MuseTalkError } from '../core/errors.ts';
import { inputFile, streamTool } from './ffmpeg.ts';
import { DEFAULT_LIMITS, type MediaLimits, SOUND_DECODING_TIME } from './limits.ts';
import { type Probe, probe, refuseAbove, type SoundStream } from './probe.ts';
import { meanOfChannels } from './sound-track.ts';
import type { SoundSource } from './source.ts';

/** How a sound is read. */
export interface ReadSoundOptions {
  /**
   * Round to 16 bits after mixing and resampling, and begin with the first sample even where the file places it
   * later, as MuseTalk 1.0 does. Off by default: 32-bit floats, and silence up to the first sample.
   */
  readonly sixteenBit?: boolean | undefined;
  readonly limits?: Partial<MediaLimits> | undefined;
  readonly signal?: AbortSignal | undefined;
}

type Samples = Float32Array<ArrayBuffer>;

/** Hertz that the networks hear. */
const RATE = 16000;

/** Sounds up to this many samples (five minutes, 19 MB) stay in memory after they were counted. */
const KEPT_SAMPLES = 5 * 60 * RATE;

/**
 * Opens the first sound stream of a file as mono of 16 kHz, mixed and resampled by FFmpeg's defaults. It is
 * decoded once now, to count its samples; longer ones are decoded anew on each pass.
 *
 * @throws MuseTalkError `NO_SOUND` without a sound stream or without a sample, else as `probe`.
 */
export async function readSound(path: string, options: ReadSoundOptions = {}): Promise<SoundSource> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const found = await probe(path, { limits, signal: options.signal });
  const stream = soundOf(found);
  // Samples to put before the first, or (negative) to leave out: a codec's run-in before the first picture.
  const lead = options.sixteenBit ? 0 : Math.round(stream.start * RATE);

  let sampleCount = 0;
  let broken = 0;
  let kept: Samples[] | undefined = [];
  for await (const piece of decode(found, stream, lead, options)) {
    sampleCount += piece.samples.length;
    broken += piece.broken;
    refuseAbove(path, 'seconds of sound', sampleCount / RATE, limits.duration);
    if (sampleCount > KEPT_SAMPLES) kept = undefined;
    kept?.push(piece.samples);
  }
  if (sampleCount <= Math.max(0, lead)) throw noSound(path, 'its sound stream has no samples');

  const warnings: string[] = [];
  if (broken > 0) warnings.push(`${broken} samples of the sound are not numbers; they are silent`);
  const again = async function* (): AsyncGenerator<Samples> {
    if (kept) for (const piece of kept) yield piece.slice();
    else for await (const piece of decode(found, stream, lead, options)) yield piece.samples;
  };
  return {
    path: found.path,
    rate: RATE,
    sampleCount,
    duration: sampleCount / RATE,
    warnings,
    samples: (start = 0, end = sampleCount) => range(again(), start, end),
  };
}

/** All samples of a sound file at once: mono, 16 kHz. For sounds of minutes, not hours. */
export async function readWholeSound(path: string, options: ReadSoundOptions = {}): Promise<Samples> {
  const sound = await readSound(path, options);
  const all = new Float32Array(sound.sampleCount);
  let at = 0;
  for await (const piece of sound.samples()) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function soundOf({ path, kind, sound }: Probe): SoundStream {
  if (sound === undefined) throw noSound(path, `it is ${kind.name} without a sound stream`);
  if (sound.channels === 0 || sound.rate === 0)
    throw noSound(path, 'its sound stream declares no channel or no rate');
  return sound;
}

function noSound(path: string, why: string): MuseTalkError {
  return new MuseTalkError('NO_SOUND', `there is no sound in ${path}: ${why}`, {
    hint: 'Give a file with speech, such as WAV, MP3, M4A, or a video with sound.',
    facts: { path },
  });
}

interface Piece {
  readonly samples: Samples;
  /** How many samples were NaN or infinite, and are 0 now. */
  readonly broken: number;
}

/** The decoded stream in pieces, after `lead` samples of silence or without its first −`lead`. */
async function* decode(
  { path, kind }: Probe,
  stream: SoundStream,
  lead: number,
  { sixteenBit = false, signal }: ReadSoundOptions,
): AsyncGenerator<Piece> {
  if (lead > 0) yield { samples: new Float32Array(lead), broken: 0 };
  const args = [
    ...inputFile(path, kind.demuxer),
    ...['-map', `0:${stream.index}`, '-vn', '-sn', '-dn', ...averaged(stream)],
    // For floats FFmpeg adds channels up to √2 times louder than for integers; the mean is wanted.
    ...[
      '-ac',
      '1',
      '-ar',
      String(RATE),
      '-rematrix_maxval',
      '1.0',
      '-f',
      sixteenBit ? 's16le' : 'f32le',
      'pipe:1',
    ],
  ];
  const bytes = streamTool('ffmpeg', args, {
    task: `decode the sound of ${path}`,
    blame: 'BAD_FILE',
    signal,
    cpuTime: SOUND_DECODING_TIME,
  });
  let skip = Math.max(0, -lead);
  for await (const whole of wholeSamples(bytes, sixteenBit ? 2 : 4)) {
    const piece = sixteenBit ? { samples: fromInt16(whole), broken: 0 } : fromFloat32(whole);
    const samples = piece.samples.subarray(skip);
    skip -= Math.min(skip, piece.samples.length);
    if (samples.length > 0) yield { ...piece, samples };
  }
}

/** More than eight channels have no agreed places, so FFmpeg refuses to mix them: their mean is taken. */
function averaged({ channels }: SoundStream): string[] {
  return channels > 8 ? ['-af', meanOfChannels(channels)] : [];
}

/** The same bytes in pieces that hold whole samples of `size` bytes. */
async function* wholeSamples(chunks: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const all = rest.length ? Buffer.concat([rest, chunk]) : chunk;
    const whole = all.length - (all.length % size);
    rest = all.subarray(whole);
    if (whole > 0) yield all.subarray(0, whole);
  }
}

/** Upstream: the reader of 1.0 divides 16-bit integers by 32768. */
function fromInt16(bytes: Buffer): Samples {
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readInt16LE(2 * i) / 32768);
}

function fromFloat32(bytes: Buffer): Piece {
  const samples = new Float32Array(new Uint8Array(bytes).buffer);
  let broken = 0;
  for (let i = 0; i < samples.length; i++) {
    if (Number.isFinite(samples[i])) continue;
    samples[i] = 0;
    broken++;
  }
  return { samples, broken };
}

/** The part of a stream of samples from `start` to before `end`; stops reading there. */
async function* range(
  pieces: AsyncGenerator<Samples>,
  start: number,
  end: number,
): AsyncGenerator<Samples, void, undefined> {
  let at = 0;
  if (start >= end) return;
  for await (const piece of pieces) {
    const from = Math.max(0, start - at);
    const to = Math.min(piece.length, end - at);
    if (from < to) yield piece.subarray(from, to);
    at += piece.length;
    if (at >= end) return;
  }
}
