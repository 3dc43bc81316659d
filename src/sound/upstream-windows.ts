/**
 * Windows exactly as upstream MuseTalk computes them, in its order of floating-point operations and with its
 * faults, for comparison and for `--compat upstream`. `windows.ts` has the right ones.
 */
import { MuseTalkError } from '../core/errors.ts';
import type { FrameWindow } from './windows.ts';
import { FEATURE_RATE } from './windows.ts';

/** Frames of 40 ms before and after the frame itself. */
export interface WindowSides {
  readonly before?: number;
  readonly after?: number;
}

/**
 * Window of a frame in 1.0: c − 4 … c + 5 with c = trunc(frame · 50 / fps), each row held within the sound.
 *
 * Formula: get_sliced_feature in musetalk/whisper/audio2feature.py; its audio_feat_length is [before, after].
 */
export function slicedFeature(
  frame: number,
  rows: number,
  fps: number,
  { before = 2, after = 2 }: WindowSides = {},
): FrameWindow {
  const centre = Math.trunc((frame * FEATURE_RATE) / fps);
  return Int32Array.from({ length: 2 * (before + 1 + after) }, (_, i) =>
    within(centre - 2 * before + i, rows),
  );
}

/**
 * The other window of 1.0, present there and not used: for each neighbouring frame its row and the row before;
 * at 25 fps one row earlier than `slicedFeature`. A neighbour outside the sound repeats the end twice.
 *
 * Formula: get_sliced_feature_sparse in musetalk/whisper/audio2feature.py.
 */
export function slicedFeatureSparse(
  frame: number,
  rows: number,
  fps: number,
  { before = 2, after = 2 }: WindowSides = {},
): FrameWindow {
  const window: number[] = [];
  for (let neighbour = frame - before; neighbour <= frame + after; neighbour++) {
    const row = Math.trunc((neighbour * FEATURE_RATE) / fps);
    if (row < 1 || row > rows - 1) window.push(within(row, rows), within(row, rows));
    else window.push(row - 1, row);
  }
  return Int32Array.from(window);
}

/**
 * The windows of all frames in 1.0. At 25 fps there are floor(rows / 2) + 2: two frames more than the sound.
 *
 * Upstream: the loop counts with frame · (50 / fps), the window with (frame · 50) / fps; at 24000/1001 fps the
 * two differ by one row in every 480th frame.
 *
 * Formula: feature2chunks in musetalk/whisper/audio2feature.py.
 *
 * @throws MuseTalkError NO_SOUND when there is no row, where upstream fails with an index error.
 */
export function* feature2chunks(rows: number, fps: number, sides: WindowSides = {}): Generator<FrameWindow> {
  if (rows < 1) throw tooShort(0, fps);
  const step = FEATURE_RATE / fps;
  for (let frame = 0; ; frame++) {
    yield slicedFeature(frame, rows, fps, sides);
    if (Math.trunc(frame * step) > rows) return;
  }
}

/** Rows that 1.5 uses of a sound of `samples` samples at 16 kHz. */
export function whisperRows(samples: number): number {
  return Math.floor((samples / 16000) * FEATURE_RATE);
}

/**
 * The windows of all frames in 1.5, for a sound of `samples` samples at 16 kHz.
 *
 * Upstream: the rate is truncated (29.97 → 29: the lips drift), the zeros in front are counted in
 * ceil(50 / fps) and fit the window only from 25 fps on (24 fps: 40 ms too early), and from 50 fps on the rows
 * run out near the end, where upstream ends the whole process.
 *
 * Formula: get_whisper_chunk in musetalk/utils/audio_processor.py.
 *
 * @throws MuseTalkError NO_SOUND when no frame comes out; BAD_OPTION where upstream's assertion fails, at the
 * frame that it fails for.
 */
export function* whisperChunks(
  samples: number,
  fps: number,
  { before = 2, after = 2 }: WindowSides = {},
): Generator<FrameWindow> {
  const rate = Math.trunc(fps);
  const step = FEATURE_RATE / rate;
  const frames = Math.floor((samples / 16000) * rate);
  const rows = whisperRows(samples);
  if (!(frames > 0)) throw tooShort(samples, fps);

  const perFrame = Math.ceil(step);
  const front = Math.min(perFrame * before, rows);
  const total = front + rows + Math.min(3 * perFrame * after, rows);
  const length = 2 * (before + 1 + after);
  for (let frame = 0; frame < frames; frame++) {
    const start = Math.floor(frame * step);
    if (start + length > total) throw rowsRanOut(frame, frames, fps);
    yield Int32Array.from({ length }, (_, i) => {
      const row = start + i - front;
      return row >= 0 && row < rows ? row : -1;
    });
  }
}

function within(row: number, rows: number): number {
  return Math.min(Math.max(row, 0), rows - 1);
}

function tooShort(samples: number, fps: number): MuseTalkError {
  return new MuseTalkError('NO_SOUND', `The sound is too short for a single frame at ${fps} fps.`, {
    hint: 'Give a longer sound, or leave out the upstream compatibility, which has no minimum.',
    facts: { samples, fps },
  });
}

function rowsRanOut(frame: number, frames: number, fps: number): MuseTalkError {
  const message = `Upstream's windows end at frame ${frame} of ${frames}: at ${fps} fps they ask for rows past its padding.`;
  return new MuseTalkError('BAD_OPTION', message, {
    hint: 'Use a rate from 25 to below 50 fps and a longer sound, or leave out the upstream compatibility.',
    facts: { frame, frames, fps },
  });
}
