/** Which moment of the source stands behind a moment of the result. */
import { type SyncMode, sourceFrame } from '../../src/avatar/order.ts';
import type { DubView } from '../api.ts';

/** A place in the source. */
export interface Place {
  readonly frame: number;
  /** The middle of that frame, in seconds. */
  readonly seconds: number;
  /** Source frames for each frame of the result here: 1 forward, −1 backward, others where the speed was changed. */
  readonly speed: number;
}

/** Gives the place in the source for a frame of the result, by the rules of the dub itself. */
export function pairing({ result, options }: DubView): (frame: number) => Place {
  const { frames, fps } = result!;
  const source = Number(result!.sourceFrames ?? frames);
  const mode = (options.syncMode as SyncMode | undefined) ?? 'bounce';
  const lengths = { source: Math.max(1, source), sound: frames };
  const at = (frame: number) => sourceFrame(mode, frame, lengths);
  return (frame) => {
    const here = at(frame);
    const speed = mode === 'remap' ? source / frames : at(Math.min(frame + 1, frames - 1)) - here;
    return { frame: here, seconds: (here + 0.5) / fps, speed };
  };
}

/** The frame that is shown at a time of the result. */
export function frameAt(seconds: number, { frames, fps }: { frames: number; fps: number }): number {
  return Math.min(frames - 1, Math.max(0, Math.floor(seconds * fps + 1e-4)));
}
