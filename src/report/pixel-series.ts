/** One number for each frame; NaN where it cannot be measured. */
export interface PixelSeries {
  /** Detail of the mouth relative to that of the upper face. */
  readonly mouthDetail: Float32Array;
  /** The same of the source's frame. */
  readonly sourceMouthDetail: Float32Array;
  /** Flicker of cheeks and chin, and of the upper face, in levels. */
  readonly flicker: Float32Array;
  readonly upperFlicker: Float32Array;
  readonly sourceFlicker: Float32Array;
  /** Height of the seam, in levels. */
  readonly seam: Float32Array;
  /** How far the colour of cheeks and chin is off the source's, in levels. */
  readonly tint: Float32Array;
  /** Share of the cells outside the mask that have changed, and their mean change in levels. */
  readonly outside: Float32Array;
}
