/** A face in its surroundings, small enough to be kept with an avatar. */
import type { Box } from '../core/box.ts';
import type { Image } from '../image/image.ts';
import { resample } from '../image/resample.ts';
import type { Setting } from '../lips/lip-model.ts';

/** The box is enlarged by this part of its larger side on each side: what FaceMesh looks at, and a little more. */
const AROUND = 0.45;
/** A box is no higher in its setting, in pixels. */
const HIGHEST = 192;

/** Cuts the surroundings of a box out of a frame; beyond the frame its border goes on. */
export function settingOf(frame: Image, { x1, y1, x2, y2 }: Box): Setting {
  const scale = Math.min(1, HIGHEST / (y2 - y1));
  const margin = AROUND * Math.max(x2 - x1, y2 - y1);
  const [left, top] = [Math.floor(x1 - margin), Math.floor(y1 - margin)];
  const [width, height] = [Math.ceil((x2 + margin - left) * scale), Math.ceil((y2 + margin - top) * scale)];
  const picture = resample(
    frame,
    { start: left, step: 1 / scale },
    { start: top, step: 1 / scale },
    width,
    height,
  );
  const moved = (value: number, from: number) => (value - from) * scale;
  return {
    picture,
    box: { x1: moved(x1, left), y1: moved(y1, top), x2: moved(x2, left), y2: moved(y2, top) },
  };
}
