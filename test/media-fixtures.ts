import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Image } from '../src/image/image.ts';
import { image } from '../src/image/image.ts';
import { findTool } from '../src/media/tools.ts';

/** A folder for one test, whose name has a space, a quote and letters beyond ASCII; removed afterwards. */
export async function scratch(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "musetalk it's ünï "));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Makes a file with the FFmpeg that the code under test uses; arguments as on the command line, output last. */
export async function make(output: string, ...args: string[]): Promise<string> {
  const { path } = await findTool('ffmpeg');
  execFileSync(path, ['-hide_banner', '-v', 'error', '-nostdin', '-y', ...args, output], {
    timeout: 300_000,
  });
  return output;
}

/** Arguments for a moving test picture. */
export function moving({ size = '64x48', rate = '25', seconds = 2 } = {}): string[] {
  return ['-f', 'lavfi', '-i', `testsrc2=s=${size}:r=${rate}:d=${seconds}`];
}

/** Arguments for a tone of 440 Hz. */
export function tone({ rate = 44100, seconds = 2 } = {}): string[] {
  return ['-f', 'lavfi', '-i', `sine=f=440:r=${rate}:d=${seconds}`];
}

export const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'];

/** Everything that a source of frames, sounds or anything else gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Pictures of one colour each, all different. */
export async function* colours(count: number, width = 64, height = 48): AsyncGenerator<Image> {
  for (let i = 0; i < count; i++) {
    const picture = image(width, height, 3);
    for (let p = 0; p < picture.data.length; p += 3) picture.data.set(colourOf(i), p);
    yield picture;
  }
}

export function colourOf(i: number): [number, number, number] {
  return [(i * 37) % 256, (i * 91 + 40) % 256, (i * 53 + 120) % 256];
}

/** Processes that this one has started and that still run, by name (Linux only, else none). */
export function children(): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const [, name, parent] =
        /^\d+ \((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? [];
      return Number(parent) === process.pid && name && /ff|prlimit/.test(name) ? [name] : [];
    } catch {
      return []; // it ended meanwhile
    }
  });
}

/** A WAV file of samples given as bytes in `format` (1: integers, 3: floats). */
export function wav(data: Buffer, { format = 1, channels = 1, rate = 16000, bits = 16 } = {}): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + data.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(format, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE((rate * channels * bits) / 8, 28);
  header.writeUInt16LE((channels * bits) / 8, 32);
  header.writeUInt16LE(bits, 34);
  header.write('data', 36);
  header.writeUInt32LE(data.length, 40);
  return Buffer.concat([header, data]);
}
