/**
 * What the frozen networks say of prepared clips: features of their sounds, latents of their faces. Asked once and
 * kept beside the clips, as long as the answers cannot change.
 */
import { createHash } from 'node:crypto';
import { access, stat } from 'node:fs/promises';
import type { FloatTensor, Tensor } from '../../core/tensor.ts';
import { tensor } from '../../core/tensor.ts';
import type { Image } from '../../image/image.ts';
import { loadHearing, VAE_ENCODER } from '../../lips/musetalk-networks.ts';
import { faceToLatents } from '../../networks/faces.ts';
import type { VaeConfig } from '../../networks/vae.ts';
import { loadNetwork } from '../../nn/load-network.ts';
import { Engine } from '../../nn/session.ts';
import { input } from '../../nn/value.ts';
import { castFloat } from '../../nn/weights/cast.ts';
import { openCheckpoint } from '../../nn/weights/open-checkpoint.ts';
import { writeSafetensors } from '../../nn/weights/write-safetensors.ts';
import { features } from '../../sound/features.ts';
import { type ClipEntry, clipFile } from '../data/prepared.ts';
import { changedSound } from '../data/sound-changes.ts';
import { readWav } from '../data/wav.ts';
import { Random } from '../random.ts';
import type { TrainingFiles } from './files.ts';

/** The features of a sound, and how fast it is spoken beside the pictures. */
export interface Heard {
  /** [rows, 5, width], 50 rows a second */
  readonly features: FloatTensor;
  readonly speed: number;
}

/** Frozen networks that answer. */
export interface FrozenAnswers {
  /** Shape of the latents of one face, masked and whole: [8, h, w]. */
  readonly latentShape: readonly number[];
  /** Width of a row of features. */
  readonly width: number;
  /** What is heard in a clip; variant 0 is the sound itself, the others are changed ones. */
  hear(entry: ClipEntry, variant: number): Promise<Heard>;
  /** Latents of square faces: [B, 8, h, w], masked first. */
  encode(faces: readonly Image[]): Promise<FloatTensor>;
  /** Latents of a frame out of the file of its clip; `make` gives its faces where there is no such file yet. */
  encoded(entry: ClipEntry, frame: number, make: (frame: number) => Promise<Image>): Promise<FloatTensor>;
  close(): Promise<void>;
}

/** How the networks are run. */
export interface AnswerOptions {
  readonly data: string;
  readonly files: TrainingFiles;
  readonly vae: VaeConfig;
  /** Side of the faces. */
  readonly size: number;
  /** All that the latents of a frame depend on beside the autoencoder. */
  readonly cutting: string;
  readonly threads?: number | undefined;
  readonly cacheFolder: string;
  readonly onProgress?: ((what: string, clip: string) => void) | undefined;
}

/** Faces encoded at once. */
const BATCH = 4;

