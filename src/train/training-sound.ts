/** What a training sample hears: the condition of each frame, and the mel rows by which sync is judged. */
import type { FloatTensor } from '../core/tensor.ts';
import { tensor } from '../core/tensor.ts';
import { SAMPLE_RATE } from '../sound/mel.ts';

/** Rows of features on either side of a frame's own two: two video frames' worth. */
const SIDE_ROWS = 4;
/** Rows of features per video frame of 25 fps. */
const ROWS_PER_FRAME = 2;
/** Rows that condition a frame. */
const WINDOW_ROWS = 2 * SIDE_ROWS + ROWS_PER_FRAME;

/**
 * The conditions of successive frames at 25 fps: rows 2f − 4 … 2f + 5 of the sound's features, with all layers;
 * zeros outside. The positions that inference adds are not part of it. `speed` is that of a changed sound, in which
 * frame f lies at row 2f / speed.
 *
 * features: [T, 5, 384] → [frames, 50, 384]
 */
export function trainingConditions(
  features: FloatTensor,
  first: number,
  frames: number,
  speed = 1,
): FloatTensor {
  const [rows, layers, width] = features.shape as [number, number, number];
  const row = layers * width;
  const conditions = tensor([frames, WINDOW_ROWS * layers, width]);
  for (let frame = 0; frame < frames; frame++) {
    for (let i = 0; i < WINDOW_ROWS; i++) {
      const from = Math.round((ROWS_PER_FRAME * (first + frame)) / speed) - SIDE_ROWS + i;
      if (from < 0 || from >= rows) continue;
      conditions.data.set(
        features.data.subarray(from * row, (from + 1) * row),
        (frame * WINDOW_ROWS + i) * row,
      );
    }
  }
  return conditions;
}

/** Frames of 25 fps from which on a sample is heard in a later piece, and by how much later. */
const LATE_FRAME = 700;
const LATER_FRAMES = 100;

/**
 * Upstream: the encoder hears 30 s of a clip. For samples that start at frame 700 or later that is the piece from
 * second 4 on, in which the frame has a lower number.
 */
export function soundPiece(frame: number): { frame: number; firstSample: number; lastSample: number } {
  const later = frame >= LATE_FRAME ? LATER_FRAMES : 0;
  return { frame: frame - later, firstSample: (later / 25) * SAMPLE_RATE, lastSample: 30 * SAMPLE_RATE };
}
