/** Sound of prepared clips: WAV files of 16 kHz, 16 bits, mono, that any player opens. */
import { open, readFile, rename } from 'node:fs/promises';
import { MuseTalkError } from '../../core/errors.ts';
import { SAMPLE_RATE } from '../../sound/mel.ts';

const HEADER = 44;

/** Writes samples (−1 … 1) as they come, filled up with silence to `count`. */
export async function writeWav(
  path: string,
  pieces: AsyncIterable<Float32Array>,
  count: number,
): Promise<void> {
  const samples = new Int16Array(count);
  let at = 0;
  for await (const piece of pieces) {
    for (let i = 0; i < piece.length && at < count; i++, at++) {
      samples[at] = Math.round(Math.min(Math.max(piece[i]! * 32768, -32768), 32767));
    }
  }
  const part = `${path}.part`;
  const file = await open(part, 'w');
  try {
    await file.write(headerOf(2 * count));
    await file.write(new Uint8Array(samples.buffer));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
}

/** All samples of a file that {@link writeWav} wrote. @throws MuseTalkError BAD_FILE */
export async function readWav(path: string): Promise<Float32Array> {
  const bytes = await readFile(path);
  if (bytes.length < HEADER || bytes.toString('latin1', 0, 4) !== 'RIFF')
    throw new MuseTalkError('BAD_FILE', `${path} is no sound of prepared data`, {
      hint: 'Remove the folder with the prepared data and prepare it again.',
    });
  const whole = bytes.subarray(HEADER, bytes.length - (bytes.length % 2));
  return Float32Array.from(new Int16Array(Uint8Array.from(whole).buffer), (sample) => sample / 32768);
}

function headerOf(bytes: number): Uint8Array {
  const header = Buffer.alloc(HEADER);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + bytes, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20); // PCM
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(SAMPLE_RATE, 24);
  header.writeUInt32LE(2 * SAMPLE_RATE, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(bytes, 40);
  return header;
}
