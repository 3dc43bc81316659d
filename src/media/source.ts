import type { Image } from '../image/image.ts';
import type { PlanarImage } from '../image/planar.ts';

/** A fraction, in lowest terms; a frame rate of 30000/1001 stays exact. */
export interface Rational {
  readonly num: number;
  readonly den: number;
}

/** How code values of a picture become light, in FFmpeg's names (`bt709`, `smpte170m`, `iec61966-2-1`). */
export interface ColorTags {
  /** Matrix between Y′CbCr and RGB. */
  readonly space: string | undefined;
  readonly primaries: string | undefined;
  readonly transfer: string | undefined;
  /** `tv`: luma 16 … 235; `pc`: 0 … 255. */
  readonly range: 'tv' | 'pc' | undefined;
}

/** An RGB picture with its place in a video. Its bytes belong to the receiver, who may draw on them. */
export interface Frame extends Image {
  readonly channels: 3;
  /** Number of the frame in the source, from 0. */
  readonly index: number;
  /** Seconds since the first frame. */
  readonly time: number;
}

/** A frame as the video stores it. Its bytes belong to the receiver likewise. */
export interface PlanarFrame extends PlanarImage {
  readonly index: number;
  readonly time: number;
}

/** How frames are read. */
export interface FramesOptions {
  /**
   * `exact` (default): a pure colour is right to a step or two. `near`: within a few steps, for a third of the
   * processor time; for those who only look.
   */
  readonly colors?: 'exact' | 'near' | undefined;
}

/** Pictures in the order of time that can be read again, from any frame on: a video, a picture or a folder. */
export interface VideoSource {
  /** The file or folder, as an absolute path. */
  readonly path: string;
  readonly kind: 'video' | 'picture' | 'folder';
  /** Pixels of every frame, after the rotation that the file asks for; may be odd. */
  readonly width: number;
  readonly height: number;
  /** Width of a pixel divided by its height as it is to be shown; 1/1 but for old television formats. */
  readonly pixelAspect: Rational;
  /** Frames per second: exact for a constant rate, the average where `timestamps` are kept. */
  readonly fps: Rational;
  /** How many frames `frames()` gives. */
  readonly frameCount: number;
  /** Seconds from the first frame to the end of the last. */
  readonly duration: number;
  /** Tags that a video made from these frames should carry; the matrix and the range are always known. */
  readonly color: ColorTags & { readonly space: string; readonly range: 'tv' | 'pc' };
  /** Seconds since the first frame of every frame, only where `timing: 'source'` was asked for. */
  readonly timestamps: readonly number[] | undefined;
  /** What was lost or guessed when the source was opened, a sentence each. */
  readonly warnings: readonly string[];
  /**
   * Frames `start` … `end` − 1, decoded anew on each call, one at a time as they are asked for. Leaving the loop
   * early ends the decoder.
   */
  frames(start?: number, end?: number, options?: FramesOptions): AsyncGenerator<Frame, void, undefined>;
  /** As `frames`, but nothing is converted: only where the video has 8 bits, 4:2:0, and an even size. */
  planes?(start?: number, end?: number): AsyncGenerator<PlanarFrame, void, undefined>;
}

/** Mono sound of 16 kHz that can be read again, in pieces, so that its length costs no memory. */
export interface SoundSource {
  /** The file, as an absolute path. */
  readonly path: string;
  readonly rate: 16000;
  /** How many samples `samples()` gives; counted, not taken from a header. */
  readonly sampleCount: number;
  /** Seconds: sampleCount / rate. */
  readonly duration: number;
  /** What was repaired or guessed, a sentence each. */
  readonly warnings: readonly string[];
  /** Samples `start` … `end` − 1, finite, nominally −1 … 1, in pieces of any length above 0. */
  samples(start?: number, end?: number): AsyncGenerator<Float32Array<ArrayBuffer>, void, undefined>;
}