/** Loads Whisper's encoder and that of the autoencoder. @throws MuseTalkError BAD_WEIGHTS, WRONG_FILE or ENGINE. */
export async function openFrozenAnswers(options: AnswerOptions): Promise<FrozenAnswers> {
  const { data, files, vae, size, cacheFolder, threads } = options;
  const loading = { cacheFolder, ...(threads !== undefined && { threads }) };
  const side = size / 2 ** (vae.block_out_channels.length - 1);
  const latentShape = [2 * vae.latent_channels, side, side];
  const engine = new Engine();
  const ears = await loadHearing(engine, { version: '1.5', whisper: files.whisper }, loading);
  const eyes = await loadNetwork(engine, files.vae.weights, {
    match: VAE_ENCODER,
    loading,
    build: (w) => ({ latents: faceToLatents(w, input('faces', ['B', size, size, 3], 'uint8'), vae) }),
  });
  const heardKey = await keyOf(files.whisper.weights);
  const seenKey = await keyOf(files.vae.weights, options.cutting);
  const heard = new Map<string, Promise<Heard>>();
  const stored = new Map<string, Promise<string>>();

  const encode = async (faces: readonly Image[]): Promise<FloatTensor> => {
    const all = tensor([faces.length, ...latentShape]);
    const one = all.data.length / faces.length;
    for (let from = 0; from < faces.length; from += BATCH) {
      const part = faces.slice(from, from + BATCH);
      const { latents } = await eyes.run({ faces: bytesOf(part, size) });
      all.data.set(latents!.data as Float32Array, from * one);
    }
    return all;
  };

  async function listen(entry: ClipEntry, variant: number): Promise<Heard> {
    const path = clipFile(data, entry.clip, `heard-${heardKey}-${variant}.safetensors`);
    if (!(await isThere(path))) {
      options.onProgress?.('hearing', entry.clip);
      const samples = await readWav(clipFile(data, entry.clip, 'wav'));
      const sound = variant === 0 ? { samples, speed: 1 } : changedSound(samples, randomOf(entry, variant));
      const rows: FloatTensor[] = [];
      for await (const row of features(ears.hear, soundOf(sound.samples), { version: '1.5' })) rows.push(row);
      const [layers, width] = rows[0]!.shape as [number, number];
      const whole = tensor([rows.length, layers, width]);
      for (const [i, row] of rows.entries()) whole.data.set(row.data, i * layers * width);
      const speed = String(sound.speed);
      await writeSafetensors(path, [{ name: 'features', tensor: castFloat(whole, 'float16') }], { speed });
    }
    const file = await openCheckpoint(path);
    try {
      return { features: await file.readFloat('features'), speed: Number(file.metadata.get('speed')) };
    } finally {
      await file.close();
    }
  }

  async function store(entry: ClipEntry, make: (frame: number) => Promise<Image>): Promise<string> {
    const path = clipFile(data, entry.clip, `latents-${seenKey}.safetensors`);
    if (await isThere(path)) return path;
    options.onProgress?.('encoding', entry.clip);
    const frames: { name: string; tensor: Tensor }[] = [];
    for (let from = 0; from < entry.frames; from += BATCH) {
      const numbers = Array.from({ length: Math.min(BATCH, entry.frames - from) }, (_, i) => from + i);
      const { data: all } = await encode(await Promise.all(numbers.map(make)));
      const one = all.length / numbers.length;
      for (const [i, frame] of numbers.entries()) {
        const latents = tensor(latentShape, all.slice(i * one, (i + 1) * one));
        frames.push({ name: String(frame), tensor: castFloat(latents, 'float16') });
      }
    }
    await writeSafetensors(path, frames);
    return path;
  }

  return {
    latentShape,
    width: ears.width,
    hear(entry, variant) {
      const key = `${entry.clip} ${variant}`;
      if (!heard.has(key)) heard.set(key, listen(entry, variant));
      return heard.get(key)!;
    },
    encode,
    async encoded(entry, frame, make) {
      if (!stored.has(entry.clip)) stored.set(entry.clip, store(entry, make));
      const file = await openCheckpoint(await stored.get(entry.clip)!);
      try {
        return await file.readFloat(String(frame));
      } finally {
        await file.close();
      }
    },
    close: () => engine.close(),
  };
}

/** A changed sound is the same one in every run. */
function randomOf({ clip }: ClipEntry, variant: number): Random {
  return new Random(variant, ...[...clip].map((letter) => letter.codePointAt(0)!));
}

function soundOf(samples: Float32Array) {
  return {
    sampleCount: samples.length,
    async *samples(start = 0, end = samples.length) {
      yield Float32Array.from(samples.subarray(start, end));
    },
  };
}

function bytesOf(faces: readonly Image[], size: number): Tensor<'uint8'> {
  const data = new Uint8Array(faces.length * size * size * 3);
  for (const [i, face] of faces.entries()) data.set(face.data, i * size * size * 3);
  return { dtype: 'uint8', shape: [faces.length, size, size, 3], data };
}

/** Names a file by size and time of change, with whatever else an answer depends on. */
async function keyOf(path: string, more = ''): Promise<string> {
  const { size, mtimeMs } = await stat(path);
  return createHash('sha256').update(`${path} ${size} ${mtimeMs} ${more}`).digest('hex').slice(0, 10);
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
