import type { Sync } from '../lips/lip-lag.ts';
import type { Alignment } from './align.ts';
import type { ColorFit } from './color-fit.ts';
import type { MouthSeries } from './mouth.ts';
import type { PixelSeries } from './pixel-series.ts';
import type { SeenFace } from './seen-faces.ts';
import type { SyncNetSays } from './sync-net.ts';
import type { StreamTiming } from './timing.ts';

/** Everything that was measured of a dub; what of it is a fault is decided afterwards. */
export interface Measured {
  readonly fps: number;
  readonly faces: readonly (SeenFace | null)[];
  readonly pixels: PixelSeries;
  /** Undefined without a sound. */
  readonly mouth: MouthSeries | undefined;
  readonly sync: (Sync & { readonly by: 'mini' | 'loudness'; readonly heard: Float32Array }) | undefined;
  /** Undefined without a sound or without its weights. */
  readonly syncNet: SyncNetSays | undefined;
  /** Undefined without a source. */
  readonly alignment: Alignment | undefined;
  readonly colors: ColorFit | undefined;
  readonly timing: StreamTiming | undefined;
}
