import { mkdtemp, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileUrl, inputFile, runTool } from './ffmpeg.ts';
import { SOUND_DECODING_TIME } from './limits.ts';
import { cannotWrite, settle } from './output.ts';
import { probe } from './probe.ts';

/** A stretch of a composed sound: a part of a file, or silence without one. */
export interface SoundPiece {
  /** Seconds that it takes; a part that is shorter is followed by silence, one that is longer is cut. */
  readonly duration: number;
  readonly path?: string | undefined;
  /** Seconds of the file from which on it is heard; 0 by default. */
  readonly from?: number | undefined;
}

/** Hertz of a composed sound. */
const RATE = 48_000;

/**
 * Puts pieces of sounds one after another into a WAV file of two channels at `output`, whole or not at all. A file
 * without a sound stream is silence.
 *
 * @throws MuseTalkError `CANNOT_WRITE`, or as `probe` for the files.
 */
export async function composeSound(
  output: string,
  pieces: readonly SoundPiece[],
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const folder = await mkdtemp(join(dirname(resolve(output)), '.sound-')).catch((cause) => {
    throw cannotWrite(output, cause);
  });
  try {
    const inputs: string[] = [];
    const filters: string[] = [];
    for (const [i, { path, from = 0, duration }] of pieces.entries()) {
      const found = path === undefined ? undefined : await probe(path, { signal });
      const end = `atrim=end_sample=${Math.round(duration * RATE)}[p${i}]`;
      if (!found?.sound) {
        filters.push(`anullsrc=r=${RATE}:cl=stereo,${end}`);
        continue;
      }
      const input = inputs.filter((word) => word === '-i').length;
      inputs.push('-ss', (from + found.sound.origin).toFixed(6), ...inputFile(path!, found.kind.demuxer));
      const even = `aresample=${RATE}:async=1:first_pts=0,aformat=sample_fmts=s16:channel_layouts=stereo`;
      filters.push(`[${input}:${found.sound.index}]${even},apad,${end}`);
    }
    const all = pieces.map((_, i) => `[p${i}]`).join('');
    filters.push(`${all}concat=n=${pieces.length}:v=0:a=1[whole]`);
    const file = join(folder, 'whole');
    const args = [...inputs, '-filter_complex', filters.join(';'), '-map', '[whole]', '-c:a', 'pcm_s16le'];
    await runTool('ffmpeg', [...args, '-rf64', 'auto', '-f', 'wav', '-y', fileUrl(file)], {
      ...{ task: `write ${output}`, blame: 'CANNOT_WRITE', signal, cpuTime: SOUND_DECODING_TIME },
    });
    await settle(file, output);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
