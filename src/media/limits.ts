/** What a media file may ask for before it is refused; all are checked before pixels are decoded. */
export interface MediaLimits {
  /** Bytes of the file. */
  readonly bytes: number;
  /** Pixels of one picture. */
  readonly pixels: number;
  /** Pixels of one picture times the number of pictures. */
  readonly totalPixels: number;
  readonly frames: number;
  /** Seconds. */
  readonly duration: number;
  readonly streams: number;
  /** Sound channels of one stream. */
  readonly channels: number;
}

/** Room for 8K pictures, six hours, and 4K at 30 frames a second for two. */
export const DEFAULT_LIMITS: MediaLimits = {
  bytes: 64 * 2 ** 30,
  pixels: 8192 * 4320,
  totalPixels: 2e12,
  frames: 2_000_000,
  duration: 6 * 3600,
  streams: 64,
  channels: 64,
};

/**
 * Seconds of processor time after which decoding so many pixels has gone astray: at 1080p a slow processor has a second
 * for each picture. A file that decodes for ever is ended by this, however busy it looks.
 */
export function decodingTime(pixels: number): number {
  return 60 + pixels / 2e6;
}

/** The same for a sound: six hours of it take a minute or two. */
export const SOUND_DECODING_TIME = 1800;
